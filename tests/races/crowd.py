"""Many callers at once."""

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any, TypeVar

from sms_otp.domain.clock import Deadline
from sms_otp.domain.commands import Caller
from sms_otp.domain.errors import RateLimited

Result = TypeVar("Result")

MOST_LOST_RACES = 50
AREAS = (201, 202, 203, 205, 206, 207, 208, 209, 210, 212, 213, 214, 215, 216, 217, 218, 219, 224, 225, 228)
"""Area codes of North America; in each, 555-0100 to 555-0199 are kept for fiction."""

_requests = itertools.count()


def caller(tenant: str = "tenant-a") -> Caller:
    """The caller of one request, with enough time to be one of a thousand."""
    return Caller(tenant, f"request-{next(_requests)}", Deadline(600), "198.51.100.1", "https://api.test")


def fresh_numbers() -> Iterator[str]:
    """Two thousand numbers. No two that follow one another are of one block of ten thousand."""
    return (f"+1{area}55501{line:02d}" for line in range(100) for area in AREAS)


def at_once(acts: Sequence[Callable[[], Result]]) -> list[Result]:
    """The results of acts that all start together, each in a thread of its own."""
    start = Barrier(len(acts))

    def run(act: Callable[[], Result]) -> Result:
        start.wait(timeout=120)
        return act()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def tally(acts: Sequence[Callable[[], str]]) -> Counter[str]:
    """How often each outcome occurs among acts that start together."""
    return Counter(at_once(acts))


def persistently(act: Callable[[], Any]) -> Any:
    """Repeat an act as long as it is refused only for losing races. Raises as the act does."""
    for _ in range(MOST_LOST_RACES):
        try:
            return act()
        except RateLimited as refused:
            if refused.reason != "contended":
                raise
    raise AssertionError("a caller lost every race, so no limit was ever decided")
