"""Infobip's codes: the registry of message statuses, and the codes in answers of the 2FA API.

Sources: Infobip, "Response status and error codes", general and voice statuses; 2FA API, OpenAPI 3.210.0.
A send's answer has a status under `smsStatus` or `callStatus`, a report has it under `status`. Ids are not
unique: 87 is three statuses, distinguished by name.
"""

from collections.abc import Mapping
from typing import Any

from sms_otp.adapters.providers.codes import Code
from sms_otp.domain.provider import Delivery

_ACCEPTED, _DELIVERED, _FAILED, _UNKNOWN = (
    Delivery.ACCEPTED,
    Delivery.DELIVERED,
    Delivery.FAILED,
    Delivery.UNKNOWN,
)

PENDING, UNDELIVERABLE, DELIVERED, EXPIRED, REJECTED = (
    "1 PENDING",
    "2 UNDELIVERABLE",
    "3 DELIVERED",
    "4 EXPIRED",
    "5 REJECTED",
)

STATUSES: tuple[Code, ...] = (
    Code(PENDING, "3", "PENDING_WAITING_DELIVERY", "with the operator, no report yet", _ACCEPTED),
    Code(PENDING, "7", "PENDING_ENROUTE", "passed on to the operator", _ACCEPTED),
    Code(PENDING, "26", "PENDING_ACCEPTED", "accepted by Infobip", _ACCEPTED),
    Code(
        UNDELIVERABLE,
        "4",
        "UNDELIVERABLE_REJECTED_OPERATOR",
        "the operator refused the message",
        _FAILED,
        "DestinationUnavailable",
    ),
    Code(
        UNDELIVERABLE,
        "9",
        "UNDELIVERABLE_NOT_DELIVERED",
        "not delivered, such as to a phone that cannot be reached",
        _FAILED,
        "DestinationUnavailable",
    ),
    Code(UNDELIVERABLE, "31", "UNDELIVERABLE_NOT_SENT", "not sent", _FAILED, "NotSent"),
    Code(UNDELIVERABLE, "96", "NO_ANSWER", "nobody answered the call", _FAILED, "DestinationUnavailable"),
    Code(UNDELIVERABLE, "97", "BUSY", "the line was busy", _FAILED, "DestinationUnavailable"),
    Code(
        UNDELIVERABLE,
        "98",
        "CANCELLED",
        "the call ended before it reached the phone",
        _FAILED,
        "DestinationUnavailable",
    ),
    # The group says delivered; Infobip's page on statuses calls this one intermediate.
    Code(DELIVERED, "2", "DELIVERED_TO_OPERATOR", "with the operator, not yet on the phone", _ACCEPTED),
    Code(DELIVERED, "5", "DELIVERED_TO_HANDSET", "on the phone", _DELIVERED),
    Code(
        EXPIRED,
        "15",
        "EXPIRED_EXPIRED",
        "still with the operator when its validity ended",
        _FAILED,
        "DestinationUnavailable",
    ),
    Code(EXPIRED, "29", "EXPIRED_DLR_UNKNOWN", "no report came in time", _UNKNOWN, "Ambiguous"),
    # Refused: another provider would send what the owner's fraud protection has just stopped.
    Code(EXPIRED, "87", "SIGNALS_BLOCKED", "stopped as fraud, and charged", _FAILED, "Refused"),
    Code(
        REJECTED,
        "6",
        "REJECTED_NETWORK",
        "the network is not covered, or not set up",
        _FAILED,
        "DestinationUnavailable",
    ),
    Code(REJECTED, "8", "REJECTED_PREFIX_MISSING", "no such prefix, or wrong length", _FAILED, "Refused"),
    Code(REJECTED, "10", "REJECTED_DND", "the number is on a do-not-disturb registry", _FAILED, "Refused"),
    Code(REJECTED, "11", "REJECTED_SOURCE", "the sender is not registered", _FAILED, "Misconfigured"),
    Code(
        REJECTED, "12", "REJECTED_NOT_ENOUGH_CREDITS", "the account has no credit", _FAILED, "Misconfigured"
    ),
    Code(REJECTED, "13", "REJECTED_SENDER", "the sender is on your blocklist", _FAILED, "Misconfigured"),
    Code(
        REJECTED,
        "14",
        "REJECTED_DESTINATION_BLOCKLISTED",
        "the number is on a blocklist, the operator's or yours",
        _FAILED,
        "Refused",
    ),
    Code(
        REJECTED,
        "17",
        "REJECTED_PREPAID_PACKAGE_EXPIRED",
        "the account's credit has expired",
        _FAILED,
        "Misconfigured",
    ),
    Code(
        REJECTED,
        "18",
        "REJECTED_DESTINATION_NOT_REGISTERED",
        "a trial account sends to its registered number only",
        _FAILED,
        "Misconfigured",
    ),
    Code(
        REJECTED,
        "19",
        "REJECTED_ROUTE_NOT_AVAILABLE",
        "the account has no route to the number",
        _FAILED,
        "DestinationUnavailable",
    ),
    Code(
        REJECTED,
        "20",
        "REJECTED_FLOODING_FILTER",
        "too many messages to the number within an hour",
        _FAILED,
        "DestinationUnavailable",
    ),
    Code(REJECTED, "21", "REJECTED_SYSTEM_ERROR", "a fault at Infobip", _FAILED, "NotSent"),
    Code(
        REJECTED,
        "23",
        "REJECTED_DUPLICATE_MESSAGE_ID",
        "a message with this id came before",
        _UNKNOWN,
        "Ambiguous",
    ),
    Code(REJECTED, "24", "REJECTED_INVALID_UDH", "the header is not well formed", _FAILED, "Misconfigured"),
    Code(
        REJECTED,
        "25",
        "REJECTED_MESSAGE_TOO_LONG",
        "more than 25 parts or 4000 bytes",
        _FAILED,
        "Misconfigured",
    ),
    Code(REJECTED, "51", "MISSING_TO", "the request names no number", _FAILED, "Misconfigured"),
    Code(REJECTED, "52", "REJECTED_DESTINATION", "no such number", _FAILED, "Refused"),
    Code(REJECTED, "87", "SIGNALS_BLOCKED", "stopped as fraud", _FAILED, "Refused"),
    Code(REJECTED, "99", "REJECTED", "the user declined the call", _FAILED, "DestinationUnavailable"),
    Code(
        REJECTED,
        "100",
        "UNDELIVERABLE_REJECTED_PLATFORM",
        "malformed, or Infobip is down for now",
        _FAILED,
        "NotSent",
    ),
    Code(
        REJECTED, "53", "REJECTED_INVALID_AUDIO_FILE_URL", "voice: the audio's URL", _FAILED, "Misconfigured"
    ),
    Code(REJECTED, "54", "REJECTED_UNSUPPORTED_LANGUAGE", "voice: the language", _FAILED, "Misconfigured"),
    Code(REJECTED, "55", "REJECTED_MESSAGE_IS_EMPTY", "voice: no text", _FAILED, "Misconfigured"),
    Code(REJECTED, "56", "REJECTED_INVALID_NOTIFY_URL", "voice: notifyUrl", _FAILED, "Misconfigured"),
    Code(
        REJECTED,
        "57",
        "REJECTED_INVALID_NOTIFY_CONTENT_TYPE",
        "voice: notifyContentType",
        _FAILED,
        "Misconfigured",
    ),
    Code(
        REJECTED, "58", "REJECTED_INVALID_DTMF_SIGN", "voice: the key that repeats", _FAILED, "Misconfigured"
    ),
    Code(
        REJECTED, "59", "REJECTED_INVALID_DTMF_TIMEOUT", "voice: the wait for a key", _FAILED, "Misconfigured"
    ),
    Code(REJECTED, "60", "REJECTED_INVALID_RING_TIMEOUT", "voice: ringing time", _FAILED, "Misconfigured"),
    Code(REJECTED, "61", "REJECTED_INVALID_CALL_TIMEOUT", "voice: the call's time", _FAILED, "Misconfigured"),
    Code(
        REJECTED,
        "62",
        "REJECTED_INVALID_MACHINE_DETECTION",
        "voice: machine detection's setting",
        _FAILED,
        "Misconfigured",
    ),
    Code(REJECTED, "63", "REJECTED_INVALID_ACTIONS", "voice: actions", _FAILED, "Misconfigured"),
    Code(REJECTED, "64", "REJECTED_INVALID_ACTION_GROUPS", "voice: action groups", _FAILED, "Misconfigured"),
    Code(
        REJECTED,
        "83",
        "REJECTED_MACHINE_DETECTION_DISABLED",
        "voice: machine detection is off",
        _FAILED,
        "Misconfigured",
    ),
    Code(
        REJECTED,
        "87",
        "REJECTED_INVALID_DELIVERY_TIME_WINDOW",
        "voice: a delivery window under an hour",
        _FAILED,
        "Misconfigured",
    ),
    Code(REJECTED, "91", "REJECTED_INVALID_SSML", "voice: the text's SSML", _FAILED, "Misconfigured"),
)
"""The registry, general statuses first."""

