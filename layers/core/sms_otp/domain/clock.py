"""Time: one clock for decisions, one deadline per request, and a type for each unit.

Moments are since the epoch. A moment or a span of the wrong unit fails mypy. Sums of them are plain integers,
which say their unit anew where they are kept: `Seconds(now + MINUTE)`.
"""

import time
from collections.abc import Callable
from typing import NewType

Clock = Callable[[], float]
"""The current time in seconds since the epoch. `time.time` in Lambda, a stepped clock in tests."""

Seconds = NewType("Seconds", int)
"""Whole seconds: what the table's TTLs, the API and the log have."""
Milliseconds = NewType("Milliseconds", int)
"""Whole milliseconds: the moments of sends and guesses, which must be unique."""

SECOND = Seconds(1)
MINUTE = Seconds(60)
HOUR = Seconds(3600)
DAY = Seconds(24 * 3600)

_MILLISECONDS = 1000


def seconds(clock: Clock) -> Seconds:
    """Now, in whole seconds."""
    return Seconds(int(clock()))


def milliseconds(clock: Clock) -> Milliseconds:
    """Now, in whole milliseconds."""
    return Milliseconds(int(clock() * _MILLISECONDS))


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
