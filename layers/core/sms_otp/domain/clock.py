"""Time, as the service sees it: one clock for decisions, one deadline per request."""

import time
from collections.abc import Callable

Clock = Callable[[], float]
"""Answers the current time in seconds since the epoch. `time.time` in Lambda, a stepped clock in tests."""


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
