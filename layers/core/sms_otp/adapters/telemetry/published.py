"""Makes events for an EventBridge bus from the functions' log lines.

The log has no full number and no code, and an event has even less: only the fields of `DETAIL`.
"""

import base64
import gzip
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

Line = Mapping[str, Any]
Entry = dict[str, Any]

SOURCE = "sms-otp"
VERSION = 1

DETAIL = {
    "verification": "verification",
    "tenant": "tenant",
    "country": "country",
    "channel": "channel",
    "provider": "provider",
    "purpose": "purpose",
    "reason": "reason",
    "seconds": "seconds",
}
"""Member of an event -> field of a line. A member whose field is missing is left out."""


def entries(event: Mapping[str, Any], bus: str) -> Iterator[Entry]:
    """Convert a delivery from CloudWatch Logs to entries for `events:PutEvents`."""
    delivered = json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))
    if delivered["messageType"] != "DATA_MESSAGE":
        return
    for logged in delivered["logEvents"]:
        line = _line(logged["message"])
        kind = type_of(line)
        if kind is None:
            continue
        made_at = datetime.fromtimestamp(logged["timestamp"] / 1000, UTC)
        members = {name: line[field] for name, field in DETAIL.items() if field in line}
        resent = {"resent": line["message"] == "otp_resent"} if kind == "otp.requested" else {}
        yield {
            "EventBusName": bus,
            "Source": SOURCE,
            "DetailType": kind,
            "Time": made_at,
            "Detail": json.dumps({"version": VERSION, "id": logged["id"], **members, **resent}),
        }


def type_of(line: Line) -> str | None:
    """The detail-type of a line's event, or None for a line that is not published."""
    if "verification" not in line:
        return None
    match line.get("message"):
        case "otp_requested" | "otp_resent":
            return "otp.requested"
        case "delivery_reported":
            return "otp.delivered" if line.get("delivered") else "otp.failed"
        case "otp_rejected":
            return "otp.failed"
        case "otp_verified":
            return "otp.verified"
        case "request_refused" if line.get("error_code") in ("NUMBER_LOCKED", "NUMBER_DISABLED"):
            return "number.locked"
    return None


def _line(text: str) -> Line:
    """Parse a log line; empty if it is not a JSON object, such as a line of the Lambda runtime."""
    try:
        line = json.loads(text)
    except ValueError:
        return {}
    return line if isinstance(line, dict) else {}
