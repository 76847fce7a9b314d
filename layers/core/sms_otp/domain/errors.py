"""Every error that the API can answer with.

OtpError
├── InvalidRequest
│   ├── InvalidPhoneNumber
│   └── InvalidOtpFormat
├── DestinationNotAllowed
├── VerificationNotFound
├── OtpIncorrect
├── OtpExpired
├── VerificationCancelled
├── AlreadyVerified
├── TooManyAttempts
├── NumberLocked
├── NumberDisabled
├── ChallengeRequired
├── RateLimited
├── SendingStopped
├── RequestInProgress
├── IdempotencyKeyReused
├── ProviderRejected
├── ProviderUnavailable
├── Forbidden
├── ServiceMisconfigured
└── InternalError

`code` is the contract with callers; `http` alone knows the status and title of each. The message
of an exception may be shown to the caller, so it never holds a code, a secret or a number.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar, Self, TypedDict

from sms_otp.domain.clock import Seconds


class FieldError(TypedDict):
    """One invalid field of a body: its JSON pointer (RFC 6901) and what was expected there."""

    pointer: str
    detail: str


class OtpError(Exception):
    """Base of all error answers.

    `detail` is shown to the caller. `reason` is for the log alone: a short fixed word, or the name
    of a field or dependency, never its value.
    """

    code: ClassVar[str] = "INTERNAL_ERROR"
    detail: ClassVar[str] = "The request could not be completed."

    def __init__(
        self,
        detail: str | None = None,
        *,
        reason: str | None = None,
        retry_after: Seconds | None = None,
        attempts_remaining: int | None = None,
        errors: Sequence[FieldError] = (),
        context: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        super().__init__(detail or self.detail)
        self.reason = reason
        self.retry_after = retry_after
        self.attempts_remaining = attempts_remaining
        self.errors = tuple(errors)
        self.context = context
        """More fields for the log, in objects that mask what must not be shown."""

    def with_context(self, **context: object) -> Self:
        """A copy with more fields for the log."""
        return type(self)(
            str(self),
            reason=self.reason,
            retry_after=self.retry_after,
            attempts_remaining=self.attempts_remaining,
            errors=self.errors,
            context={**self.context, **context},
        )


class InvalidRequest(OtpError):
    """The body or a header is malformed."""

    code = "INVALID_REQUEST"
    detail = "The request is malformed."


class InvalidPhoneNumber(InvalidRequest):
    """`phoneNumber` is not a valid E.164 number."""

    code = "INVALID_PHONE_NUMBER"
    detail = "phoneNumber must be a valid number in E.164 form, such as +14155550123."


class InvalidOtpFormat(InvalidRequest):
    """`otp` is not a string of digits of the configured length. Never counted as a guess."""

    code = "INVALID_OTP_FORMAT"
    detail = "otp must be a string of digits of the length that was sent."


class DestinationNotAllowed(OtpError):
    """This deployment does not send to the number's country or kind, or not by this channel."""

    code = "DESTINATION_NOT_ALLOWED"
    detail = "Codes are not sent to this country or kind of number."


class VerificationNotFound(OtpError):
    """Unknown, another tenant's, or another session's: one answer, so that it reveals nothing."""

    code = "VERIFICATION_NOT_FOUND"
    detail = "There is no such verification."


class OtpIncorrect(OtpError):
    """The code is wrong; the guess is spent."""

    code = "OTP_INCORRECT"
    detail = "The code is incorrect."


class OtpExpired(OtpError):
    """The verification has expired."""

    code = "OTP_EXPIRED"
    detail = "The code has expired. Request a new one."


class VerificationCancelled(OtpError):
    """The verification was cancelled, or its code was never sent."""

    code = "VERIFICATION_CANCELLED"
    detail = "The verification was cancelled. Request a new code."


class AlreadyVerified(OtpError):
    """The code has been used already (NIST SP 800-63B-4 §3.1.3.2: valid only once)."""

    code = "ALREADY_VERIFIED"
    detail = "The code has already been used."


class TooManyAttempts(OtpError):
    """This verification's guesses are spent."""

    code = "TOO_MANY_ATTEMPTS"
    detail = "All attempts for this code are used. Request a new one."


class NumberLocked(OtpError):
    """The number has failed too often and must wait."""

    code = "NUMBER_LOCKED"
    detail = "Too many wrong codes for this number. Wait before the next attempt."


class NumberDisabled(OtpError):
    """The number has failed too often: disabled until unlocked, except with a device token."""

    code = "NUMBER_DISABLED"
    detail = "Too many wrong codes for this number. It must be unlocked, or verified on a known device."


class ChallengeRequired(OtpError):
    """Codes are sent only after a challenge: let the user pass one, then request with `challenged: true`."""

    code = "CHALLENGE_REQUIRED"
    detail = "Let the user pass a challenge, then ask again with challenged: true."


class RateLimited(OtpError):
    """A send limit is reached; nothing was sent."""

    code = "RATE_LIMITED"
    detail = "Too many codes were requested. Wait before requesting another."


class SendingStopped(OtpError):
    """An administrator has stopped such sends; codes that were sent are still checked."""

    code = "SENDING_STOPPED"
    detail = "No codes are sent at the moment. Try again later."


class RequestInProgress(OtpError):
    """The first request with this Idempotency-Key is still running."""

    code = "REQUEST_IN_PROGRESS"
    detail = "A request with this Idempotency-Key is still running."


class IdempotencyKeyReused(OtpError):
    """The Idempotency-Key was used with another body."""

    code = "IDEMPOTENCY_KEY_REUSED"
    detail = "This Idempotency-Key was used with another request body."


class ProviderRejected(OtpError):
    """The provider refuses this number for good: opted out, unreachable, blocked."""

    code = "PROVIDER_REJECTED"
    detail = "The number cannot receive codes."


class ProviderUnavailable(OtpError):
    """No provider accepted the send, or checked the code, in time."""

    code = "PROVIDER_UNAVAILABLE"
    detail = "The request could not be completed now. Try again later."


class Forbidden(OtpError):
    """A callback is not authentic."""

    code = "FORBIDDEN"
    detail = "The caller is not known."


class ServiceMisconfigured(OtpError):
    """A setting or secret of this deployment is missing or malformed; the log names it."""

    code = "SERVICE_MISCONFIGURED"
    detail = "The service is misconfigured. Its log says how."


class InternalError(OtpError):
    """An unexpected failure."""


class DeploymentRefused(Exception):
    """A deployment's settings are invalid. The text names each one and its valid values."""
