"""HTTP: from API Gateway's event to its response. The statuses of our own API are decided here alone."""

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from sms_otp.adapters import config
from sms_otp.adapters.config import Settings
from sms_otp.adapters.telemetry import events
from sms_otp.domain import errors, strict_json
from sms_otp.domain.clock import Deadline, Seconds
from sms_otp.domain.commands import Callback, Caller, Requested
from sms_otp.domain.ports import StoreError, TokenError
from sms_otp.entry_points import schemas
from sms_otp.use_cases.administration import Administrator

Event = Mapping[str, Any]
Body = dict[str, Any]
Response = dict[str, Any]
Command = TypeVar("Command")
Who = TypeVar("Who")
Result = TypeVar("Result")

TWILIO_PATHS = "/v2/Services/"
BODY_LIMIT = 4096
"""Bytes. The longest body that the schemas allow is well below."""
RESERVE_SECONDS = 12.5
"""Part of the Lambda's time that the deadline leaves free, so that a call begun at the last moment can run
to its timeout, be stored and be answered. `tests/unit/test_time_budget.py` adds it up."""

# errorCode -> (status, title). RFC 9457: the title is the same for every occurrence.
PROBLEMS: dict[str, tuple[int, str]] = {
    "INVALID_REQUEST": (400, "Invalid request"),
    "INVALID_PHONE_NUMBER": (400, "Invalid phone number"),
    "INVALID_OTP_FORMAT": (400, "Invalid OTP format"),
    "OTP_INCORRECT": (400, "Incorrect code"),
    # API Gateway's own answer to an unknown caller has this title too, at 401 and 403.
    "FORBIDDEN": (401, "Forbidden"),
    "DESTINATION_NOT_ALLOWED": (403, "Destination not allowed"),
    "NUMBER_DISABLED": (403, "Number disabled"),
    "CHALLENGE_REQUIRED": (403, "Challenge required"),
    "VERIFICATION_NOT_FOUND": (404, "Verification not found"),
    "ALREADY_VERIFIED": (409, "Already verified"),
    "REQUEST_IN_PROGRESS": (409, "Request in progress"),
    "OTP_EXPIRED": (410, "Code expired"),
    "VERIFICATION_CANCELLED": (410, "Verification cancelled"),
    "IDEMPOTENCY_KEY_REUSED": (422, "Idempotency-Key reused"),
    "PROVIDER_REJECTED": (422, "Number rejected"),
    "RATE_LIMITED": (429, "Too many requests"),
    "TOO_MANY_ATTEMPTS": (429, "Too many attempts"),
    "NUMBER_LOCKED": (429, "Number locked"),
    "SERVICE_MISCONFIGURED": (500, "Internal error"),
    "INTERNAL_ERROR": (500, "Internal error"),
    "PROVIDER_UNAVAILABLE": (503, "Provider unavailable"),
    "SENDING_STOPPED": (503, "Sending stopped"),
}
SHOWN_AS_INTERNAL = "SERVICE_MISCONFIGURED"
"""Callers see INTERNAL_ERROR; only the log tells the two apart."""

_IDEMPOTENCY_KEY = re.compile("[!-~]{1,255}")

KEYS_CACHE = "public, max-age=300"
"""300 s: a key is published that long before its first token and after its last one (docs/tokens.md)."""
HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
DEFAULT_RETRY_AFTER = 1


@dataclass(frozen=True, slots=True)
class Renderer:
    """Builds the answers of one API. Each function gets the event, as an answer may repeat a header of it."""

    success: Callable[[Event, Body], Response]
    failure: Callable[[Event, errors.OtpError, str], Response]
    """Also gets the request's id."""


