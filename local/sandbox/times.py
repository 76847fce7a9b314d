"""Clocks, and the providers' notations for times and durations."""

import re
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], float]
"""Returns seconds since the epoch: `time.time`, or a stepped clock in tests."""

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_INFOBIP_DURATION = re.compile(r"([0-9]*)(ms|s|m|h|d)")
_SINCH_EXPIRY = re.compile(r"([0-9]{2}):([0-5][0-9]):([0-5][0-9])")


def iso_utc(seconds: float) -> str:
    """Format as `2024-06-06T09:08:41.478487Z`."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def infobip_duration(text: str) -> float:
    """Seconds in `15m`, `90s`, `d`: a length (default 1) and a unit. Raises `ValueError`."""
    match = _INFOBIP_DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"not a duration: {text}")
    return int(match[1] or 1) * _UNITS[match[2]]


def sinch_expiry(text: str) -> int:
    """Seconds in `HH:MM:SS`. Raises `ValueError`."""
    match = _SINCH_EXPIRY.fullmatch(text)
    if match is None:
        raise ValueError(f"not an expiry: {text}")
    hours, minutes, seconds = (int(part) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds
