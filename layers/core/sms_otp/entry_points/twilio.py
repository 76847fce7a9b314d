"""An API for clients of Twilio Verify v2: its forms, answers and errors over our own use cases.

`docs/twilio.md` lists, call by call, what is equal and what differs.
Sources: verify v2 in twilio/twilio-oai, and Twilio's pages on its errors.
"""

import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote

from sms_otp.domain import errors
from sms_otp.domain.clock import Seconds, seconds
from sms_otp.domain.commands import Caller, RequestOtp, VerifyOtp
from sms_otp.domain.phone import E164
from sms_otp.domain.provider import Channel
from sms_otp.entry_points import bootstrap, http
from sms_otp.use_cases.by_number import Named

_INVALID = (400, 60200, "Invalid parameter")
_GONE = (404, 20404, "The requested resource was not found")
_CHECKS = (429, 60202, "Max check attempts reached")

# errorCode -> (status, Twilio's code, its message)
WORDS: Mapping[str, tuple[int, int, str]] = {
    "INVALID_REQUEST": _INVALID,
    "INVALID_PHONE_NUMBER": _INVALID,
    # A code of 4 to 10 digits with another length than CodeLength is answered as a wrong code.
    "INVALID_OTP_FORMAT": _INVALID,
    "DESTINATION_NOT_ALLOWED": (403, 60205, "SMS is not supported by this kind of number"),
    "VERIFICATION_NOT_FOUND": _GONE,
    "ALREADY_VERIFIED": _GONE,
    "OTP_EXPIRED": _GONE,
    "VERIFICATION_CANCELLED": _GONE,
    "REQUEST_IN_PROGRESS": (429, 60212, "Too many concurrent requests for this number"),
    "PROVIDER_REJECTED": (403, 60410, "Verification delivery to this number is blocked"),
    "CHALLENGE_REQUIRED": (403, 60410, "Verification delivery to this number is blocked"),
    "NUMBER_DISABLED": (403, 60410, "Verification delivery to this number is blocked"),
    "RATE_LIMITED": (429, 60203, "Max send attempts reached"),
    "TOO_MANY_ATTEMPTS": _CHECKS,
    "NUMBER_LOCKED": _CHECKS,
    "PROVIDER_UNAVAILABLE": (503, 20503, "Service unavailable"),
    "SENDING_STOPPED": (503, 20503, "Service unavailable"),
}
COUNTRY = (403, 60605, "Codes are not sent to this country")
BY_REASON: Mapping[str, tuple[int, int, str]] = {
    "country": COUNTRY,
    "no country": COUNTRY,
    "channel": (400, 60223, "Delivery channel disabled"),
}
"""`DESTINATION_NOT_ALLOWED` by its reason, if that is not the kind of number."""
OTHERWISE = (500, 20500, "Internal server error")
"""For all other errors: internal ones, and those that cannot happen on these routes."""

_WAIT = (429, 503)
_MORE_INFO = "https://www.twilio.com/docs/errors/"

IGNORED = frozenset(
    (
        "ChannelConfiguration",
        "CustomFriendlyName",
        "EnableSnaClientToken",
        "RateLimits",
        "RiskCheck",
        "Tags",
        "TemplateCustomSubstitutions",
        "TemplateSid",
    )
)
"""Parameters of a start that are accepted without effect: they do not change what its verification means."""
_START = frozenset(("To", "Channel", "Locale", "DeviceIp", "AppHash")) | IGNORED
_CHECK = frozenset(("To", "VerificationSid", "Code"))