@dataclass(frozen=True, slots=True)
class Route(Generic[Command, Who, Result]):
    """One operation of an API. Several routes can share a use case, each with its own fields and errors."""

    read: Callable[[Event], Command]
    """Parses the event into the command. Raises `InvalidRequest`."""
    act: Callable[[Command, Who], Result]
    write: Callable[[Result], Body]
    """Makes the body of a success."""
    caller: Callable[[Event, Any], Who]
    """Identifies the caller: `by_api_key`, `by_iam` or `public`."""
    renderer: Renderer

    def run(self, event: Event, caller: Who) -> Body:
        """Run the operation; returns the body of a success. Raises an `OtpError`."""
        return self.write(self.act(self.read(event), caller))


def handle(event: Event, context: Any, route: Route[Any, Any, Any]) -> Response:
    """Handle one request; returns its response. Any failure is answered in the documented shape too."""
    request_id = _request_id(event, context)
    with events.invocation(request_id, context.aws_request_id):
        return _handle(event, context, route, request_id)


def _handle(event: Event, context: Any, route: Route[Any, Any, Any], request_id: str) -> Response:
    try:
        caller = route.caller(event, context)
        if isinstance(caller, Caller):
            events.identify(caller.tenant)
        body = route.run(event, caller)
    except errors.OtpError as error:
        _emit_refusal(event, error)
        return route.renderer.failure(event, error, request_id)
    except StoreError as error:
        events.emit("store_failed", reason=error.reason)
    except TokenError as error:
        events.emit("keys_failed", reason=error.reason)
    except Exception as error:  # last resort: an unforeseen error still gets an answer, never a success
        events.fail("unforeseen", error)
    else:
        return route.renderer.success(event, body)
    return route.renderer.failure(event, errors.InternalError(), request_id)


def route_of(event: Event, own: Mapping[str, Route[Any, Any, Any]]) -> Route[Any, Any, Any]:
    """The called route: one of the function's own, or of Twilio's API.

    API Gateway calls a function with no other resource. An event made by hand may name any other; it gets the
    function's first route.
    """
    resource = str(event.get("resource", ""))
    if resource in own or not resource.startswith(TWILIO_PATHS):
        return own.get(resource) or next(iter(own.values()))
    # Imported here, so that the deployments without that API do not pay for it.
    from sms_otp.entry_points import twilio

    return twilio.route_of(event)


def by_api_key(event: Event, context: Any) -> Caller:
    """The calling tenant, by its API key. Raises `ServiceMisconfigured` without one."""
    tenant = _tenant(event, config.settings())
    return Caller(tenant, _request_id(event, context), _deadline(context), _source_ip(event), _api_url(event))


def by_iam(event: Event, context: Any) -> Administrator:
    """The administrator, authorized by IAM. Raises `ServiceMisconfigured` without a principal."""
    return Administrator(_caller_arn(event), _deadline(context))


def public(_event: Event, _context: Any) -> None:
    """No caller: anyone may call. A provider's callback is authenticated by its use case."""
    return


def no_body(_event: Event) -> None:
    """Read nothing: for GET."""
    return


def same(body: Body) -> Body:
    """Write the result as it is."""
    return body


def read_body(event: Event, schema: str) -> Body:
    """Parse the event's body and check it against the schema with this title. Raises `InvalidRequest`."""
    import fastjsonschema

    try:
        body = strict_json.parse_object(_raw_body(event), limit=BODY_LIMIT)
    except ValueError as error:
        raise errors.InvalidRequest(f"The body cannot be read: {error}.", reason=str(error)) from None
    try:
        schemas.validator(schema)(body)
    except fastjsonschema.JsonSchemaValueException as error:
        raise _invalid(error.path[1:], error.rule, error.rule_definition) from None
    return body


def idempotency_key(event: Event) -> str | None:
    """The Idempotency-Key header: 1 to 255 visible ASCII characters, or None. Raises `InvalidRequest`."""
    key = header(event, "idempotency-key")
    if not key:
        return None
    if not _IDEMPOTENCY_KEY.fullmatch(key):
        detail = "1 to 255 visible ASCII characters"
        raise errors.InvalidRequest(errors=[{"pointer": "Idempotency-Key", "detail": detail}])
    return key


