"""The log of provider calls, so that a test can count what reached a provider."""

from collections import deque
from dataclasses import asdict, dataclass
from itertools import islice

from local.sandbox.memory import NEWEST_KEPT
from local.sandbox.times import Clock, iso_utc


@dataclass(slots=True)
class Call:
    """One call. `status` is the HTTP status answered, `None` while or where nothing was answered."""

    provider: str
    operation: str
    to: str | None
    status: int | None
    at: str


class Calls:
    """Every call received, in order of arrival; the newest `NEWEST_KEPT` of them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._calls: deque[Call] = deque(maxlen=NEWEST_KEPT)
        self.received = 0
        """How many calls were received in all: the place that the next one takes."""

    def record(self, provider: str, operation: str, to: str | None) -> Call:
        """Add a call that is not answered yet; its answer sets `status`."""
        call = Call(provider, operation, to, None, iso_utc(self._clock()))
        self._calls.append(call)
        self.received += 1
        return call

    def oldest_first(self) -> list[dict[str, str | int | None]]:
        """The calls as JSON objects."""
        return [asdict(call) for call in self._calls]

    def newest_first(self, limit: int) -> list[tuple[int, Call]]:
        """At most `limit` of them, each with its place in the order of arrival."""
        places = range(self.received - 1, -1, -1)
        return list(islice(zip(places, reversed(self._calls), strict=False), limit))

    def clear(self) -> None:
        """Forget every call."""
        self._calls.clear()
