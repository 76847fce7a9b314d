"""The whole service's money of a UTC day, and the pools out of which the guard's floors come.

    D#<day>   `spent` and, of that, `strangers`; for each lane `<lane>Floor`, for day and hour; `shards`

The cap is exact: money stays spent if the code expires, and each shard's part is a condition.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace

from sms_otp.domain.budgets import NOTHING, SAMPLE, Counts, DayCounter, NoRoom, ShardIncrement, Spans, hourly
from sms_otp.domain.guard import COUNTRY, BudgetLane

KEPT_FOR_KNOWN = 5
"""A fifth of the day's money is kept for known numbers and own lanes: an attack can spend the rest alone."""
SPENT, STRANGERS, SHARDS = "spent", "strangers", "shards"
SERVICE_DAY = "service day"


@dataclass(frozen=True, slots=True)
class ServiceDay:
    """Today's money. `cap` and `price` in micro-dollars."""

    day: DayCounter
    sampled: tuple[str, ...]
    cap: int
    price: int

    def increments(
        self, read: Mapping[str, Counts], lane: BudgetLane, pool: Spans | None
    ) -> tuple[ShardIncrement, ...]:
        """The price of a send, out of the cap and, where a floor admits it, out of the lane's pool.

        Raises `NoRoom`.
        """
        increments = [self.spend(read, lane)]
        if pool is not None:
            increments.append(self._out_of_pool(read, lane, pool))
        if (noted := self._note_shards(read)) is not None:
            increments.append(noted)
        by_key: dict[str, ShardIncrement] = {}
        for increment in increments:
            known = by_key.get(increment.key)
            by_key[increment.key] = increment if known is None else known.joined(increment)
        return tuple(by_key.values())

    def spend(self, read: Mapping[str, Counts], lane: BudgetLane) -> ShardIncrement:
        """The price out of the cap. Raises `NoRoom`."""
        limits = {SPENT: self.cap}
        if lane not in (BudgetLane.OWN, BudgetLane.KNOWN):
            limits[STRANGERS] = self.cap - self.cap // KEPT_FOR_KNOWN
        increment = self.day.increment(read, self.sampled, self.price, limits)
        if increment is None:
            raise NoRoom(SERVICE_DAY, self.day.to_midnight)
        return replace(increment, spent=dict.fromkeys(limits, self.price))

    def used(self, read: Mapping[str, Counts]) -> float:
        """Percent of the cap that is spent once this send is, estimated from a few shards."""
        spent = self.day.total(read, self.sampled).get(SPENT, 0) + self.price
        return round(100 * spent / self.cap, 1)

    def shards_seen(self, read: Mapping[str, Counts]) -> int:
        """How many shards today is known to be counted on."""
        return read.get(self.day.first, NOTHING).get(SHARDS, 1)

    def _out_of_pool(self, read: Mapping[str, Counts], lane: BudgetLane, pool: Spans) -> ShardIncrement:
        """Always on the first shard, for it is little money."""
        name, counts = f"{lane}Floor", read.get(self.day.first, NOTHING)
        limits = {
            hourly(name, self.day.hour): pool.hour - self.day.rest_of_last_hour(name, counts),
            name: pool.day,
        }
        most = {each: limit - self.price for each, limit in limits.items()}
        self.day.hold(counts, most, COUNTRY)
        return replace(self.day.on(self.day.first, read, most), open=dict.fromkeys(most, self.price))

    def _note_shards(self, read: Mapping[str, Counts]) -> ShardIncrement | None:
        """Write down how many shards today has, so that a lower cap does not forget what was counted.

        Once a day; where there are many, by one request in as many, or all would meet at the first shard.
        """
        shards, seen = self.day.shards, self.shards_seen(read)
        if shards <= seen or (shards > SAMPLE and secrets.randbelow(shards)):
            return None
        stored = read.get(self.day.first, NOTHING).get(SHARDS, 0)
        return replace(self.day.on(self.day.first, read, {SHARDS: stored}), spent={SHARDS: shards - stored})
