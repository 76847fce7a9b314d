"""The log of provider calls, so that tests can count them."""

from collections import deque
from dataclasses import asdict, dataclass
from itertools import islice

from local.sandbox.memory import NEWEST_KEPT
from local.sandbox.times import Clock, iso_utc


@dataclass(slots=True)
class Call:
    """One call. `status` is the HTTP status, `None` without an answer (yet)."""

    provider: str
    operation: str
    to: str | None
    status: int | None
    at: str


class Calls:
    """The newest `NEWEST_KEPT` calls, in order of arrival."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._calls: deque[Call] = deque(maxlen=NEWEST_KEPT)
        self.received = 0
        """Total number of calls received: the index of the next one."""

    def record(self, provider: str, operation: str, to: str | None) -> Call:
        """Add an unanswered call; the caller sets its `status` later."""
        call = Call(provider, operation, to, None, iso_utc(self._clock()))
        self._calls.append(call)
        self.received += 1
        return call

    def oldest_first(self) -> list[dict[str, str | int | None]]:
        """All calls as JSON objects, oldest first."""
        return [asdict(call) for call in self._calls]

    def newest_first(self, limit: int) -> list[tuple[int, Call]]:
        """At most `limit` calls, each with its index in order of arrival."""
        places = range(self.received - 1, -1, -1)
        return list(islice(zip(places, reversed(self._calls), strict=False), limit))

    def clear(self) -> None:
        """Delete every call."""
        self._calls.clear()
