"""Codes of Sinch Verification: errors, statuses, and results in its callbacks.

Sources: Sinch, Verification API 2.0.1, "Errors" and the schemas of `VerificationStatus`, `reason`,
`callResult` and `VerificationSmsDeliveredEvent`.
"""

from sms_otp.adapters.providers.codes import Code
from sms_otp.domain.provider import Delivery

_ACCEPTED, _DELIVERED, _FAILED, _UNKNOWN = (
    Delivery.ACCEPTED,
    Delivery.DELIVERED,
    Delivery.FAILED,
    Delivery.UNKNOWN,
)

DENIED_BY_CALLBACK = "Denied by callback"

ERRORS: tuple[Code, ...] = (
    Code("400", "40001", "Parameter validation", "the number is not valid", _FAILED, "Refused"),
    Code("400", "40002", "Parameter missing", "the number is missing, or its plus sign", _FAILED, "Refused"),
    Code(
        "400",
        "40003",
        "Invalid identity or code",
        "a start: no such number; a report: a wrong code, or nothing is pending",
        _FAILED,
        "Refused",
    ),
    Code("400", "40005", "Missing leading plus sign", "the number lacks its plus sign", _FAILED, "Refused"),
    Code("401", "40100", "Invalid authorization header", "the header's form", _FAILED, "Misconfigured"),
    Code("401", "40101", "X-Timestamp required", "the time is missing or too old", _FAILED, "Misconfigured"),
    Code("401", "40102", "Invalid signature", "wrong signature", _FAILED, "Misconfigured"),
    Code("401", "40104", "Authorization required", "no header", _FAILED, "Misconfigured"),
    Code("401", "40107", "Invalid authorization", "no such key", _FAILED, "Misconfigured"),
    Code("402", "40200", "Not enough credit", "the account has no credit", _FAILED, "Misconfigured"),
    Code("403", "40300", "Forbidden", "the number is on a blocklist", _FAILED, "Refused"),
    Code(
        "403",
        "40303",
        "Callback URL must be set",
        "the application lacks a setting",
        _FAILED,
        "Misconfigured",
    ),
    Code("403", "40303", DENIED_BY_CALLBACK, "our own webhook denied the start", _FAILED, "Refused"),
    Code(
        "404",
        "40400",
        "Not found",
        "a report or a status: no such verification, or it has ended",
        _FAILED,
        "Misconfigured",
    ),
    Code("409", "40900", "Reference already defined", "our start has already arrived", _UNKNOWN, "Ambiguous"),
    Code("422", "42200", "Application name", "the application lacks a setting", _FAILED, "Misconfigured"),
    Code("422", "42201", "No route", "no route to the number", _FAILED, "DestinationUnavailable"),
    Code("429", "42900", "Request capacity exceeded", "the account's rate limit", _FAILED, "Throttled"),
    Code(
        "429",
        "42901",
        "Too quickly to the same number",
        "the number's own rate limit",
        _FAILED,
        "DestinationUnavailable",
    ),
    Code("500", "50000", "Internal server error", "a fault at Sinch", _UNKNOWN, "Doubtful"),
    Code("503", "50300", "Temporarily unavailable", "a fault at Sinch", _UNKNOWN, "Doubtful"),
    Code("503", "50301", "Configuration error", "contact Sinch's support", _FAILED, "Misconfigured"),
)
"""`errorCode`; `group` is the HTTP status, its first three digits."""

STATUSES: tuple[Code, ...] = (
    Code("status", "", "PENDING", "under way", _ACCEPTED),
    Code("status", "", "SUCCESSFUL", "the user typed the code, so it arrived", _DELIVERED),
    Code("status", "", "FAIL", "it ended without the code; the reason says why", _ACCEPTED),
    Code("status", "", "DENIED", "never sent; the reason says why", _FAILED),
    Code("status", "", "ABORTED", "a newer start of the same number ended it", _ACCEPTED),
    Code("status", "", "ERROR", "not delivered; the reason says why", _FAILED),
)
"""`status` of a verification, and of a VerificationResultEvent."""

REASONS: tuple[Code, ...] = (
    Code("reason", "", "Fraud", "stopped as fraud", _FAILED, "Refused"),
    Code("reason", "", "Not enough credit", "the account has no credit", _FAILED, "Misconfigured"),
    Code("reason", "", "Blocked", "the number is blocked", _FAILED, "Refused"),
    Code("reason", "", DENIED_BY_CALLBACK, "our own webhook denied it", _FAILED, "Refused"),
    Code("reason", "", "Invalid callback", "our webhook's answer was unusable", _FAILED, "Misconfigured"),
    Code("reason", "", "Destination denied", "destination not allowed", _FAILED, "DestinationUnavailable"),
    Code("reason", "", "Internal error", "a fault at Sinch", _FAILED, "Doubtful"),
    Code(
        "reason",
        "",
        "Network error or number unreachable",
        "the phone or its network did not answer",
        _FAILED,
        "DestinationUnavailable",
    ),
    Code(
        "reason", "", "SMS delivery failure", "the SMS was not delivered", _FAILED, "DestinationUnavailable"
    ),
    Code("reason", "", "Failed pending", "it never left the state PENDING", _UNKNOWN),
    Code("reason", "", "Invalid CLI", "wrong number of a flash call", _ACCEPTED),
    Code("reason", "", "Invalid code", "the code was wrong too often", _ACCEPTED),
    Code("reason", "", "Expired", "its validity ended", _ACCEPTED),
    Code("reason", "", "Hung up without entering valid code", "a call without the code", _ACCEPTED),
)
"""`reason` of a verification that ended without the code."""

EVENTS: tuple[Code, ...] = (
    Code("smsResult", "", "Successful", "the operator's receipt came", _DELIVERED),
    Code("smsResult", "", "Failed", "the operator's receipt says no", _FAILED),
    Code("callResult", "", "ANSWERED", "the call was answered", _DELIVERED),
    Code("callResult", "", "COMPLETED", "the call was answered and completed", _DELIVERED),
    Code("callResult", "", "CANCEL", "the call ended before it was answered", _FAILED),
    Code("callResult", "", "NO_ANSWER", "nobody answered the call", _FAILED),
    Code("callResult", "", "BUSY", "the line was busy", _FAILED),
    Code("callResult", "", "FAILED", "the call failed", _FAILED),
)
"""`smsResult` of a VerificationSmsDeliveredEvent, and `callResult` of a call's status."""

# One code, 40303, has two rows; the adapter distinguishes them by the message.
_ERRORS = {code.id: code for code in reversed(ERRORS)}
REASON_NAMES = frozenset(code.name for code in REASONS)
_DELIVERIES = {code.name: code.delivery for code in (*STATUSES, *EVENTS)}


def delivery_of(name: str) -> Delivery | None:
    """The delivery that a `status` or an `smsResult` reports; None if it has no row."""
    return _DELIVERIES.get(name)


def failed(code: str | None) -> Code | None:
    """The row of an `errorCode`, or None."""
    return None if code is None else _ERRORS.get(code)
