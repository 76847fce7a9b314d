"""Counts that many requests share: the service's money of a day, a country's unverified sends, a block's.

One item for such a count would be hot: every request would wait for the last. So a budget is dealt
out to shards, each with its part of the limit, and a send is one conditional write on one of them.
No more than the limit is ever spent, because no shard spends more than its part. A service that may
spend 50 dollars a day needs one shard; one that spends half a million has 512.

An item counts one UTC day, and its attributes also count the hour: `open` is the day's, `open21` that of
21:00 to 22:00. So both limits are conditions of one write. Hours that have passed are taken out by a later
write to the same item.
"""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sms_otp.domain.clock import DAY, HOUR, NO_SECONDS, Seconds

DOLLARS_PER_SHARD = 100
"""A day's money that one item carries: 12,500 codes to the US, 1.5 writes a second at ten times the mean."""
MOST_SHARDS = 512
SAMPLE = 4
"""Shards that one request looks at. Up to this many, a budget is also never refused before it is spent."""
KEEP_DAYS = 16
"""How long an item outlives its day: the guard looks back two weeks."""
LEAST_PART = 8
"""Sends that a shard's part must have room for, or the first shard has the whole limit."""

Counts = Mapping[str, int]
"""One item's attributes that count, by name."""
NOTHING: Counts = {}


