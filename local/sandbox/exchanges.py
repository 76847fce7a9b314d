"""The demo backend's requests to the service and their answers: for people to look at and to repeat."""

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
"""Fields whose values are shown as a shell variable of that name: nobody who looks on needs them."""


@dataclass(slots=True)
class Exchange:
    """One request and its answer, and where the provider calls that it led to are among all calls."""

    page: str
    """Which page of the browser made it; empty where it did not say."""
    number: str | None
    """The number that it is about."""
    path: str
    request: dict[str, Any]
    curl: str
    at: str
    first_call: int
    last_call: int | None = None
    """The first that is not its own; `None` while it runs."""
    status: int | None = None
    """`None` where no answer came yet, or none at all."""
    response: Any = None
    milliseconds: int | None = None
    """`None` while it runs."""

    def led_to(self, place: int, call: Call) -> bool:
        """Whether the provider call was made while this ran, and for its number."""
        is_meanwhile = self.first_call <= place and (self.last_call is None or place < self.last_call)
        return is_meanwhile and call.to in (None, self.number)

    def as_json(self, calls: list[dict[str, Any]]) -> dict[str, Any]:
        """What the page gets, with the provider calls that it led to, the oldest first."""
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
        """A POST of `request` to the API's `path` that is about `number`."""
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
        """Its answer after that many seconds; a status of `None` for none."""
        exchange.status = status
        exchange.response = _hidden(response) if isinstance(response, dict) else response
        exchange.milliseconds = round(seconds * 1000)
        exchange.last_call = self._calls.received

    def snapshot(self) -> dict[str, list[dict[str, Any]]]:
        """`exchanges` and, of the provider calls, `calls` that none of them led to; both the newest first."""
        calls = self._calls.newest_first(CALLS_SHOWN)
        shown = []
        for exchange in reversed(list(self._exchanges)):
            own = [(place, call) for place, call in calls if exchange.led_to(place, call)]
            calls = [each for each in calls if each not in own]
            shown.append(exchange.as_json([asdict(call) for _, call in reversed(own)]))
        return {"exchanges": shown, "calls": [asdict(call) for _, call in calls]}


def curl(path: str, request: Mapping[str, Any]) -> str:
    """The command that repeats it; the API, its key and a code are left to the shell's variables."""
    body = shlex.quote(json.dumps(_hidden(request), ensure_ascii=False))
    for name in HIDDEN.values():
        # Out of the single quotes, so that the shell puts in what the variable holds.
        body = body.replace(f'"${name}"', f'"\'"${name}"\'"')
    return f'curl -sS "$API{path}" -H "x-api-key: $KEY" -H "content-type: application/json" -d {body}'


def _hidden(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: f"${HIDDEN[name]}" if name in HIDDEN else value for name, value in body.items()}
