"""The demo backend's requests to the service and their answers, shown on the page."""

import json
import shlex
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from local.sandbox.calls import Call, Calls
from local.sandbox.times import Clock, iso_utc

KEPT = 50
CALLS_SHOWN = 200

HIDDEN = {"otp": "OTP", "verificationToken": "TOKEN", "deviceToken": "DEVICE_TOKEN"}
"""Secret fields, shown as the shell variable of this name."""


@dataclass(slots=True)
class Exchange:
    """One request and its answer, and the index range of its provider calls."""

    page: str
    """The browser page that made it; empty if unknown."""
    number: str | None
    """The phone number, E.164."""
    path: str
    request: dict[str, Any]
    curl: str
    at: str
    first_call: int
    last_call: int | None = None
    """The index after its last call; `None` while it runs."""
    status: int | None = None
    """`None` without an answer (yet)."""
    response: Any = None
    milliseconds: int | None = None
    """`None` while it runs."""

    def led_to(self, place: int, call: Call) -> bool:
        """Whether the provider call was made while this ran, and for its number."""
        is_meanwhile = self.first_call <= place and (self.last_call is None or place < self.last_call)
        return is_meanwhile and call.to in (None, self.number)

    def as_json(self, calls: list[dict[str, Any]]) -> dict[str, Any]:
        """The exchange as JSON for the page; `calls` are its provider calls, oldest first."""
        return {
            "page": self.page,
            "method": "POST",
            "path": self.path,
            "request": self.request,
            "status": self.status,
            "response": self.response,
            "milliseconds": self.milliseconds,
            "at": self.at,
            "curl": self.curl,
            "calls": calls,
        }


class Exchanges:
    """The newest `KEPT` exchanges, beside the provider calls that the sandbox received."""

    def __init__(self, clock: Clock, calls: Calls) -> None:
        self._clock = clock
        self._calls = calls
        self._exchanges: deque[Exchange] = deque(maxlen=KEPT)

    def begin(self, path: str, request: Mapping[str, Any], *, page: str, number: str | None) -> Exchange:
        """Record a POST of `request` to the API's `path`, for `number`."""
        exchange = Exchange(
            page=page,
            number=number,
            path=path,
            request=_hidden(request),
            curl=curl(path, request),
            at=iso_utc(self._clock()),
            first_call=self._calls.received,
        )
        self._exchanges.append(exchange)
        return exchange

    def end(self, exchange: Exchange, status: int | None, response: Any, seconds: float) -> None:
        """Record its answer and its duration in seconds; `status` is `None` without an answer."""
        exchange.status = status
        exchange.response = _hidden(response) if isinstance(response, dict) else response
        exchange.milliseconds = round(seconds * 1000)
        exchange.last_call = self._calls.received

    def snapshot(self) -> dict[str, list[dict[str, Any]]]:
        """`exchanges`, and `calls` that belong to no exchange; both newest first."""
        calls = self._calls.newest_first(CALLS_SHOWN)
        shown = []
        for exchange in reversed(list(self._exchanges)):
            own = [(place, call) for place, call in calls if exchange.led_to(place, call)]
            calls = [each for each in calls if each not in own]
            shown.append(exchange.as_json([asdict(call) for _, call in reversed(own)]))
        return {"exchanges": shown, "calls": [asdict(call) for _, call in calls]}


def curl(path: str, request: Mapping[str, Any]) -> str:
    """The curl command that repeats it; the API, its key and secrets are shell variables."""
    body = shlex.quote(json.dumps(_hidden(request), ensure_ascii=False))
    for name in HIDDEN.values():
        # Outside the single quotes, so that the shell expands the variable.
        body = body.replace(f'"${name}"', f'"\'"${name}"\'"')
    return f'curl -sS "$API{path}" -H "x-api-key: $KEY" -H "content-type: application/json" -d {body}'


def _hidden(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: f"${HIDDEN[name]}" if name in HIDDEN else value for name, value in body.items()}
