"""What the demo's backend said to the service and was answered: for people to look at and to repeat."""

import json
import shlex
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from local.sandbox.times import Clock, iso_utc

KEPT = 50

HIDDEN = {"otp": "OTP", "verificationToken": "TOKEN"}
"""Fields whose values are shown as a shell variable of that name: whoever looks on has no use for them."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer. Field names are those of the JSON that the page gets."""

    method: str
    path: str
    request: dict[str, Any]
    status: int | None
    """`None` where no answer came."""
    response: Any
    milliseconds: int
    at: str
    curl: str


class Exchanges:
    """The newest `KEPT` exchanges."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._exchanges: deque[Exchange] = deque(maxlen=KEPT)

    def record(
        self,
        url: str,
        path: str,
        request: Mapping[str, Any],
        status: int | None,
        response: Any,
        seconds: float,
    ) -> None:
        """A POST of `request` to `path` of the API at `url`, answered after so many seconds."""
        self._exchanges.append(
            Exchange(
                method="POST",
                path=path,
                request=_hidden(request),
                status=status,
                response=_hidden(response) if isinstance(response, dict) else response,
                milliseconds=round(seconds * 1000),
                at=iso_utc(self._clock()),
                curl=curl(url, path, request),
            )
        )

    def newest_first(self) -> list[dict[str, Any]]:
        """As JSON objects."""
        return [asdict(exchange) for exchange in reversed(self._exchanges)]


def curl(url: str, path: str, request: Mapping[str, Any]) -> str:
    """The command that repeats it, with the API key and a code left to the shell's `$API_KEY` and `$OTP`."""
    body = shlex.quote(json.dumps(_hidden(request), ensure_ascii=False))
    for name in HIDDEN.values():
        # Out of the single quotes, so that the shell puts in what the variable holds.
        body = body.replace(f'"${name}"', f'"\'"${name}"\'"')
    return (
        f'curl -sS {shlex.quote(url + path)} -H "x-api-key: $API_KEY" -H "content-type: application/json" '
        f"-d {body}"
    )


def _hidden(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: f"${HIDDEN[name]}" if name in HIDDEN else value for name, value in body.items()}
