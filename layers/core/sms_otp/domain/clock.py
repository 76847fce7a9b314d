"""Time: one clock for decisions, one deadline per request, and one set of constants.

Moments count from the epoch. Moments and spans are `Seconds` or `Milliseconds`; see `units`.
"""

import time
from collections.abc import Callable

from sms_otp.domain.units import Milliseconds as Milliseconds
from sms_otp.domain.units import Seconds as Seconds

Clock = Callable[[], float]
"""The current time in seconds since the epoch. `time.time` in Lambda, a stepped clock in tests."""

NO_SECONDS = Seconds(0)
"""As a span: at once. As a moment: never."""
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
    """The moment in seconds, rounded down."""
    return Seconds(moment // _MILLISECONDS)


def to_milliseconds(moment: Seconds) -> Milliseconds:
    """The moment in milliseconds, exact."""
    return Milliseconds(moment * _MILLISECONDS)


class Deadline:
    """The moment after which a request starts no new step, and by which a provider must have answered.

    Steps that have started are still finished: a send that left is recorded, a correct code is consumed.
    Monotonic, so that corrections of the wall clock do not move it.
    """

    def __init__(self, seconds: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._ends = monotonic() + seconds

    def remaining(self) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self._ends - self._monotonic())
