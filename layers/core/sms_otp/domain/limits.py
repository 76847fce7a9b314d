"""Limits on sends to a number and on guesses at its codes. Pure, over what the store read.

Times are whole milliseconds since the epoch; the times of two sends to a number must differ.

**Sends** are a sliding log: the moments themselves, at most as many as the largest window allows.
The bound is exact: no span of a window's length, wherever it starts, holds more sends than its
limit. A fixed window admits twice the limit across its edge; GCRA limits an average, not a count.
The cost is a few numbers in one item.

**Guesses** are a count of consecutive failures and the moment of the last one. Each guess is
counted before it is checked; only a success clears the count, never by a new code
(NIST SP 800-63B-4 §3.1.3.2 and §3.2.2).
"""

from dataclasses import dataclass

from sms_otp.domain import clock
from sms_otp.domain.clock import NO_MILLISECONDS, NO_SECONDS, Milliseconds, Seconds, to_milliseconds

SECOND = to_milliseconds(clock.SECOND)
MINUTE = to_milliseconds(clock.MINUTE)
HOUR = to_milliseconds(clock.HOUR)
DAY = to_milliseconds(clock.DAY)

LAST_SECONDS = 30
"""Seconds before a code expires in which it is not sent again: it would end before the user reads it."""


@dataclass(frozen=True, slots=True)
class Window:
    """At most `limit` sends in any span of this length."""

    limit: int
    span: Milliseconds


@dataclass(frozen=True, slots=True)
class SendPolicy:
    """Windows, and a gap that doubles with each send of the last hour, up to `gap_max`."""

    windows: tuple[Window, ...]
    gap: Milliseconds = NO_MILLISECONDS
    gap_max: Milliseconds = NO_MILLISECONDS

    @property
    def memory(self) -> Milliseconds:
        """How long a send is remembered: the longest window."""
        return max(window.span for window in self.windows)


def next_send_at(sends: tuple[Milliseconds, ...], policy: SendPolicy, now: Milliseconds) -> Milliseconds:
    """The earliest moment at which one more send respects every window and the gap. `<= now`: allowed."""
    newest_first = sorted(sends, reverse=True)
    moments = [
        newest_first[window.limit - 1] + window.span
        for window in policy.windows
        if len(newest_first) >= window.limit
    ]
    if newest_first and policy.gap:
        moments.append(newest_first[0] + gap_after(newest_first, policy))
    return max(moments, default=now)


def gap_after(newest_first: list[Milliseconds], policy: SendPolicy) -> Milliseconds:
    """The wait after the newest send: doubled for each earlier send in the hour before it."""
    streak = sum(1 for at in newest_first if newest_first[0] - at < HOUR)
    return min((1 << streak - 1) * policy.gap, policy.gap_max)


@dataclass(frozen=True, slots=True)
class GuessPolicy:
    """Failures without a wait, the wait that then doubles, and the failures that close the lane."""

    free: int
    wait: Milliseconds
    wait_max: Milliseconds
    closed_at: int
    """Failures after which no further guess is taken."""

    @property
    def steps(self) -> tuple[tuple[int, Milliseconds], ...]:
        """(failures so far, wait before the next guess): one row for each wait.

        The last row applies to every higher count, so that a store can build one condition from the rows.
        """
        rows = [(self.free, self.wait_after(self.free))]
        while rows[-1][1] < self.wait_max:
            failures, wait = rows[-1]
            rows.append((failures + 1, min(2 * wait, self.wait_max)))
        return tuple(rows)

    def wait_after(self, failures: int) -> Milliseconds:
        """The wait from the last failure to the next guess."""
        if failures < self.free:
            return NO_MILLISECONDS
        return min((1 << failures - self.free) * self.wait, self.wait_max)


@dataclass(frozen=True, slots=True)
class Failures:
    """Failures in a row of a number's lane at a tenant. A guess counts as a failure until found correct."""

    count: int = 0
    last_at: Milliseconds = NO_MILLISECONDS

    def joined(self, other: "Failures") -> "Failures":
        """The stricter of both."""
        return Failures(max(self.count, other.count), max(self.last_at, other.last_at))

    def next_guess_at(self, policy: GuessPolicy) -> Milliseconds:
        """The earliest moment of the next guess."""
        return self.last_at + policy.wait_after(self.count)


def whole_seconds(span: Milliseconds) -> Seconds:
    """The span rounded up, at least one second: a caller that waits this long is never too early."""
    return max(clock.SECOND, Seconds(-(-span // SECOND)))


def seconds_until(moment: Milliseconds, now: Milliseconds) -> Seconds:
    """The caller's wait, rounded up; 0 once the moment has come."""
    return whole_seconds(moment - now) if moment > now else NO_SECONDS


KEEP_LOG = 30 * clock.DAY
"""Seconds for which a number's sends and failures are kept after its last use."""