def requested(answer: Requested) -> Body:
    """The answer to a request and to a resend."""
    return {
        "success": True,
        "message": "A code is on its way.",
        "verificationId": answer.verification_id,
        "channel": answer.channel,
        "expiresAt": iso(answer.expires_at),
        "resendAfter": answer.resend_after,
        **({} if answer.same_code is None else {"sameCode": answer.same_code}),
        **({} if answer.app_hash_sent is None else {"appHashSent": answer.app_hash_sent}),
    }


def iso(moment: Seconds) -> str:
    """Format a time as RFC 3339 in UTC, to the second."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _raw_body(event: Event) -> bytes:
    content_type = header(event, "content-type").lower().replace(" ", "")
    if content_type.split(";")[0] != "application/json" or content_type.partition(";")[2] not in (
        "",
        "charset=utf-8",
        'charset="utf-8"',  # equivalent (RFC 9110 §5.6.6)
    ):
        raise ValueError("Content-Type must be application/json, in UTF-8")
    if len(str(event.get("body") or "")) > BODY_LIMIT * 2:
        raise ValueError(f"longer than {BODY_LIMIT} bytes")
    return decoded_body(event)


def callback(event: Event) -> Callback:
    """A provider's callback, as it arrived. Raises `Forbidden`."""
    headers = {name.lower(): str(value) for name, value in (event.get("headers") or {}).items()}
    path = str((event.get("requestContext") or {}).get("path", ""))
    try:
        return Callback(path, headers, decoded_body(event))
    except ValueError:
        raise errors.Forbidden(reason="not base64") from None


def decoded_body(event: Event) -> bytes:
    """The bytes that the caller sent. Raises ValueError for malformed base64."""
    body = str(event.get("body") or "")
    if not event.get("isBase64Encoded"):
        # A lone surrogate must reach the parser, which refuses it without quoting it.
        return body.encode(errors="surrogatepass")
    try:
        return base64.b64decode(body, validate=True)
    except ValueError:
        raise ValueError("not base64") from None


def header(event: Event, name: str) -> str:
    """The value of a header, in any case; empty if it is missing. `name` in lower case."""
    for key, value in (event.get("headers") or {}).items():
        if key.lower() == name:
            return str(value)
    return ""


def _invalid(path: list[str], rule: str | None, expected: Any) -> errors.InvalidRequest:
    """The error for one place of the body. The caller's own value is not repeated."""
    kinds = {"phoneNumber": errors.InvalidPhoneNumber, "otp": errors.InvalidOtpFormat}
    kind = kinds.get(path[0], errors.InvalidRequest) if path else errors.InvalidRequest
    pointer = "".join(f"/{step}" for step in path)
    return kind(errors=[{"pointer": pointer, "detail": _detail(rule, expected)}])


def _detail(rule: str | None, expected: Any) -> str:
    """A broken rule of a schema, in readable form."""
    match rule:
        case "additionalProperties":
            return "unknown property"
        case "required" | "enum":
            texts = (each if isinstance(each, str) else json.dumps(each) for each in expected)
            return f"{rule}: {', '.join(texts)}"
        case _:
            return f"{rule}: {expected}"


def _deadline(context: Any) -> Deadline:
    return Deadline(context.get_remaining_time_in_millis() / 1000 - RESERVE_SECONDS)


def _request_id(event: Event, context: Any) -> str:
    return str((event.get("requestContext") or {}).get("requestId") or context.aws_request_id)


def _tenant(event: Event, settings: Settings) -> str:
    """The id of the caller's API key. Without one, raises `ServiceMisconfigured` unless Stage is local."""
    identity = (event.get("requestContext") or {}).get("identity") or {}
    tenant = identity.get("apiKeyId")
    if tenant:
        return str(tenant)
    if settings.stage == "local":
        # The local stack checks keys but does not pass the key's id, and `sam local` has no keys.
        from sms_otp.domain import keys

        return "local-" + keys.verification_key(header(event, "x-api-key"))[:16]
    raise errors.ServiceMisconfigured(reason="no API key id in the request")


