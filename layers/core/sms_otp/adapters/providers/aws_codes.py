"""Codes of AWS End User Messaging SMS: exceptions, their reasons, and types of its events.

Source: botocore's model of `pinpoint-sms-voice-v2`, and "Event types" in the AWS user guide. A hundred
operations share the model's reasons; those that no send can get have no row.
"""

from sms_otp.adapters.providers.codes import Code
from sms_otp.domain.provider import Delivery

_ACCEPTED, _DELIVERED, _FAILED, _UNKNOWN = (
    Delivery.ACCEPTED,
    Delivery.DELIVERED,
    Delivery.FAILED,
    Delivery.UNKNOWN,
)

CONFLICT, QUOTA, DENIED, VALIDATION = (
    "ConflictException",
    "ServiceQuotaExceededException",
    "AccessDeniedException",
    "ValidationException",
)

EXCEPTIONS: tuple[Code, ...] = (
    Code(DENIED, "", "", "IAM refuses the call", _FAILED, "Misconfigured"),
    Code(CONFLICT, "", "", "the state of a resource", _FAILED, "Misconfigured"),
    Code(QUOTA, "", "", "a quota of the account", _FAILED, "Misconfigured"),
    Code(VALIDATION, "", "", "the request is refused as it stands", _FAILED, "Misconfigured"),
    Code("ResourceNotFoundException", "", "", "no such identity or set", _FAILED, "Misconfigured"),
    Code("ThrottlingException", "", "", "the account's rate limit", _FAILED, "Throttled"),
    Code("InternalServerException", "", "", "a fault at AWS", _UNKNOWN, "Doubtful"),
)
"""Exceptions without a `Reason`, or with one that has no row."""

REASONS: tuple[Code, ...] = (
    Code(DENIED, "", "INSUFFICIENT_ACCOUNT_REPUTATION", "the account's reputation", _FAILED, "Misconfigured"),
    Code(DENIED, "", "ACCOUNT_DISABLED", "the account is disabled", _FAILED, "Misconfigured"),
    Code(CONFLICT, "", "DESTINATION_PHONE_NUMBER_OPTED_OUT", "the number opted out", _FAILED, "Refused"),
    Code(
        CONFLICT,
        "",
        "DESTINATION_PHONE_NUMBER_BLOCKED_BY_PROTECT_NUMBER_OVERRIDE",
        "your own rule blocks the number",
        _FAILED,
        "Refused",
    ),
    Code(
        CONFLICT,
        "",
        "DESTINATION_COUNTRY_BLOCKED_BY_PROTECT_CONFIGURATION",
        "your own rule blocks the country",
        _FAILED,
        "DestinationUnavailable",
    ),
    Code(
        CONFLICT,
        "",
        "DESTINATION_PHONE_NUMBER_NOT_VERIFIED",
        "a sandbox account sends to verified numbers only",
        _FAILED,
        "Misconfigured",
    ),
    Code(CONFLICT, "", "NO_ORIGINATION_IDENTITIES_FOUND", "nothing to send from", _FAILED, "Misconfigured"),
    Code(CONFLICT, "", "MESSAGE_TYPE_MISMATCH", "not for transactional messages", _FAILED, "Misconfigured"),
    Code(CONFLICT, "", "NUMBER_CAPABILITIES_MISMATCH", "not for SMS", _FAILED, "Misconfigured"),
    Code(CONFLICT, "", "RESOURCE_NOT_ACTIVE", "the identity is not active", _FAILED, "Misconfigured"),
    Code(CONFLICT, "", "REGISTRATION_NOT_COMPLETE", "the identity's registration", _FAILED, "Misconfigured"),
    Code(
        CONFLICT,
        "",
        "PROTECT_CONFIGURATION_NOT_ASSOCIATED_WITH_CONFIGURATION_SET",
        "the set has another protect configuration",
        _FAILED,
        "Misconfigured",
    ),
    Code(
        QUOTA,
        "",
        "MONTHLY_SPEND_LIMIT_REACHED_FOR_TEXT",
        "the account's spend limit",
        _FAILED,
        "Misconfigured",
    ),
    Code(VALIDATION, "", "COUNTRY_NOT_ENABLED", "no sends to the country", _FAILED, "DestinationUnavailable"),
    Code(
        VALIDATION,
        "",
        "DESTINATION_COUNTRY_BLOCKED",
        "no sends to the country",
        _FAILED,
        "DestinationUnavailable",
    ),
    Code(
        VALIDATION,
        "",
        "PRICE_OVER_THRESHOLD",
        "the price is over maxPrice",
        _FAILED,
        "DestinationUnavailable",
    ),
    Code(
        VALIDATION,
        "",
        "SENDER_ID_NOT_SUPPORTED",
        "the country takes no sender ids",
        _FAILED,
        "DestinationUnavailable",
    ),
    Code(
        VALIDATION,
        "",
        "SENDER_ID_REQUIRES_REGISTRATION",
        "the country takes registered sender ids only",
        _FAILED,
        "DestinationUnavailable",
    ),
    Code(
        VALIDATION,
        "",
        "INVALID_IDENTITY_FOR_DESTINATION_COUNTRY",
        "the identity cannot send there",
        _FAILED,
        "DestinationUnavailable",
    ),
    Code(
        VALIDATION,
        "",
        "INTERNATIONAL_SENDING_NOT_SUPPORTED",
        "the identity sends within its country only",
        _FAILED,
        "DestinationUnavailable",
    ),
    Code(VALIDATION, "", "SENDER_ID_NOT_REGISTERED", "the sender id is not yours", _FAILED, "Misconfigured"),
    Code(VALIDATION, "", "CHANNEL_NOT_ENABLED", "SMS is off", _FAILED, "Misconfigured"),
    Code(
        VALIDATION,
        "",
        "RESOURCE_NOT_ACCESSIBLE",
        "the identity is another account's",
        _FAILED,
        "Misconfigured",
    ),
    Code(VALIDATION, "", "CANNOT_PARSE", "the request cannot be read", _FAILED, "Misconfigured"),
    Code(VALIDATION, "", "FIELD_VALIDATION_FAILED", "a field; the number: Refused", _FAILED, "Misconfigured"),
    Code(VALIDATION, "", "INVALID_ARN", "an invalid ARN", _FAILED, "Misconfigured"),
    Code(VALIDATION, "", "INVALID_PARAMETER", "a parameter; the number: Refused", _FAILED, "Misconfigured"),
    Code(VALIDATION, "", "INVALID_REQUEST", "an invalid request", _FAILED, "Misconfigured"),
    Code(VALIDATION, "", "MAXIMUM_SIZE_EXCEEDED", "the text is too long", _FAILED, "Misconfigured"),
    Code(VALIDATION, "", "MISSING_PARAMETER", "a parameter is missing", _FAILED, "Misconfigured"),
    Code(VALIDATION, "", "PARAMETERS_CANNOT_BE_USED_TOGETHER", "two parameters", _FAILED, "Misconfigured"),
    Code(VALIDATION, "", "UNSPECIFIED_PARAMETER_NOT_SUPPORTED", "a parameter", _FAILED, "Misconfigured"),
    Code(VALIDATION, "", "UNKNOWN_OPERATION", "no such operation", _FAILED, "Misconfigured"),
    Code(VALIDATION, "", "OTHER", "no reason of its own", _FAILED, "Misconfigured"),
)
"""`Reason` of an exception, those that a send can get."""

