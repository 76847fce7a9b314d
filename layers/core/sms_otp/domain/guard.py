"""The pumping guard: is this country, or this block of numbers, being sent to without anyone verifying?

SMS pumping earns its money from messages that nobody reads, so its mark is sends that are never
verified: to a country whose users do not verify, or to numbers that follow one another. Unverified
sends are counted per country and hour, per country and day, and per block of 10,000 numbers and
hour; a verification takes its own send out again. What a country may have open follows from its own
verified history, so that a busy country is not refused for being busy:

    an hour   max(floor, 0.2 x most verified in a day of the last 14 / 6, 0.2 x verified in the last hour)
    a day     max(floor, 0.3 x most verified in a day of the last 14, 0.3 x verified in the last 24 hours)

A block may have open its floor, and in a day twice that, or 0.3 x what was verified in it meanwhile: so a
run of neighbouring numbers ends before it has spent what its country's users need.

The formula is Authgear's; the windows here are the clock's hours and UTC's days, so that twice a
limit can pass across an edge. It is a brake on cost, not one of the exact limits.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from sms_otp.domain.budgets import NOTHING, Counter, CounterWindow, ShardIncrement

HOUR = 3600
DAY = 24 * HOUR
LONGEST_CODE_LIFE = 600
"""NIST SP 800-63B-4 §3.1.3.2; a code is counted as verified in the hour and day in which it was sent."""
HISTORY_DAYS = 14
KEEP_HOUR = 2 * HOUR
KEEP_DAY = (HISTORY_DAYS + 2) * DAY
BLOCK_DAY_FLOORS = 2
"""How many of its hours' floors a block of numbers may have open in a day."""
BLOCK_SHARE = 0.3
LIMITS = COUNTRY_HOUR, COUNTRY_DAY, BLOCK_HOUR, BLOCK_DAY = (
    "country hour",
    "country day",
    "block hour",
    "block day",
)
"""The guard's limits, as the log names them."""


class Mode(StrEnum):
    """Whether the guard does nothing, says what it would refuse, or refuses."""

    OFF = "off"
    RECORD = "record"
    ENFORCE = "enforce"


@dataclass(frozen=True, slots=True)
class GuardPolicy:
    """`floor_*`: unverified sends that any country may have open, however little it has verified."""

    mode: Mode
    floor_hour: int
    floor_day: int
    block_hour: int
    """Unverified sends an hour that any block of 10,000 neighbouring numbers may have open."""
    shards: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the guard counts for a send, and which of its limits the send is over."""

    increments: tuple[ShardIncrement, ...]
    over: tuple[str, ...]
    retry_after: int
    """Seconds until the first of those limits starts anew."""
    unverified: int
    """Sends to the country this hour, this one included; 0 where anyone verified in it or in the last."""


def hour_window(country: str, now: int, shards: int) -> CounterWindow:
    """The country's sends of the hour that `now` is in."""
    start = datetime.fromtimestamp(now - now % HOUR, UTC)
    return CounterWindow(f"B#{country}#{start:%Y-%m-%dT%H}", shards, now - now % HOUR + HOUR)


def day_window(country: str, now: int, shards: int) -> CounterWindow:
    """The country's sends of the UTC day that `now` is in."""
    start = datetime.fromtimestamp(now - now % DAY, UTC)
    return CounterWindow(f"B#{country}#{start:%Y-%m-%d}", shards, now - now % DAY + DAY)


def block_hour_window(block_key: str, now: int) -> CounterWindow:
    """The sends of this hour to one block of numbers, by its keyed hash."""
    start = datetime.fromtimestamp(now - now % HOUR, UTC)
    return CounterWindow(f"P#{block_key}#{start:%Y-%m-%dT%H}", 1, now - now % HOUR + HOUR)


def block_day_window(block_key: str, now: int) -> CounterWindow:
    """The same of this UTC day."""
    start = datetime.fromtimestamp(now - now % DAY, UTC)
    return CounterWindow(f"P#{block_key}#{start:%Y-%m-%d}", 1, now - now % DAY + DAY)


@dataclass(slots=True)
class History:
    """What is known of past hours and days. Once their last codes have ended they no longer change, so that
    each is then read once per environment.
    """

    verified: dict[str, int] = field(default_factory=dict)
    settled: set[str] = field(default_factory=set)
    swept_on: str = ""

    def missing(self, windows: Iterable[CounterWindow]) -> list[CounterWindow]:
        """The windows that must still be read."""
        return [window for window in windows if window.stem not in self.settled]

    def prime(
        self, window: CounterWindow, read: Mapping[str, Counter], sampled: tuple[str, ...], now: int
    ) -> None:
        """Remember a past window, for good once nothing that was sent in it can be verified any more."""
        self.verified[window.stem] = window.verified(read, sampled)
        if now >= window.ends_at + LONGEST_CODE_LIFE:
            self.settled.add(window.stem)

    def forget_before(self, today: str) -> None:
        """Once a day, drop what is older than the guard looks back: an environment may live for long."""
        if today == self.swept_on:
            return
        self.swept_on = today
        oldest = (datetime.fromisoformat(today) - timedelta(days=HISTORY_DAYS + 1)).strftime("%Y-%m-%d")
        self.verified = {
            stem: count for stem, count in self.verified.items() if stem.split("#")[2][:10] >= oldest
        }
        self.settled &= self.verified.keys()


