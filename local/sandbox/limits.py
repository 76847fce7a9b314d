"""Rate limits of the providers, in Infobip's notation: `{attempts}/{timeLength}{timeUnit}`."""

import math

from local.sandbox.memory import Newest
from local.sandbox.times import Clock, infobip_duration

WIDE = "1000000/1d"
"""A limit that no test reaches."""


class RateLimit:
    """Counts calls per key in fixed windows, each starting with a key's first call."""

    def __init__(self, text: str, clock: Clock) -> None:
        """Raises `ValueError` when `text` is not a limit."""
        count, _, length = text.partition("/")
        self._count = int(count)
        self._seconds = infobip_duration(length)
        self._clock = clock
        self._windows: Newest[str, tuple[float, int]] = Newest()

    def wait(self, key: str) -> int:
        """Whole seconds until the key's window ends, at least 1."""
        began, _ = self._windows.get(key, (self._clock(), 0))
        return max(1, math.ceil(began + self._seconds - self._clock()))

    def allows(self, key: str) -> bool:
        """Whether one more call is allowed; counts it if so."""
        now = self._clock()
        began, used = self._windows.get(key, (now, 0))
        if now - began >= self._seconds:
            began, used = now, 0
        if used >= self._count:
            return False
        self._windows[key] = (began, used + 1)
        return True
