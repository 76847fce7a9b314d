"""CAMARA's one-time-password-sms 1.1.1, the mobile operators' standard: its routes.

The use cases are those of our own API; bodies and answers are the standard's. `docs/camara.md` lists the
differences from the standard.
"""

import re
from collections.abc import Callable, Mapping

from sms_otp.domain import errors
from sms_otp.domain.commands import Caller, Requested, RequestOtp, Verified, VerifyOtp
from sms_otp.entry_points import http

_OF_CAMARA = "ONE_TIME_PASSWORD_SMS."
_EXPIRED = (400, f"{_OF_CAMARA}VERIFICATION_EXPIRED", "This authenticationId is no longer valid.")
_FAILED = (400, f"{_OF_CAMARA}VERIFICATION_FAILED", "All attempts for this authenticationId are used.")
_INVALID = (400, f"{_OF_CAMARA}INVALID_OTP", "The code is not right for this authenticationId.")
_MALFORMED = (400, "INVALID_ARGUMENT", "The request is not of the form that this operation takes.")

# errorCode -> (status, the standard's code, its message)
WORDS: Mapping[str, tuple[int, str, str]] = {
    "INVALID_REQUEST": _MALFORMED,
    "INVALID_PHONE_NUMBER": (400, "INVALID_ARGUMENT", "phoneNumber must be a valid number in E.164 form."),
    "INVALID_OTP_FORMAT": _INVALID,
    "OTP_INCORRECT": _INVALID,
    "OTP_EXPIRED": _EXPIRED,
    "ALREADY_VERIFIED": _EXPIRED,
    "VERIFICATION_CANCELLED": _EXPIRED,
    "TOO_MANY_ATTEMPTS": _FAILED,
    "VERIFICATION_NOT_FOUND": (404, "NOT_FOUND", "There is no such authenticationId."),
    "DESTINATION_NOT_ALLOWED": (
        403,
        f"{_OF_CAMARA}PHONE_NUMBER_NOT_ALLOWED",
        "Codes are not sent to this country or kind of number.",
    ),
    "PROVIDER_REJECTED": (
        403,
        f"{_OF_CAMARA}PHONE_NUMBER_BLOCKED",
        "This number cannot receive codes.",
    ),
    "RATE_LIMITED": (
        403,
        f"{_OF_CAMARA}MAX_OTP_CODES_EXCEEDED",
        "Too many codes were requested. Try again later.",
    ),
    "CHALLENGE_REQUIRED": (
        403,
        f"{_OF_CAMARA}MAX_OTP_CODES_EXCEEDED",
        "Too many codes were requested. Try again later.",
    ),
    "NUMBER_DISABLED": (
        403,
        f"{_OF_CAMARA}PHONE_NUMBER_BLOCKED",
        "Too many wrong codes for this number. It must be unlocked.",
    ),
    "NUMBER_LOCKED": (429, "TOO_MANY_REQUESTS", "Too many wrong codes for this number. Try again later."),
    "PROVIDER_UNAVAILABLE": (503, "UNAVAILABLE", "The request could not be completed now. Try again later."),
    "SENDING_STOPPED": (503, "UNAVAILABLE", "No codes are sent at the moment. Try again later."),
}
OTHERWISE = (500, "INTERNAL", "The request could not be completed.")
"""For all other errors: internal ones, and those that cannot happen on these routes."""

_WAIT = ("RATE_LIMITED", "NUMBER_LOCKED", "PROVIDER_UNAVAILABLE", "SENDING_STOPPED")
_CORRELATOR = re.compile("[a-zA-Z0-9-_:;./<>{}]{1,256}")


def _success(event: http.Event, body: http.Body) -> http.Response:
    """200 with the body, or 204 if it is empty."""
    if not body:
        return {"statusCode": 204, "headers": {**http.HEADERS, **_correlator(event)}}
    return http.response(200, "application/json", body, _correlator(event))


def _failure(event: http.Event, error: errors.OtpError, _request_id: str) -> http.Response:
    status, code, message = _problem(error)
    waits = {"Retry-After": str(error.retry_after or http.DEFAULT_RETRY_AFTER)}
    headers = _correlator(event) | (waits if error.code in _WAIT else {})
    body = {"status": status, "code": code, "message": message + _places(error)}
    return http.response(status, "application/json", body, headers)


CAMARA = http.Renderer(_success, _failure)


def _correlator(event: http.Event) -> dict[str, str]:
    """The request's `x-correlator` header, to be returned, if it has the standard's form."""
    correlator = http.header(event, "x-correlator")
    return {"x-correlator": correlator} if _CORRELATOR.fullmatch(correlator) else {}


def _read_body(event: http.Event, schema: str) -> http.Body:
    if http.header(event, "x-correlator") and not _correlator(event):
        raise errors.InvalidRequest(errors=[{"pointer": "x-correlator", "detail": _CORRELATOR.pattern}])
    return http.read_body(event, schema)


def _problem(error: errors.OtpError) -> tuple[int, str, str]:
    if isinstance(error, errors.OtpIncorrect) and error.attempts_remaining == 0:
        # The standard reports used-up guesses with the last guess, not with the one after it.
        return _FAILED
    return WORDS.get(error.code, OTHERWISE)


def _places(error: errors.OtpError) -> str:
    """The invalid fields and the rules that they break. Without the caller's own values."""
    return "".join(f" {place['pointer'] or 'body'}: {place['detail']}." for place in error.errors)


def _read_send_code(event: http.Event) -> RequestOtp:
    # The standard requires `message`, but the deployment's own text is sent.
    return RequestOtp(phone_number=_read_body(event, "SendCode")["phoneNumber"])


def _write_authentication_id(requested: Requested) -> http.Body:
    return {"authenticationId": requested.verification_id}


def _read_validate_code(event: http.Event) -> VerifyOtp:
    body = _read_body(event, "ValidateCode")
    # The standard has no place for a token.
    return VerifyOtp(body["authenticationId"], body["code"], with_token=False)


def _write_nothing(_verified: Verified) -> http.Body:
    return {}


def request_routes(
    act: Callable[[RequestOtp, Caller], Requested],
) -> Mapping[str, http.Route[RequestOtp, Caller, Requested]]:
    """The routes that send a code, by path."""
    route = http.Route(_read_send_code, act, _write_authentication_id, http.by_api_key, CAMARA)
    return {"/one-time-password-sms/v1/send-code": route}


def verify_routes(
    act: Callable[[VerifyOtp, Caller], Verified],
) -> Mapping[str, http.Route[VerifyOtp, Caller, Verified]]:
    """The routes that check a code, by path."""
    route = http.Route(_read_validate_code, act, _write_nothing, http.by_api_key, CAMARA)
    return {"/one-time-password-sms/v1/validate-code": route}
