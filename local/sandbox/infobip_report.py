"""Infobip's delivery reports: an SMS `DELIVERY` event, version 3, as Subscriptions posts it.

The sandbox authenticates by BASIC only; the header of HMAC is not documented.
"""

import base64
import json
from datetime import UTC, datetime
from typing import Any

from local.sandbox.callbacks import Callbacks

# `status` and `error` of a report, values of Infobip.
_DELIVERED = (
    (3, "DELIVERED", 5, "DELIVERED_TO_HANDSET", "Message delivered to handset"),
    (0, "OK", 0, "NO_ERROR", "No Error"),
)
_FAILED = (
    (2, "UNDELIVERABLE", 9, "UNDELIVERABLE_NOT_DELIVERED", "Message sent not delivered"),
    (1, "HANDSET_ERRORS", 1, "EC_UNKNOWN_SUBSCRIBER", "Unknown Subscriber"),
)
_KEYS = ("groupId", "groupName", "id", "name", "description")


def post(callbacks: Callbacks, message_id: str, to: str, status: str, *, sent: float, now: float) -> None:
    """Post the report of a message to `to` (digits), if a callback is set. Times: seconds since the epoch."""
    target = callbacks.target("infobip")
    if target is None:
        return
    body = json.dumps({"results": [_result(message_id, to, status, sent, now)]}).encode()
    headers = {"Content-Type": "application/json"}
    if target.username:
        headers |= basic(target.username, target.password)
    callbacks.post(target.url, body, headers)


def basic(username: str, password: str) -> dict[str, str]:
    """The HTTP Basic authorization header."""
    pair = base64.b64encode(f"{username}:{password}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


def _result(message_id: str, to: str, status: str, sent: float, now: float) -> dict[str, Any]:
    outcome, error = _DELIVERED if status == "delivered" else _FAILED
    return {
        "bulkId": f"BULK-{message_id}",
        "messageId": message_id,
        "to": to,
        "sender": "Sandbox",
        "sentAt": _time(sent),
        "doneAt": _time(now),
        "messageCount": 1,
        "price": {"pricePerMessage": 0.01, "currency": "EUR"},
        "status": dict(zip(_KEYS, outcome, strict=True)),
        "error": dict(zip(_KEYS, error, strict=True)) | {"permanent": status == "failed"},
    }


def _time(seconds: float) -> str:
    """`2019-11-09T16:00:00.000+0000`."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "+0000")
