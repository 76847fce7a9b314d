"""Wait for events that arrive by themselves: a delivery report, a line of a log after its answer."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 60.0
"""Seconds; no test that passes waits them."""


def eventually(look: Callable[[], T], seconds: float = PATIENCE) -> T:
    """The result of `look` once it is true, or its last one after `seconds`. The caller asserts."""
    end = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < end:
        time.sleep(0.1)
    return found