ANSWERS: tuple[Code, ...] = (
    Code("smsStatus", "", "MESSAGE_SENT", "accepted by Infobip", _ACCEPTED),
    Code("smsStatus", "", "MESSAGE_NOT_SENT", "not sent", _FAILED, "NotSent"),
    Code("ncStatus", "", "NC_DESTINATION_REACHABLE", "the number lookup found the phone", _ACCEPTED),
    Code("ncStatus", "", "NC_DESTINATION_UNKNOWN", "no number lookup, or no result", _ACCEPTED),
    Code("ncStatus", "", "NC_NOT_CONFIGURED", "the account has no number lookup", _ACCEPTED),
    # Infobip's reference lists the first spelling, and uses the second in a sentence of that page.
    Code("ncStatus", "", "NC_DESTINATION_NOT_REACHABLE", "the number cannot be reached", _FAILED, "Refused"),
    Code("ncStatus", "", "NC_NOT_REACHABLE", "the number cannot be reached", _FAILED, "Refused"),
)
"""Statuses in a 200 to a send that are not in the registry."""

ERRORS: tuple[Code, ...] = (
    Code("400", "E400", "BAD_REQUEST", "the request is refused as it stands", _FAILED, "Misconfigured"),
    Code("401", "E401", "UNAUTHORIZED", "the key is refused", _FAILED, "Misconfigured"),
    Code("403", "E403", "FORBIDDEN", "the key lacks a scope", _FAILED, "Misconfigured"),
    Code("404", "E404", "NOT_FOUND", "no such application, template or PIN", _FAILED, "Misconfigured"),
    Code("404", "", "RESOURCE_NOT_FOUND", "no such application or template", _FAILED, "Misconfigured"),
    # One body for three limits; the one that a deployment meets is the number's, three a day.
    Code(
        "429",
        "E429",
        "TOO_MANY_REQUESTS",
        "the limit of the number or the application is reached",
        _FAILED,
        "DestinationUnavailable",
    ),
    Code("500", "E500", "GENERAL_ERROR", "a fault at Infobip", _UNKNOWN, "Doubtful"),
)
"""`messageId` of an error; `id` is the `errorCode` of newer endpoints."""