def _caller_arn(event: Event) -> str:
    """The ARN of the IAM principal that signed. Without one the method is unprotected: refuse."""
    identity = (event.get("requestContext") or {}).get("identity") or {}
    if not identity.get("userArn"):
        raise errors.ServiceMisconfigured(reason="no IAM principal in the request")
    return str(identity["userArn"])


def _source_ip(event: Event) -> str:
    """The IP address that called API Gateway. Not from a header, which a caller can forge."""
    return str(((event.get("requestContext") or {}).get("identity") or {}).get("sourceIp", ""))


def _api_url(event: Event) -> str:
    """The URL by which the API was called: a custom domain, or API Gateway's own."""
    context = event.get("requestContext") or {}
    base = str(context.get("path", "")).removesuffix(str(context.get("resourcePath", "")))
    return f"https://{context.get('domainName', 'localhost')}{base}"


def _emit_refusal(event: Event, error: errors.OtpError) -> None:
    is_refused = PROBLEMS[error.code][0] < 500 or isinstance(error, errors.SendingStopped)
    event_name = "request_refused" if is_refused else "service_failed"
    event_name = "webhook_refused" if isinstance(error, errors.Forbidden) else event_name
    # The resource is the path's template, so it has no text from the caller.
    path = event.get("resource")
    # The schema's rules, as in the answer; without the caller's values.
    places = ", ".join(f"{place['pointer']} {place['detail']}".lstrip() for place in error.errors)
    reason = error.reason or places or None
    events.emit(event_name, path=path, error_code=error.code, reason=reason, **error.context)


def problem(_event: Event, error: errors.OtpError, request_id: str) -> Response:
    """An error as RFC 9457 problem details, with this API's extension members."""
    shown = errors.InternalError() if error.code == SHOWN_AS_INTERNAL else error
    status, title = PROBLEMS[shown.code]
    body: Body = {
        "type": f"urn:sms-otp:problem:{shown.code.lower().replace('_', '-')}",
        "title": title,
        "status": status,
        "detail": str(shown),
        "instance": request_id,
        "success": False,
        "errorCode": shown.code,
    }
    headers = {}
    if status in (429, 503):
        body["retryAfter"] = error.retry_after or DEFAULT_RETRY_AFTER
        headers["Retry-After"] = str(body["retryAfter"])
    elif isinstance(error, errors.OtpIncorrect) and error.retry_after is not None:
        body["retryAfter"] = error.retry_after
    if error.attempts_remaining is not None:
        body["attemptsRemaining"] = error.attempts_remaining
    if error.errors:
        body["errors"] = list(error.errors)
    return response(status, "application/problem+json; charset=utf-8", body, headers)


def response(
    status: int, content_type: str, body: Body, headers: Mapping[str, str] | None = None
) -> Response:
    """API Gateway's proxy response, with the headers of every answer."""
    return {
        "statusCode": status,
        "headers": {"Content-Type": content_type, **HEADERS, **(headers or {})},
        "body": json.dumps(body, separators=(",", ":")),
    }


def _success(_event: Event, body: Body) -> Response:
    return response(200, "application/json; charset=utf-8", body)


def _health(event: Event, body: Body) -> Response:
    """200, or 503 if the service is unhealthy."""
    if body["success"]:
        return _success(event, body)
    body = body | {"retryAfter": DEFAULT_RETRY_AFTER}
    headers = {"Retry-After": str(DEFAULT_RETRY_AFTER)}
    return response(503, "application/json; charset=utf-8", body, headers)


def _key_set(_event: Event, body: Body) -> Response:
    """Public keys, which anyone may cache for a while (RFC 7517 §8.5.2)."""
    return response(200, "application/jwk-set+json", body, {"Cache-Control": KEYS_CACHE})


OURS = Renderer(_success, problem)
HEALTH = Renderer(_health, problem)
KEY_SET = Renderer(_key_set, problem)
