"""Counts that many requests share: the service's sends of a day, a country's unverified sends of an hour.

One item for such a count would be hot: every request would wait for the last. So a budget is dealt
out to shards, each with its share of the limit, and a send is one conditional write on one of them.
No more than the limit is ever spent, because no shard spends more than its share. A service that may
send 25,000 codes a day needs one shard; one that sends 1,000 a second has 512 and two sends a second
on each.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

SENDS_PER_SHARD = 25_000
"""A day's sends that one item carries: at ten times the mean rate, three writes a second."""
MOST_SHARDS = 512
SAMPLE = 4
"""Shards that one request looks at. Up to this many, a budget is also never refused before it is spent."""


def shards_for(sends_per_day: int) -> int:
    """How many items a count needs, if the whole service may send this often."""
    return min(1 + sends_per_day // SENDS_PER_SHARD, MOST_SHARDS)


@dataclass(frozen=True, slots=True)
class Counter:
    """One shard, as it was read. `used` sends, and of those in all times of the window `verified`."""

    used: int = 0
    verified: int = 0


NOTHING = Counter()


@dataclass(frozen=True, slots=True)
class ShardIncrement:
    """One shard's part of a budget, to be spent by the conditional write `used < limit`."""

    key: str
    limit: int | None
    """None: counted and never refused."""
    keep_until: int
    """Seconds; when the count may be forgotten."""


@dataclass(frozen=True, slots=True)
class CounterWindow:
    """A count over one stretch of time, spread over shards. `stem` names it, `ends_at` in seconds.

    A limit that is smaller than the number of shards is not worth spreading, and most shards would have
    no part of it: the first one, at which every request looks, has it all. Where there are more shards
    than a request looks at, the first has no other use.
    """

    stem: str
    shards: int
    ends_at: int

    def sample(self) -> tuple[str, ...]:
        """The keys of a few shards for one request to look at: the first, and others by chance."""
        if self.shards <= SAMPLE:
            return tuple(self._key(shard) for shard in range(self.shards))
        others = secrets.SystemRandom().sample(range(1, self.shards), SAMPLE - 1)
        return tuple(self._key(shard) for shard in (0, *others))

    def verified(self, read: Mapping[str, Counter], sampled: tuple[str, ...]) -> int:
        """How many were verified over all shards, estimated from the sampled ones."""
        return self._estimate([read.get(key, NOTHING).verified for key in sampled])

    def used(self, read: Mapping[str, Counter], sampled: tuple[str, ...]) -> int:
        """The same of sends."""
        return self._estimate([read.get(key, NOTHING).used for key in sampled])

    def _estimate(self, counts: list[int]) -> int:
        first, *others = counts
        return first + sum(others) * (self.shards - 1) // max(1, len(others))

    def increment(
        self, read: Mapping[str, Counter], sampled: tuple[str, ...], limit: int, keep_seconds: int
    ) -> ShardIncrement | None:
        """A sampled shard that has something left of its part of `limit`, or None if none has."""
        open_shards = [
            key
            for key in self._used_for(limit, sampled)
            if read.get(key, NOTHING).used < self._part(key, limit)
        ]
        if not open_shards:
            return None
        key = secrets.choice(open_shards)
        return ShardIncrement(key, self._part(key, limit), self.ends_at + keep_seconds)

    def uncounted(self, sampled: tuple[str, ...], limit: int, keep_seconds: int) -> ShardIncrement:
        """A shard that is counted on, whatever its count."""
        key = secrets.choice(self._used_for(limit, sampled))
        return ShardIncrement(key, None, self.ends_at + keep_seconds)

    def _used_for(self, limit: int, sampled: tuple[str, ...]) -> tuple[str, ...]:
        if self.shards <= SAMPLE:
            return sampled
        return sampled[:1] if limit < self.shards else sampled[1:]

    def _part(self, key: str, limit: int) -> int:
        shard = int(key.rpartition("#")[2])
        if self.shards <= SAMPLE:
            return limit // self.shards + (shard < limit % self.shards)
        if shard == 0:
            return limit
        spread = self.shards - 1
        return limit // spread + (shard <= limit % spread)

    def _key(self, shard: int) -> str:
        return f"{self.stem}#{shard}"
