"""The administrators' routes that stop and resume sending, and the JSON form of a `NextSend`."""

from collections.abc import Iterator, Mapping
from typing import Any

from sms_otp.adapters.providers import registry
from sms_otp.domain import phone
from sms_otp.domain.clock import Seconds
from sms_otp.domain.errors import FieldError, InvalidRequest
from sms_otp.domain.stops import DEFAULT, EVERYTHING, Scope, Stop
from sms_otp.entry_points import bootstrap, http
from sms_otp.use_cases.administration import Administrator
from sms_otp.use_cases.next_send import NextSend
from sms_otp.use_cases.stopping import Standing

_SCOPES = {"countries": Scope.COUNTRY, "channels": Scope.CHANNEL, "providers": Scope.PROVIDER}

StopCommand = tuple[tuple[Stop, ...], Seconds]
"""The stops to make, and their length in seconds."""


def _read_stop(event: http.Event) -> StopCommand:
    body = http.read_body(event, "StopSending")
    return _stops(body), Seconds(body.get("seconds", DEFAULT))


def _read_resume(event: http.Event) -> tuple[Stop, ...]:
    return _stops(http.read_body(event, "ResumeSending"))


def _stops(body: http.Body) -> tuple[Stop, ...]:
    """The stops that a body names. Raises `InvalidRequest` unless exactly one member names them.

    So does a country or provider that does not exist: its stop would have no effect.
    """
    members = ("all", *_SCOPES)
    if sum(member in body for member in members) != 1:
        raise InvalidRequest(errors=[{"pointer": "", "detail": f"exactly one of {', '.join(members)}"}])
    if "all" in body:
        return (EVERYTHING,)
    if faults := tuple(_faults(body)):
        raise InvalidRequest(errors=faults)
    named = (Stop(scope, name) for member, scope in _SCOPES.items() for name in body.get(member, []))
    return tuple(dict.fromkeys(named))


def _faults(body: http.Body) -> Iterator[FieldError]:
    for place, country in enumerate(body.get("countries", [])):
        if (fault := phone.country_fault(country)) is not None:
            yield {"pointer": f"/countries/{place}", "detail": fault}
    for place, provider in enumerate(body.get("providers", [])):
        if provider not in registry.NAMES:
            yield {"pointer": f"/providers/{place}", "detail": f"one of {', '.join(sorted(registry.NAMES))}"}


def _stop(command: StopCommand, who: Administrator) -> Standing:
    return bootstrap.sending_control().stop(*command, who)


def _resume(stops: tuple[Stop, ...], who: Administrator) -> Standing:
    return bootstrap.sending_control().resume(stops, who)


def _write_stopped(standing: Standing) -> http.Body:
    return {"success": True, "message": "Sending is stopped.", "stops": _written(standing)}


def _write_resumed(standing: Standing) -> http.Body:
    message = "These stops are left." if standing else "Nothing is stopped."
    return {"success": True, "message": message, "stops": _written(standing)}


def _written(standing: Standing) -> list[http.Body]:
    return [
        {"scope": stop.scope, **({"name": stop.name} if stop.name else {}), "until": http.iso(until)}
        for stop, until in standing.items()
    ]


ROUTES: Mapping[str, http.Route[Any, Administrator, Standing]] = {
    "/admin/stop-sending": http.Route(_read_stop, _stop, _write_stopped, http.by_iam, http.OURS),
    "/admin/resume-sending": http.Route(_read_resume, _resume, _write_resumed, http.by_iam, http.OURS),
}


def write_next_send(next_send: NextSend) -> http.Body:
    """One decision, in the form of `/admin/number-status`."""
    refused = next_send.error
    fields = {
        "tenant": next_send.tenant,
        "comesAs": next_send.comes_as,
        "lane": next_send.lane,
        "admitted": refused is None,
        "budget": next_send.budget,
        "errorCode": None if refused is None else refused.code,
        "reason": None if refused is None else refused.reason,
        "retryAfter": None if refused is None else refused.retry_after,
    }
    return {name: value for name, value in fields.items() if value is not None}