class Guard:
    """The decision for one send. Made for each request; `history` is shared between them."""

    def __init__(
        self, policy: GuardPolicy, history: History, country: str, block_keys: tuple[str, ...], now: int
    ) -> None:
        """`block_keys`: the block's, the one that is counted under first."""
        self._policy = policy
        self._history = history
        self._now = now
        self._hour = hour_window(country, now, policy.shards)
        self._day = day_window(country, now, policy.shards)
        self._block_hours = [block_hour_window(key, now) for key in block_keys]
        self._block_days = [block_day_window(key, now) for key in block_keys]
        self._last_hour = hour_window(country, now - HOUR, policy.shards)
        self._past_days = [day_window(country, now - DAY * ago, policy.shards) for ago in range(1, 15)]
        past = [self._last_hour, *self._past_days]
        self._to_learn = history.missing(past)
        self._sampled = {
            window.stem: window.sample()
            for window in (self._hour, self._day, *self._block_hours, *self._block_days, *self._to_learn)
        }

    @property
    def keys(self) -> tuple[str, ...]:
        """The counters that must be read before `decide`."""
        return tuple(key for sampled in self._sampled.values() for key in sampled)

    def decide(self, read: Mapping[str, Counter]) -> Verdict:
        """What this send counts on, and what it is over."""
        for window in self._to_learn:
            self._history.prime(window, read, self._sampled[window.stem], self._now)
        self._history.forget_before(f"{datetime.fromtimestamp(self._now, UTC):%Y-%m-%d}")
        increments, over, waits = [], [], []
        block_hour = self._block_limit(read, self._block_hours, self._policy.block_hour)
        block_day = self._block_limit(read, self._block_days, self._policy.block_hour * BLOCK_DAY_FLOORS)
        for name, window, limit, keep in (
            (COUNTRY_HOUR, self._hour, self._hour_limit(read), KEEP_HOUR),
            (COUNTRY_DAY, self._day, self._day_limit(read), KEEP_DAY),
            (BLOCK_HOUR, self._block_hours[0], block_hour, KEEP_HOUR),
            (BLOCK_DAY, self._block_days[0], block_day, KEEP_HOUR),
        ):
            sampled = self._sampled[window.stem]
            increment = window.increment(read, sampled, limit, keep)
            if increment is None:
                over.append(name)
                waits.append(window.ends_at - self._now)
            if increment is None or self._policy.mode is not Mode.ENFORCE:
                increment = window.uncounted(sampled, limit, keep)
            increments.append(increment)
        return Verdict(tuple(increments), tuple(over), min(waits, default=0), self._unverified(read))

    def _unverified(self, read: Mapping[str, Counter]) -> int:
        sampled = self._sampled[self._hour.stem]
        if self._hour.verified(read, sampled) or self._history.verified[self._last_hour.stem]:
            return 0
        return self._hour.used(read, sampled) + 1

    def _hour_limit(self, read: Mapping[str, Counter]) -> int:
        this_hour = self._hour.verified(read, self._sampled[self._hour.stem])
        last_hour = self._history.verified[self._last_hour.stem] * (HOUR - self._now % HOUR) / HOUR
        return int(max(self._policy.floor_hour, 0.2 * self._best_day() / 6, 0.2 * (this_hour + last_hour)))

    def _day_limit(self, read: Mapping[str, Counter]) -> int:
        today = self._day.verified(read, self._sampled[self._day.stem])
        yesterday = self._history.verified[self._past_days[0].stem] * (DAY - self._now % DAY) / DAY
        return int(max(self._policy.floor_day, 0.3 * self._best_day(), 0.3 * (today + yesterday)))

    def _block_limit(self, read: Mapping[str, Counter], windows: Sequence[CounterWindow], floor: int) -> int:
        """Of the block as it is counted now, less what is counted under an earlier pepper."""
        keys = (key for window in windows for key in self._sampled[window.stem])
        _, *before = counters = [read.get(key, NOTHING) for key in keys]
        verified = sum(counter.verified for counter in counters)
        return int(max(floor, BLOCK_SHARE * verified)) - sum(counter.used for counter in before)

    def _best_day(self) -> int:
        return max(self._history.verified[window.stem] for window in self._past_days)