EVENTS: tuple[Code, ...] = (
    Code("eventType", "", "TEXT_QUEUED", "accepted by AWS", _ACCEPTED),
    Code("eventType", "", "TEXT_PENDING", "being sent", _ACCEPTED),
    Code("eventType", "", "TEXT_SENT", "passed on to the carrier", _ACCEPTED),
    Code("eventType", "", "TEXT_SUCCESSFUL", "accepted by the carrier; many report no more", _ACCEPTED),
    Code("eventType", "", "TEXT_DELIVERED", "on the phone", _DELIVERED),
    Code("eventType", "", "TEXT_INVALID", "no such number", _FAILED, "Refused"),
    Code("eventType", "", "TEXT_INVALID_MESSAGE", "the text is refused", _FAILED, "Misconfigured"),
    Code("eventType", "", "TEXT_UNREACHABLE", "the phone is off or away", _FAILED, "DestinationUnavailable"),
    Code(
        "eventType",
        "",
        "TEXT_CARRIER_UNREACHABLE",
        "the carrier cannot be reached",
        _FAILED,
        "DestinationUnavailable",
    ),
    Code("eventType", "", "TEXT_BLOCKED", "the phone takes no SMS", _FAILED, "DestinationUnavailable"),
    Code("eventType", "", "TEXT_CARRIER_BLOCKED", "the carrier blocks it", _FAILED, "DestinationUnavailable"),
    Code("eventType", "", "TEXT_SPAM", "the carrier regards it as spam", _FAILED, "DestinationUnavailable"),
    Code("eventType", "", "TEXT_TTL_EXPIRED", "its validity ended", _FAILED, "DestinationUnavailable"),
    Code("eventType", "", "TEXT_PROTECT_BLOCKED", "your own rule blocks it", _FAILED, "Refused"),
    Code("eventType", "", "TEXT_UNKNOWN", "no report came in time", _UNKNOWN),
)
"""`eventType` of an event about a text message."""

CONTEXT = "reference"
"""The key of our reference in a message's `Context`, which its events repeat as `context`."""

_BY_EXCEPTION = {(code.group, code.name): code for code in (*EXCEPTIONS, *REASONS)}
_DELIVERIES = {code.name: code.delivery for code in EVENTS}


def delivery_of(event_type: str) -> Delivery | None:
    """The delivery that an event type reports; None if it has no row."""
    return _DELIVERIES.get(event_type)


def failed(exception: str, reason: str) -> Code | None:
    """The row of an exception: that of its `Reason`, else its own, else None."""
    return _BY_EXCEPTION.get((exception, reason)) or _BY_EXCEPTION.get((exception, ""))
