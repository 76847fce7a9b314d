"""Sharded counters: the service's money of a day, the unverified sends of a country or of a block.

One item for such a counter would be hot: every request would wait for the last. So each shard has its part
of the limit, and a send is one conditional write on one shard. The limit is never exceeded, because no shard
exceeds its part. A service that may spend 50 dollars a day needs one shard; one that spends half a million
has 512.

An item counts one UTC day, and its attributes also count the hour: `open` is the day's, `open21` that of
21:00 to 22:00. So both limits are conditions of one write. A later write to the item removes
hours that have passed.
"""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sms_otp.domain.clock import DAY, HOUR, NO_SECONDS, Seconds

DOLLARS_PER_SHARD = 100
"""Dollars a day on one shard: 12,500 codes to the US, 1.5 writes a second at ten times the mean."""
MOST_SHARDS = 512
SAMPLE = 4
"""Shards that one request reads. With no more than these, a budget is refused only once it is spent."""
KEEP_DAYS = 16
"""Days that an item outlives its own: the guard looks back two weeks."""
LEAST_PART = 8
"""Sends that each shard's part must have room for; otherwise the first shard has the whole limit."""

Counts = Mapping[str, int]
"""Counters of one item, by attribute."""
NOTHING: Counts = {}


def shards_for(dollars_a_day: int) -> int:
    """The number of shards for a service that may spend this many dollars a day."""
    return min(1 + dollars_a_day // DOLLARS_PER_SHARD, MOST_SHARDS)


@dataclass(frozen=True, slots=True)
class Spans:
    """An amount or a limit, for an hour and for a day."""

    hour: int = 0
    day: int = 0

    def times(self, factor: float, factor_of_day: float | None = None) -> "Spans":
        """Multiplied and rounded down; the day by `factor_of_day` where that is set."""
        by_day = factor if factor_of_day is None else factor_of_day
        return Spans(int(self.hour * factor), int(self.day * by_day))

    def at_least(self, amount: int) -> "Spans":
        """Both raised to at least `amount`."""
        return Spans(max(self.hour, amount), max(self.day, amount))


NONE_YET = Spans()


@dataclass(frozen=True, slots=True)
class ShardIncrement:
    """Counts that one send adds to one item, on condition that no limit is exceeded."""

    key: str
    open: Counts = field(default_factory=dict)
    """Added with the send, subtracted when the code is verified."""
    spent: Counts = field(default_factory=dict)
    """Added for good."""
    verified: Counts = field(default_factory=dict)
    """Added when the code is verified."""
    limits: Counts = field(default_factory=dict)
    """The most that each attribute may hold before the write. Other attributes have no limit."""
    expired: tuple[str, ...] = ()
    """Attributes to remove: hours that no window covers any more."""
    keep_until: Seconds = NO_SECONDS
    """When the item may be forgotten."""

    @property
    def added(self) -> dict[str, int]:
        """All counts added with the send."""
        return {**self.open, **self.spent}

    def joined(self, other: "ShardIncrement") -> "ShardIncrement":
        """Both increments of one item, as one write."""
        return ShardIncrement(
            self.key,
            {**self.open, **other.open},
            {**self.spent, **other.spent},
            {**self.verified, **other.verified},
            {**self.limits, **other.limits},
            tuple(dict.fromkeys((*self.expired, *other.expired))),
            max(self.keep_until, other.keep_until),
        )


@dataclass(frozen=True, slots=True)
class OpenCount:
    """Counts of an unverified send on one item, as its verification stores them."""

    key: str
    open: Counts
    verified: Counts

    def dump(self) -> str:
        """Short: `B#US#2027-01-15#0|open=8000,open21=8000|verified=8000,verified21=8000`."""
        return "|".join((self.key, _text(self.open), _text(self.verified)))

    @classmethod
    def load(cls, text: str) -> "OpenCount":
        """The inverse of `dump`. Raises `ValueError` for any other text."""
        key, opened, verified = text.split("|")
        return cls(key, _counts(opened), _counts(verified))


def _text(counts: Counts) -> str:
    return ",".join(f"{name}={amount}" for name, amount in counts.items())


def _counts(text: str) -> dict[str, int]:
    pairs = (pair.split("=") for pair in text.split(",") if pair)
    return {name: int(amount) for name, amount in pairs}


def dumped(increments: Iterable[ShardIncrement]) -> tuple[str, ...]:
    """The increments that a success changes, dumped for the verification; see `OpenCount`."""
    return tuple(
        OpenCount(increment.key, increment.open, increment.verified).dump()
        for increment in increments
        if increment.open or increment.verified
    )


def changes_of_success(first: Iterable[OpenCount], resends: Iterable[OpenCount]) -> dict[str, dict[str, int]]:
    """Counter increments of a success, by item and attribute. Resends do not count as verified again."""
    changes: dict[str, dict[str, int]] = {}
    for counted, is_first in [*((each, True) for each in first), *((each, False) for each in resends)]:
        change = changes.setdefault(counted.key, {})
        for name, amount in counted.open.items():
            change[name] = change.get(name, 0) - amount
        for name, amount in (counted.verified if is_first else NOTHING).items():
            change[name] = change.get(name, 0) + amount
    return changes


class NoRoom(Exception):
    """A budget is full. `retry_after`: seconds until it may have room again."""

    def __init__(self, budget: str, retry_after: Seconds) -> None:
        super().__init__(budget)
        self.budget, self.retry_after = budget, retry_after


def hourly(name: str, hour: int) -> str:
    """The attribute that counts `name` in this hour of the day, 0 to 23."""
    return f"{name}{hour:02d}"


def per_hour_and_day(name: str, amount: int, hour: int) -> dict[str, int]:
    """The amount under the attributes of the day and of the hour."""
    return {name: amount, hourly(name, hour): amount}


@dataclass(frozen=True, slots=True)
class DayCounter:
    """A sharded counter of one UTC day: today at the moment `now`, or a past day.

    A limit without room for `LEAST_PART` sends on each shard is not split: the first shard, which every
    request reads, has all of it. With more shards than a request reads, the first has no other use.
    """

    stem: str
    now: Seconds
    shards: int

    @classmethod
    def of(cls, prefix: str, now: Seconds, shards: int = 1) -> "DayCounter":
        """The counter of the UTC day of `now`."""
        return cls(f"{prefix}#{datetime.fromtimestamp(now, UTC):%Y-%m-%d}", now, shards)

    @property
    def ends_at(self) -> Seconds:
        """Midnight at the end of the day."""
        return self.now - self.now % DAY + DAY

    @property
    def date(self) -> str:
        """YYYY-MM-DD."""
        return self.stem.rpartition("#")[2]

    @property
    def hour(self) -> int:
        """The hour of the day at `now`, 0 to 23."""
        return self.now % DAY // HOUR

    @property
    def first(self) -> str:
        """The key of the first shard."""
        return f"{self.stem}#0"

    def sample(self) -> tuple[str, ...]:
        """The keys of the shards that one request reads: the first, and others at random."""
        if self.shards <= SAMPLE:
            return tuple(f"{self.stem}#{shard}" for shard in range(self.shards))
        others = secrets.SystemRandom().sample(range(1, self.shards), SAMPLE - 1)
        return tuple(f"{self.stem}#{shard}" for shard in (0, *others))

    def total(self, read: Mapping[str, Counts], sampled: tuple[str, ...]) -> dict[str, int]:
        """Each attribute's total over all shards, estimated from the sampled ones."""
        first, *others = (read.get(key, NOTHING) for key in sampled)
        total = dict(first)
        for name in {name for counts in others for name in counts}:
            elsewhere = sum(counts.get(name, 0) for counts in others) * (self.shards - 1) // len(others)
            total[name] = total.get(name, 0) + elsewhere
        return total

    def last_60_minutes(self, name: str, today: Counts, yesterday: Counts = NOTHING) -> int:
        """The count of this hour, plus the part of the last hour that is within 60 minutes."""
        return today.get(hourly(name, self.hour), 0) + self.rest_of_last_hour(name, today, yesterday)

    def last_24_hours(self, name: str, today: Counts, yesterday: Counts = NOTHING) -> int:
        """The count of today, plus the part of yesterday that is within 24 hours."""
        return today.get(name, 0) + self.rest_of_yesterday(name, yesterday)

    def rest_of_last_hour(self, name: str, today: Counts, yesterday: Counts = NOTHING) -> int:
        """The part of the last hour's count within 60 minutes, assuming an even spread."""
        last_hour = (today if self.hour else yesterday).get(hourly(name, (self.hour - 1) % 24), 0)
        return last_hour * (HOUR - self.now % HOUR) // HOUR

    def rest_of_yesterday(self, name: str, yesterday: Counts) -> int:
        """The part of yesterday's count within 24 hours, assuming an even spread."""
        return yesterday.get(name, 0) * (DAY - self.now % DAY) // DAY

    @property
    def to_next_hour(self) -> Seconds:
        """Seconds until the hour ends."""
        return HOUR - self.now % HOUR

    @property
    def to_midnight(self) -> Seconds:
        """Seconds until the day ends."""
        return DAY - self.now % DAY

    def hold(self, counts: Counts, most: Counts, budget: str) -> None:
        """Raise `NoRoom`, until the end of the hour or day, if a count exceeds its entry in `most`."""
        over = [name for name, limit in most.items() if counts.get(name, 0) > limit]
        if over:
            is_hour = all(name[-2:].isdigit() for name in over)
            raise NoRoom(budget, self.to_next_hour if is_hour else self.to_midnight)

    def increment(
        self, read: Mapping[str, Counts], sampled: tuple[str, ...], amount: int, limits: Counts
    ) -> ShardIncrement | None:
        """An increment of a shard whose part of every limit has room for `amount`, or None if no shard has.

        `limits`: the most that each attribute may count over all shards. The caller sets the added counts.
        """
        parts = self._parts(read, sampled, amount, limits)
        has_room = [
            key
            for key, part in parts.items()
            if all(read.get(key, NOTHING).get(name, 0) + amount <= most for name, most in part.items())
        ]
        if not has_room:
            return None
        key = secrets.choice(has_room)
        return self.on(key, read, {name: most - amount for name, most in parts[key].items()})

    def unlimited(self, read: Mapping[str, Counts], sampled: tuple[str, ...]) -> ShardIncrement:
        """An increment of a random shard, without limits."""
        return self.on(secrets.choice(sampled[1:] if self.shards > SAMPLE else sampled), read, NOTHING)

    def on(self, key: str, read: Mapping[str, Counts], limits: Counts) -> ShardIncrement:
        """An increment of this item."""
        return ShardIncrement(
            key,
            limits=limits,
            expired=tuple(sorted(name for name in read.get(key, NOTHING) if self._has_expired(name))),
            keep_until=self.ends_at + KEEP_DAYS * DAY,
        )

    def _parts(
        self, read: Mapping[str, Counts], sampled: tuple[str, ...], amount: int, limits: Counts
    ) -> dict[str, dict[str, int]]:
        """The part of each limit, by shard that the send may be counted on."""
        total, first = self.total(read, sampled), read.get(self.first, NOTHING)
        if self.shards == 1 or min(limits.values()) < LEAST_PART * self.shards * amount:
            elsewhere = {name: total.get(name, 0) - first.get(name, 0) for name in limits}
            return {self.first: {name: limit - elsewhere[name] for name, limit in limits.items()}}
        if self.shards <= SAMPLE:
            return {
                key: {name: dealt(limit, index, self.shards) for name, limit in limits.items()}
                for index, key in enumerate(sampled)
            }
        return {
            key: {
                name: dealt(limit - first.get(name, 0), _shard(key) - 1, self.shards - 1)
                for name, limit in limits.items()
            }
            for key in sampled[1:]
        }

    def _has_expired(self, name: str) -> bool:
        """Whether it counts an hour before the last one. Codes live ten minutes at most."""
        return name[-2:].isdigit() and int(name[-2:]) < self.hour - 1


def dealt(limit: int, index: int, shards: int) -> int:
    """One shard's part of the limit; all parts add up to it."""
    return limit // shards + (index < limit % shards)


def _shard(key: str) -> int:
    return int(key.rpartition("#")[2])
