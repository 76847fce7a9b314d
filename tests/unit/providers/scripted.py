"""A transport without a network: it gives scripted answers and records its calls."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sms_otp.adapters.providers.transport import HttpResponse, Transport, TransportError
from sms_otp.domain.clock import Deadline, Seconds
from sms_otp.domain.phone import PhoneNumber
from sms_otp.domain.provider import ProviderError

PHONE = PhoneNumber(e164="+14155550123", country="US")
LIFE = Seconds(300)
DEADLINE = Deadline(10, monotonic=lambda: 0.0)
"""Its clock stands still, so it does not depend on the duration of earlier tests."""


@dataclass(frozen=True)
class Call:
    """One exchange, as an adapter requested it."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    deadline: Deadline

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class ScriptedTransport(Transport):
    """Gives each exchange its outcome, and the last one to all that follow."""

    def __init__(self, *outcomes: HttpResponse | TransportError) -> None:
        super().__init__()
        self.calls: list[Call] = []
        self._outcomes = outcomes

    def exchange(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes, deadline: Deadline
    ) -> HttpResponse:
        outcome = self._outcomes[min(len(self.calls), len(self._outcomes) - 1)]
        self.calls.append(Call(method, url, headers, body, deadline))
        if isinstance(outcome, TransportError):
            raise outcome
        return outcome


def answer(status: int, body: object = None, retry_after: Seconds | None = None) -> HttpResponse:
    """`body` as bytes where it is bytes, otherwise as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HttpResponse(status, content, retry_after)


def outcome(act: Callable[[], object]) -> object:
    """The value that an act returned, or the `ProviderError` class that it raised."""
    try:
        return act()
    except ProviderError as error:
        return type(error)