def shards_for(dollars_a_day: int) -> int:
    """How many items a count needs, if the whole service may spend this much."""
    return min(1 + dollars_a_day // DOLLARS_PER_SHARD, MOST_SHARDS)


@dataclass(frozen=True, slots=True)
class Spans:
    """An amount or a limit for an hour, and the same for a day."""

    hour: int = 0
    day: int = 0

    def times(self, factor: float, factor_of_day: float | None = None) -> "Spans":
        """Rounded down."""
        by_day = factor if factor_of_day is None else factor_of_day
        return Spans(int(self.hour * factor), int(self.day * by_day))

    def at_least(self, amount: int) -> "Spans":
        """These, and no less than the amount."""
        return Spans(max(self.hour, amount), max(self.day, amount))


NONE_YET = Spans()


@dataclass(frozen=True, slots=True)
class ShardIncrement:
    """What one send adds to one item, on the condition that no limit is passed."""

    key: str
    open: Counts = field(default_factory=dict)
    """Added until the code is verified, which takes it out again."""
    spent: Counts = field(default_factory=dict)
    """Added for good."""
    verified: Counts = field(default_factory=dict)
    """Added when the code is verified."""
    limits: Counts = field(default_factory=dict)
    """The most that each of these attributes may hold before. What is not named is never refused."""
    expired: tuple[str, ...] = ()
    """Attributes of hours that no window looks at any more."""
    keep_until: Seconds = NO_SECONDS
    """When the item may be forgotten."""

    @property
    def added(self) -> dict[str, int]:
        """All that the send adds."""
        return {**self.open, **self.spent}

    def joined(self, other: "ShardIncrement") -> "ShardIncrement":
        """Both as one write to their item."""
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
    """A send that stands as unverified on one item, as its verification remembers it."""

    key: str
    open: Counts
    verified: Counts

    def dump(self) -> str:
        """Short: `B#US#2027-01-15#0|open=8000,open21=8000|verified=8000,verified21=8000`."""
        return "|".join((self.key, _text(self.open), _text(self.verified)))

    @classmethod
    def load(cls, text: str) -> "OpenCount":
        """What `dump` made. Raises `ValueError` for anything else."""
        key, opened, verified = text.split("|")
        return cls(key, _counts(opened), _counts(verified))


def _text(counts: Counts) -> str:
    return ",".join(f"{name}={amount}" for name, amount in counts.items())


def _counts(text: str) -> dict[str, int]:
    pairs = (pair.split("=") for pair in text.split(",") if pair)
    return {name: int(amount) for name, amount in pairs}


def dumped(increments: Iterable[ShardIncrement]) -> tuple[str, ...]:
    """What a verification must take out again, of the increments of its send; see `OpenCount`."""
    return tuple(
        OpenCount(increment.key, increment.open, increment.verified).dump()
        for increment in increments
        if increment.open or increment.verified
    )


def changes_of_success(first: Iterable[OpenCount], resends: Iterable[OpenCount]) -> dict[str, dict[str, int]]:
    """What a success adds, by item and attribute. One verification, so its resends are not verified again."""
    changes: dict[str, dict[str, int]] = {}
    for counted, is_first in [*((each, True) for each in first), *((each, False) for each in resends)]:
        change = changes.setdefault(counted.key, {})
        for name, amount in counted.open.items():
            change[name] = change.get(name, 0) - amount
        for name, amount in (counted.verified if is_first else NOTHING).items():
            change[name] = change.get(name, 0) + amount
    return changes


class NoRoom(Exception):
    """A budget is full: which one, and how long until it may have room again."""

    def __init__(self, budget: str, retry_after: Seconds) -> None:
        super().__init__(budget)
        self.budget, self.retry_after = budget, retry_after


def hourly(name: str, hour: int) -> str:
    """The attribute that counts `name` in this hour of the day."""
    return f"{name}{hour:02d}"


def per_hour_and_day(name: str, amount: int, hour: int) -> dict[str, int]:
    """The same amount for the day and for the hour."""
    return {name: amount, hourly(name, hour): amount}


@dataclass(frozen=True, slots=True)
class DayCounter:
    """A count of one UTC day, spread over shards: today's, at a moment; or a past day's.

    A limit that has no room for `LEAST_PART` sends on each shard is not dealt out: the first shard, at which
    every request looks, has it all. Where there are more shards than a request looks at, the first has no
    other use.
    """

    stem: str
    now: Seconds
    shards: int

    @classmethod
    def of(cls, prefix: str, now: Seconds, shards: int = 1) -> "DayCounter":
        """Of the day that `now` is in."""
        return cls(f"{prefix}#{datetime.fromtimestamp(now, UTC):%Y-%m-%d}", now, shards)

    @property
    def ends_at(self) -> Seconds:
        """The midnight that ends it."""
        return self.now - self.now % DAY + DAY

    @property
    def date(self) -> str:
        """YYYY-MM-DD."""
        return self.stem.rpartition("#")[2]

    @property
    def hour(self) -> int:
        """The hour of the day that `now` is in."""
        return self.now % DAY // HOUR

    @property
    def first(self) -> str:
        """The key of the first shard."""
        return f"{self.stem}#0"

    def sample(self) -> tuple[str, ...]:
        """The keys of a few shards for one request to look at: the first, and others by chance."""
        if self.shards <= SAMPLE:
            return tuple(f"{self.stem}#{shard}" for shard in range(self.shards))
        others = secrets.SystemRandom().sample(range(1, self.shards), SAMPLE - 1)
        return tuple(f"{self.stem}#{shard}" for shard in (0, *others))

    def total(self, read: Mapping[str, Counts], sampled: tuple[str, ...]) -> dict[str, int]:
        """Every attribute over all shards, estimated from the sampled ones."""
        first, *others = (read.get(key, NOTHING) for key in sampled)
        total = dict(first)
        for name in {name for counts in others for name in counts}:
            elsewhere = sum(counts.get(name, 0) for counts in others) * (self.shards - 1) // len(others)
            total[name] = total.get(name, 0) + elsewhere
        return total

    def last_60_minutes(self, name: str, today: Counts, yesterday: Counts = NOTHING) -> int:
        """This hour's, and the rest of the last one's."""
        return today.get(hourly(name, self.hour), 0) + self.rest_of_last_hour(name, today, yesterday)

    def last_24_hours(self, name: str, today: Counts, yesterday: Counts = NOTHING) -> int:
        """Today's, and the rest of yesterday's."""
        return today.get(name, 0) + self.rest_of_yesterday(name, yesterday)

    def rest_of_last_hour(self, name: str, today: Counts, yesterday: Counts = NOTHING) -> int:
        """What is still within 60 minutes of the last hour's, as if evenly spread."""
        last_hour = (today if self.hour else yesterday).get(hourly(name, (self.hour - 1) % 24), 0)
        return last_hour * (HOUR - self.now % HOUR) // HOUR

    def rest_of_yesterday(self, name: str, yesterday: Counts) -> int:
        """What is still within 24 hours of yesterday's, as if evenly spread."""
        return yesterday.get(name, 0) * (DAY - self.now % DAY) // DAY

    @property
    def to_next_hour(self) -> Seconds:
        """How long this hour still has."""
        return HOUR - self.now % HOUR

    @property
    def to_midnight(self) -> Seconds:
        """How long this day still has."""
        return DAY - self.now % DAY

    def hold(self, counts: Counts, most: Counts, budget: str) -> None:
        """Raise `NoRoom` where a count is over the most that it may hold, until its hour or day ends."""
        over = [name for name, limit in most.items() if counts.get(name, 0) > limit]
        if over:
            is_hour = all(name[-2:].isdigit() for name in over)
            raise NoRoom(budget, self.to_next_hour if is_hour else self.to_midnight)

    def increment(
        self, read: Mapping[str, Counts], sampled: tuple[str, ...], amount: int, limits: Counts
    ) -> ShardIncrement | None:
        """An item whose part of every limit has room for `amount`, or None if none has.

        `limits`: the most that each attribute may count over all shards. The caller says what is added.
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
        """An item that is counted on and never refused."""
        return self.on(secrets.choice(sampled[1:] if self.shards > SAMPLE else sampled), read, NOTHING)

    def on(self, key: str, read: Mapping[str, Counts], limits: Counts) -> ShardIncrement:
        """An increment of this very item."""
        return ShardIncrement(
            key,
            limits=limits,
            expired=tuple(sorted(name for name in read.get(key, NOTHING) if self._has_expired(name))),
            keep_until=self.ends_at + KEEP_DAYS * DAY,
        )

    def _parts(
        self, read: Mapping[str, Counts], sampled: tuple[str, ...], amount: int, limits: Counts
    ) -> dict[str, dict[str, int]]:
        """The part of each limit that each shard has which the send may be counted on."""
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
        """Whether this counts an hour before the last one. A code is verified within ten minutes."""
        return name[-2:].isdigit() and int(name[-2:]) < self.hour - 1


def dealt(limit: int, index: int, shards: int) -> int:
    """One shard's part; all parts add up to the limit."""
    return limit // shards + (index < limit % shards)


def _shard(key: str) -> int:
    return int(key.rpartition("#")[2])