_SERVICE = re.compile("VA[0-9a-fA-F]{32}")
_SID = re.compile("VE[0-9a-f]{32}")
_ACCOUNT = re.compile("AC[0-9a-fA-F]{32}")
_CODE = re.compile("[0-9]{4,10}")
_LOCALE = re.compile("[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_APP_HASH = re.compile("[A-Za-z0-9+/]{11}")
_LONGEST = 64
"""Characters of a parameter: more than any number, sid, code, address or locale has."""

_CHANNELS = {"call": "voice"}
"""Twilio's name of a channel -> our name, where they differ."""
_TWILIOS = {ours: theirs for theirs, ours in _CHANNELS.items()}

Form = Mapping[str, str]


def _start(event: http.Event, caller: Caller) -> http.Body:
    # Imported here: the functions that only check, fetch or cancel do not send.
    from sms_otp.use_cases.start import start

    form = _form(event, _START)
    locale = form.get("Locale")
    if locale and not _LOCALE.fullmatch(locale):
        raise _invalid("Locale")
    app_hash = form.get("AppHash")
    if app_hash and not _APP_HASH.fullmatch(app_hash):
        raise _invalid("AppHash")
    command = RequestOtp(
        phone_number=_required(form, "To"),
        channel=_channel(_required(form, "Channel")),
        locale=locale or None,
        client_ip=form.get("DeviceIp") or None,
        app_hash=app_hash or None,
    )
    named = start(bootstrap.service(), bootstrap.by_number(), command, caller)
    return _verification(event, named, "pending", _now())


def _check(event: http.Event, caller: Caller) -> http.Body:
    form = _form(event, _CHECK)
    code = _required(form, "Code")
    if not _CODE.fullmatch(code):
        raise _invalid("Code")
    to, sid = form.get("To"), form.get("VerificationSid")
    if not to and not sid:
        raise _invalid("To")
    # Imported here: the functions that only send, fetch or cancel do not check codes.
    from sms_otp.use_cases.verify import verify_code

    named = bootstrap.by_number().find(_name(sid or to), caller)
    try:
        # Twilio's answer has no field for a token.
        command = VerifyOtp(named.sid, code, phone_number=to or None, with_token=False)
        verify_code(bootstrap.service(), command, caller)
    except (errors.OtpIncorrect, errors.InvalidOtpFormat):
        return _checked(event, named, "pending")
    return _checked(event, named, "approved")


def _fetch(event: http.Event, caller: Caller) -> http.Body:
    named = bootstrap.by_number().find_pending(_name_in_path(event), caller)
    return _verification(event, named, "pending", named.created_at)


def _update(event: http.Event, caller: Caller) -> http.Body:
    if _form(event, frozenset(("Status",))).get("Status") != "canceled":
        raise _invalid("Status")
    named = bootstrap.by_number().find_pending(_name_in_path(event), caller)
    bootstrap.lifecycle().cancel(named.sid, caller)
    return _verification(event, named, "canceled", _now())


def _form(event: http.Event, known: frozenset[str]) -> Form:
    """The body's parameters. Raises `InvalidRequest` for one that is repeated or not `known`."""
    content_type = http.header(event, "content-type").lower().split(";")[0].strip()
    if content_type != "application/x-www-form-urlencoded":
        raise _invalid("Content-Type")
    try:
        body = http.decoded_body(event)
        if len(body) > http.BODY_LIMIT:
            raise ValueError("too long")
        pairs = parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError:
        raise _invalid("body") from None
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names) or not known.issuperset(names):
        raise _invalid("body")
    return dict(pairs)


def _required(form: Form, name: str) -> str:
    value = form.get(name, "")
    if not value or len(value) > _LONGEST:
        raise _invalid(name)
    return value


def _channel(name: str) -> Channel:
    try:
        return Channel(_CHANNELS.get(name, name if name not in _TWILIOS else ""))
    except ValueError:
        raise _invalid("Channel") from None


def _name(name: str | None) -> str:
    """A sid or an E.164 number, as `ByNumber.find` takes it. Raises `VerificationNotFound` for others."""
    if name and (_SID.fullmatch(name) or E164.fullmatch(name)):
        return name
    raise errors.VerificationNotFound


def _name_in_path(event: http.Event) -> str:
    # Decoded by API Gateway or not, as the client spelled it; `unquote` keeps a plus sign.
    return _name(unquote(str(_path(event).get("Sid", ""))))


def _path(event: http.Event) -> Mapping[str, Any]:
    return event.get("pathParameters") or {}


def _account(event: http.Event) -> str | None:
    """The AccountSid in the credentials; None if they hold an API key's sid instead."""
    scheme, _, credentials = http.header(event, "authorization").partition(" ")
    try:
        name = base64.b64decode(credentials, validate=True).decode().partition(":")[0]
    except ValueError:
        return None
    return name if scheme.lower() == "basic" and _ACCOUNT.fullmatch(name) else None