_NOT_SENT = Code("", "", "not_sent", "", _FAILED, "NotSent")
_GROUPS = {1: _ACCEPTED, 2: _FAILED, 3: _DELIVERED, 4: _FAILED, 5: _FAILED}
_BY_NAME = {code.name: code for code in (*ANSWERS, *STATUSES)}
_ERRORS = {name: code for code in ERRORS for name in (code.name, code.id) if name}
_BY_ID = {code.id: code for code in reversed(STATUSES)}


def named(name: str) -> Code | None:
    """The row of a `smsStatus`, `callStatus` or `ncStatus`. A rejection without a row was not sent."""
    if name.startswith(("REJECTED_", "UNDELIVERABLE_")):
        return _BY_NAME.get(name, _NOT_SENT)
    return _BY_NAME.get(name)


def failed(code: str | None) -> Code | None:
    """The row of an error's `messageId` or `errorCode`, or None."""
    return None if code is None else _ERRORS.get(code)


def reported(status: Mapping[str, Any]) -> Code | None:
    """The row of a report's `status` by its id, else a row with its group's delivery, else None."""
    by_id = _BY_ID.get(str(status.get("id"))) if type(status.get("id")) is int else None
    if by_id is not None:
        return by_id
    group = status.get("groupId")
    delivery = _GROUPS.get(group) if type(group) is int else None
    return Code("", "", "", "", delivery) if delivery else None
