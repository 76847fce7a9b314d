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

    def record(self, provider: str, operation: str, to: str | None) -> Call:
        """Add a call that is not answered yet; whoever answers sets its `status`."""
        call = Call(provider, operation, to, None, iso_utc(self._clock()))
        self._calls.append(call)
        return call

    def oldest_first(self) -> list[dict[str, str | int | None]]:
        """The calls as JSON objects."""
        return [asdict(call) for call in self._calls]

    def newest_first(self, limit: int) -> list[dict[str, str | int | None]]:
        """At most `limit` of them, as JSON objects."""
        return [asdict(call) for call in islice(reversed(self._calls), limit)]

    def clear(self) -> None:
        """Forget every call."""
        self._calls.clear()
