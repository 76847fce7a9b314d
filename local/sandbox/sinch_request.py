"""Parsing of request bodies for Sinch Verification, with Sinch's checks."""

import re
from dataclasses import dataclass
from typing import Any

from local.sandbox.json_body import json_object
from local.sandbox.sinch_errors import refusal
from local.sandbox.times import sinch_expiry

SMS, CALLOUT, FLASHCALL, SEAMLESS, WHATSAPP = "sms", "callout", "flashcall", "seamless", "whatsapp"
CHANNELS = {SMS: "sms", CALLOUT: "voice", FLASHCALL: "flashcall", WHATSAPP: "whatsapp"}
"""Sinch's method -> the channel in the inbox."""
METHODS = (*CHANNELS, SEAMLESS)
DEFAULT_EXPIRY_SECONDS = 600
"""Undocumented at Sinch; long enough that the service's verification expires first."""

_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")
_REFERENCE = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@-]+")
_LONGEST_CUSTOM = 4096
_CODE_TYPES = ("Numeric", "Alpha", "Alphanumeric")
_OPTIONS = {SMS: "smsOptions", WHATSAPP: "whatsappOptions"}
# A flash call is reported by its caller number, under field names of its own.
_REPORTS = {FLASHCALL: ("flashCall", "cli")}


@dataclass(frozen=True, slots=True)
class Start:
    """A valid start. `number` is E.164."""

    number: str
    method: str
    reference: str | None
    custom: str | None
    expiry_seconds: int
    code_type: str


def named_endpoint(body: bytes) -> object:
    """The unchecked endpoint of a body, for the call log, which takes any body."""
    identity = (json_object(body) or {}).get("identity")
    return identity.get("endpoint") if isinstance(identity, dict) else None


def parse_start(body: bytes) -> Start:
    """Parse and check a start. Raises `Refusal` with Sinch's 400."""
    start = _object(body)
    identity = _part(start, "identity")
    if identity.get("type") != "number":
        raise refusal(40001, "Identity type must be number.")
    number = checked_number(identity.get("endpoint"))
    method = start.get("method")
    if method not in METHODS:
        raise refusal(40001, f"Method must be one of {', '.join(METHODS)}.")
    reference, custom = start.get("reference"), start.get("custom")
    if reference is not None and not (isinstance(reference, str) and _REFERENCE.fullmatch(reference)):
        raise refusal(40001, "Reference must be safe in a URL's path.")
    if custom is not None and not (isinstance(custom, str) and len(custom) <= _LONGEST_CUSTOM):
        raise refusal(40001, f"Custom must be a string of at most {_LONGEST_CUSTOM} characters.")
    options = _part(start, _OPTIONS.get(method, "calloutOptions"))
    code_type = options.get("codeType", "Numeric")
    if code_type not in _CODE_TYPES:
        raise refusal(40001, f"Code type must be one of {', '.join(_CODE_TYPES)}.")
    return Start(number, method, reference, custom, _expiry(options), code_type)


def checked_number(endpoint: object) -> str:
    """An E.164 number with its plus sign. Raises `Refusal`."""
    if not isinstance(endpoint, str) or not endpoint:
        raise refusal(40002)
    if not endpoint.startswith("+"):
        raise refusal(40005)
    if not _NUMBER.fullmatch(endpoint):
        raise refusal(40001, f"Number {endpoint} is invalid.")
    return endpoint


def reported_code(body: bytes, method: str) -> str:
    """The code in a report on a verification by `method`. Raises `Refusal`."""
    report = _object(body)
    if report.get("method") != method:
        raise refusal(40003)
    part, field = _REPORTS.get(method, (method, "code"))
    code = _part(report, part).get(field)
    if not isinstance(code, str) or not code:
        raise refusal(40002, "Code parameter is missing.")
    return code


def _object(body: bytes) -> dict[str, Any]:
    parsed = json_object(body)
    if parsed is None:
        raise refusal(40001, "Request body must be a JSON object.")
    return parsed


def _expiry(options: dict[str, Any]) -> int:
    if "expiry" not in options:
        return DEFAULT_EXPIRY_SECONDS
    try:
        return sinch_expiry(options["expiry"])
    except (TypeError, ValueError):
        raise refusal(40001, "Expiry must be of the form HH:MM:SS.") from None


def _part(whole: dict[str, Any], name: str) -> dict[str, Any]:
    part = whole.get(name, {})
    if not isinstance(part, dict):
        raise refusal(40001, f"{name} must be a JSON object.")
    return part