def _checked(event: http.Event, named: Named, status: str) -> http.Body:
    return {
        "sid": named.sid,
        "service_sid": _path(event)["ServiceSid"],
        "account_sid": _account(event),
        "to": named.phone,
        "channel": _TWILIOS.get(named.channel, named.channel),
        "status": status,
        "valid": status == "approved",
        "amount": None,
        "payee": None,
        "sna_attempts_error_codes": None,
        "date_created": http.iso(named.created_at),
        "date_updated": http.iso(_now()),
    }


def _verification(event: http.Event, named: Named, status: str, updated_at: Seconds) -> http.Body:
    shown = _checked(event, named, status) | {"date_updated": http.iso(updated_at)}
    del shown["sna_attempts_error_codes"]
    context = event.get("requestContext") or {}
    service = _path(event)["ServiceSid"]
    path = f"/v2/Services/{service}/Verifications/{named.sid}"
    return shown | {
        "lookup": {},
        "sna": None,
        "send_code_attempts": [_attempt(named, shown["channel"])],
        "url": f"https://{context.get('domainName', 'localhost')}/{context.get('stage', '')}{path}",
    }


def _attempt(named: Named, channel: str) -> http.Body:
    """The newest send only: of the earlier ones the table has the count, not the times."""
    made = hashlib.sha256(f"{named.sid}-{named.sends}".encode()).hexdigest()
    return {"time": http.iso(named.created_at), "channel": channel, "attempt_sid": f"VL{made[:32]}"}


def _now() -> Seconds:
    return seconds(bootstrap.by_number().clock)


def _invalid(name: str) -> errors.InvalidRequest:
    return errors.InvalidRequest(errors=[{"pointer": name, "detail": "not of the accepted form"}])


def _failure(_event: http.Event, error: errors.OtpError, _request_id: str) -> http.Response:
    status, code, message = WORDS.get(error.code, OTHERWISE)
    if error.code == "DESTINATION_NOT_ALLOWED":
        status, code, message = BY_REASON.get(error.reason or "", (status, code, message))
    places = "".join(f": {place['pointer']}" for place in error.errors)
    body = {
        "code": code,
        "message": message + places,
        "more_info": f"{_MORE_INFO}{code}",
        "status": status,
    }
    waits = {"Retry-After": str(error.retry_after or http.DEFAULT_RETRY_AFTER)} if status in _WAIT else {}
    return http.response(status, "application/json", body, waits)


def _created(_event: http.Event, body: http.Body) -> http.Response:
    return http.response(201, "application/json", body)


def _success(_event: http.Event, body: http.Body) -> http.Response:
    return http.response(200, "application/json", body)


TWILIO = http.Renderer(_success, _failure)
STARTED = http.Renderer(_created, _failure)


def _route(
    act: Callable[[http.Event, Caller], http.Body], renderer: http.Renderer = TWILIO
) -> http.Route[http.Event, Caller, http.Body]:
    """A route whose command is the event: its answer repeats parts of the path and credentials."""
    return http.Route(_read, act, http.same, http.by_api_key, renderer)


def _read(event: http.Event) -> http.Event:
    if not _SERVICE.fullmatch(str(_path(event).get("ServiceSid", ""))):
        raise errors.VerificationNotFound
    return event


_ONE = "/v2/Services/{ServiceSid}/Verifications/{Sid}"
# method, path -> route
ROUTES: Mapping[tuple[str, str], http.Route[http.Event, Caller, http.Body]] = {
    ("POST", "/v2/Services/{ServiceSid}/Verifications"): _route(_start, STARTED),
    ("POST", "/v2/Services/{ServiceSid}/VerificationCheck"): _route(_check),
    ("GET", _ONE): _route(_fetch),
    ("POST", _ONE): _route(_update),
}


def route_of(event: http.Event) -> http.Route[http.Event, Caller, http.Body]:
    """The operation that was called."""
    return ROUTES[(event["httpMethod"], event["resource"])]
