"""Wait for what comes by itself: a delivery report, a line of a log after its answer."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 60.0
"""Seconds; no test that passes waits them."""


def eventually(look: Callable[[], T], seconds: float = PATIENCE) -> T:
    """What `look` returns, once it is true; its last answer, if that takes longer. The caller asserts."""
    end = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < end:
        time.sleep(0.1)
    return found
