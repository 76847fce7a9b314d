"""The money of the whole service in a UTC day, and the pools that limit the guard's floors.

    D#<day>   `spent` and, of that, `strangers`; for each lane `<lane>Floor`, for day and hour; `shards`

The cap is exact: money stays spent if the code expires, and each shard's part is a write condition.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace

from sms_otp.domain.budgets import NOTHING, SAMPLE, Counts, DayCounter, NoRoom, ShardIncrement, Spans, hourly
from sms_otp.domain.guard import COUNTRY, BudgetLane

KEPT_FOR_KNOWN = 5
"""A fifth of the cap is kept for the known and own lanes: an attack can spend only the rest."""
SPENT, STRANGERS, SHARDS = "spent", "strangers", "shards"
SERVICE_DAY = "service day"


@dataclass(frozen=True, slots=True)
class ServiceDay:
    """Money spent today. `cap` and `price` in micro-dollars."""

    day: DayCounter
    sampled: tuple[str, ...]
    cap: int
    price: int

    def increments(
        self, read: Mapping[str, Counts], lane: BudgetLane, pool: Spans | None
    ) -> tuple[ShardIncrement, ...]:
        """Charge the price to the cap and, where a floor admits the send, to the lane's pool.

        Raises `NoRoom`.
        """
        increments = [self.spend(read, lane)]
        if pool is not None:
            increments.append(self._out_of_pool(read, lane, pool))
        if (shard_count := self._note_shards(read)) is not None:
            increments.append(shard_count)
        by_key: dict[str, ShardIncrement] = {}
        for increment in increments:
            earlier = by_key.get(increment.key)
            by_key[increment.key] = increment if earlier is None else earlier.joined(increment)
        return tuple(by_key.values())

    def spend(self, read: Mapping[str, Counts], lane: BudgetLane) -> ShardIncrement:
        """Charge the price to the cap. Raises `NoRoom`."""
        limits = {SPENT: self.cap}
        if lane not in (BudgetLane.OWN, BudgetLane.KNOWN):
            limits[STRANGERS] = self.cap - self.cap // KEPT_FOR_KNOWN
        increment = self.day.increment(read, self.sampled, self.price, limits)
        if increment is None:
            raise NoRoom(SERVICE_DAY, self.day.to_midnight)
        return replace(increment, spent=dict.fromkeys(limits, self.price))

    def used(self, read: Mapping[str, Counts]) -> float:
        """Percent of the cap that is spent, this send included; estimated from a few shards."""
        spent = self.day.total(read, self.sampled).get(SPENT, 0) + self.price
        return round(100 * spent / self.cap, 1)

    def shards_seen(self, read: Mapping[str, Counts]) -> int:
        """Today's number of shards, as stored."""
        return read.get(self.day.first, NOTHING).get(SHARDS, 1)

    def _out_of_pool(self, read: Mapping[str, Counts], lane: BudgetLane, pool: Spans) -> ShardIncrement:
        """Charge the price to the lane's pool, which is small and kept on the first shard."""
        name, counts = f"{lane}Floor", read.get(self.day.first, NOTHING)
        limits = {
            hourly(name, self.day.hour): pool.hour - self.day.rest_of_last_hour(name, counts),
            name: pool.day,
        }
        most = {each: limit - self.price for each, limit in limits.items()}
        self.day.hold(counts, most, COUNTRY)
        return replace(self.day.on(self.day.first, read, most), open=dict.fromkeys(most, self.price))

    def _note_shards(self, read: Mapping[str, Counts]) -> ShardIncrement | None:
        """Store today's number of shards, so that a lower cap does not lose counts.

        Once a day; with many shards, by one request in `shards`, or all would contend for the first one.
        """
        shards, seen = self.day.shards, self.shards_seen(read)
        if shards <= seen or (shards > SAMPLE and secrets.randbelow(shards)):
            return None
        stored = read.get(self.day.first, NOTHING).get(SHARDS, 0)
        return replace(self.day.on(self.day.first, read, {SHARDS: stored}), spent={SHARDS: shards - stored})
