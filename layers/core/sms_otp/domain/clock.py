"""Time: one clock for decisions, one deadline per request, and one set of constants.

Moments are since the epoch. Each is in `Seconds` or in `Milliseconds`, and so is each span; see `units`.
"""

import time
from collections.abc import Callable

from sms_otp.domain.units import Milliseconds as Milliseconds
from sms_otp.domain.units import Seconds as Seconds

Clock = Callable[[], float]
"""The current time in seconds since the epoch. `time.time` in Lambda, a stepped clock in tests."""

NO_SECONDS = Seconds(0)
"""At once; as a moment, never."""
NO_MILLISECONDS = Milliseconds(0)
SECOND = Seconds(1)
MINUTE = Seconds(60)
HOUR = Seconds(3600)
DAY = Seconds(24 * 3600)

_MILLISECONDS = 1000


def seconds(clock: Clock) -> Seconds:
    """Now, in whole seconds."""
    return Seconds(clock())


def milliseconds(clock: Clock) -> Milliseconds:
    """Now, in whole milliseconds."""
    return Milliseconds(clock() * _MILLISECONDS)


def to_seconds(moment: Milliseconds) -> Seconds:
    """Rounded down."""
    return Seconds(moment // _MILLISECONDS)


def to_milliseconds(moment: Seconds) -> Milliseconds:
    """Exact."""
    return Milliseconds(moment * _MILLISECONDS)


class Deadline:
    """The moment after which a request begins nothing new, and by which a provider must have answered.

    What a request has begun is still brought to its end: a send that left is recorded, a right code is
    consumed. Monotonic, so that a corrected wall clock neither stretches nor cuts it.
    """

    def __init__(self, seconds: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._ends = monotonic() + seconds

    def remaining(self) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self._ends - self._monotonic())
