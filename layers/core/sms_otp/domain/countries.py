"""A country's verified and unverified money, today and over the last two weeks, in micro-dollars.

B#<country>#<day>   `known`, `open`, `fresh`, `challenged`: unverified money by lane;
                    `verified`, and of that `verifiedKnown`; all for the day and each hour
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from sms_otp.domain.budgets import (
    NOTHING,
    SAMPLE,
    Counts,
    DayCounter,
    NoRoom,
    ShardIncrement,
    Spans,
    hourly,
    per_hour_and_day,
)
from sms_otp.domain.clock import DAY, HOUR, Seconds
from sms_otp.domain.guard import (
    COUNTED_LANES,
    COUNTRY,
    HISTORY_DAYS,
    BudgetLane,
    CountryFacts,
    granted,
    learned_ratio,
)

LONGEST_CODE_LIFE = Seconds(600)
"""NIST SP 800-63B-4 §3.1.3.2. A success counts in the hour and day in which its code was sent."""
VERIFIED, VERIFIED_KNOWN = "verified", "verifiedKnown"
TOO_MANY = 2
"""Factor on the learned ratio: more unverified codes are a sign of pumping or of lost codes. The guard stops
an attack that solves no challenge at a factor of about three, so the alarm must come earlier."""
LEAST_ENDED = 100
"""Fewest codes of a day for which a share is reported: with fewer, chance alone can make it bad."""


@dataclass(slots=True)
class History:
    """Counts of past days, kept by the environment. A day is final once its last codes have ended."""

    totals: dict[str, Counts] = field(default_factory=dict)
    """By the stem of a `DayCounter`; estimated over its shards."""
    settled: set[str] = field(default_factory=set)
    shards: dict[str, int] = field(default_factory=dict)
    """By the stem of a service day: its number of shards, where larger than the policy's."""
    swept_on: int = 0

    def missing(self, days: Iterable[DayCounter]) -> list[DayCounter]:
        """The days that are not final, and must be read."""
        return [day for day in days if day.stem not in self.settled]

    def prime(self, day: DayCounter, total: Counts, now: Seconds) -> None:
        """Keep the total of a past day; final once no code of that day can still be verified."""
        self.totals[day.stem] = total
        if now >= day.ends_at + LONGEST_CODE_LIFE:
            self.settled.add(day.stem)

    def sweep(self, now: Seconds) -> None:
        """Once a day, drop days older than the guard's history: an environment can live for days."""
        if now // DAY == self.swept_on:
            return
        self.swept_on = now // DAY
        oldest = DayCounter.of("", now - (HISTORY_DAYS + 1) * DAY).date
        self.totals = {
            stem: total for stem, total in self.totals.items() if stem.rpartition("#")[2] >= oldest
        }
        self.shards = {
            stem: count for stem, count in self.shards.items() if stem.rpartition("#")[2] >= oldest
        }
        self.settled &= self.totals.keys()


class CountryCounter:
    """One country's counts of today and of past days, for one send."""

    def __init__(
        self, country: str, now: Seconds, shards: int, past_shards: int, history: History, price_of_sms: int
    ) -> None:
        """`past_shards`: of earlier days. `price_of_sms`: of a usual code, in micro-dollars."""
        self._history, self._price_of_sms = history, price_of_sms
        self._today = DayCounter.of(f"B#{country}", now, shards)
        self._past = tuple(
            DayCounter.of(f"B#{country}", now - ago * DAY, past_shards) for ago in range(1, HISTORY_DAYS + 1)
        )
        self._sampled = {day.stem: day.sample() for day in (self._today, *history.missing(self._past))}

    @property
    def keys(self) -> tuple[str, ...]:
        """The items to read."""
        return tuple(key for sampled in self._sampled.values() for key in sampled)

    def prime(self, read: Mapping[str, Counts]) -> None:
        """Add the past days that were just read to the history."""
        for day in self._past:
            if (sampled := self._sampled.get(day.stem)) is not None:
                self._history.prime(day, day.total(read, sampled), self._today.now)
        self._history.sweep(self._today.now)

    def facts(self, read: Mapping[str, Counts]) -> CountryFacts:
        """The country's input to the guard."""
        return CountryFacts(
            self._ratio,
            self._granted(read, VERIFIED),
            self._granted(read, VERIFIED_KNOWN),
        )

    def increment(
        self, read: Mapping[str, Counts], lane: BudgetLane, price: int, spans: Spans
    ) -> ShardIncrement:
        """Charge a lane that may have `spans` unverified. In micro-dollars. Raises `NoRoom`."""
        today, yesterday = self._total(read), self._days[0]
        limits = {
            hourly(lane, self._today.hour): spans.hour
            - self._today.rest_of_last_hour(lane, today, yesterday),
            str(lane): spans.day - self._today.rest_of_yesterday(lane, yesterday),
        }
        increment = self._today.increment(read, self._sampled[self._today.stem], price, limits)
        if increment is None:
            self._today.hold(today, {name: limit - price for name, limit in limits.items()}, COUNTRY)
            raise NoRoom(COUNTRY, self._today.to_next_hour)
        return self._counted(increment, lane, price)

    def unlimited(self, read: Mapping[str, Counts], lane: BudgetLane, price: int) -> ShardIncrement:
        """Charge a lane without a limit. `price` in micro-dollars."""
        return self._counted(self._today.unlimited(read, self._sampled[self._today.stem]), lane, price)

    def unverified_beyond_usual(self, read: Mapping[str, Counts]) -> int:
        """Unverified codes of one hour beyond `TOO_MANY` times the country's learned ratio.

        The larger of two: the last full hour's, once its codes have ended; and the current hour's, this code
        included, while neither hour has a success: pending codes alone are no sign. Counts only the shards
        that were read: extrapolating one code from a few shards would be a guess.
        """
        today, hour = self._seen(read), self._today.hour
        last_day, last_hour = (today if hour else self._seen_yesterday), (hour - 1) % 24
        verified, beyond = last_day.get(hourly(VERIFIED, last_hour), 0), 0.0
        if self._today.now % HOUR >= LONGEST_CODE_LIFE:
            beyond = _unverified(last_day, last_hour) - TOO_MANY * self._ratio * verified
        if not verified and not today.get(hourly(VERIFIED, hour), 0):
            beyond = max(beyond, _unverified(today, hour) + self._price_of_sms)
        return max(0, int(beyond / self._price_of_sms))

    def expired_unused(self, read: Mapping[str, Counts]) -> float | None:
        """Percent of the last 24 hours' codes that expired unused, without the current hour's.

        None for fewer than `LEAST_ENDED` codes on the shards that were read. Codes in the own lane are never
        counted.
        """
        today, yesterday, hour = self._seen(read), self._seen_yesterday, self._today.hour

        def ended(name: str) -> int:
            last_day = self._today.last_24_hours(name, today, yesterday)
            return last_day - today.get(hourly(name, hour), 0)

        unverified = sum(map(ended, COUNTED_LANES))
        all_ended = unverified + ended(VERIFIED)
        if all_ended < LEAST_ENDED * self._price_of_sms:
            return None
        return round(100 * unverified / all_ended, 1)

    @property
    def _days(self) -> list[Counts]:
        """The past days, yesterday first."""
        return [self._history.totals[day.stem] for day in self._past]

    @cached_property
    def _ratio(self) -> float:
        """The learned ratio of the past days."""
        days = self._days
        verified = sum(day.get(VERIFIED, 0) for day in days) / self._price_of_sms
        unverified = sum(day.get(lane, 0) for day in days for lane in COUNTED_LANES) / self._price_of_sms
        return learned_ratio(unverified, verified)

    def _seen(self, read: Mapping[str, Counts]) -> Counts:
        """Today's counts, summed over the sampled shards."""
        seen: dict[str, int] = {}
        for key in self._sampled[self._today.stem]:
            for name, amount in read.get(key, NOTHING).items():
                seen[name] = seen.get(name, 0) + amount
        return seen

    @property
    def _seen_yesterday(self) -> Counts:
        """Yesterday's counts, scaled down from the estimate for all shards to a sample."""
        day = self._past[0]
        part = min(SAMPLE, day.shards) / day.shards
        return {name: int(amount * part) for name, amount in self._days[0].items()}

    def _total(self, read: Mapping[str, Counts]) -> Counts:
        return self._today.total(read, self._sampled[self._today.stem])

    def _granted(self, read: Mapping[str, Counts], name: str) -> Spans:
        today, past = self._total(read), self._days
        last = Spans(
            self._today.last_60_minutes(name, today, past[0]), self._today.last_24_hours(name, today, past[0])
        )
        return granted(last, max(day.get(name, 0) for day in past))

    def _counted(self, increment: ShardIncrement, lane: BudgetLane, price: int) -> ShardIncrement:
        hour, verified = self._today.hour, per_hour_and_day(VERIFIED, price, self._today.hour)
        if lane is BudgetLane.KNOWN:
            verified |= per_hour_and_day(VERIFIED_KNOWN, price, hour)
        return replace(increment, open=per_hour_and_day(lane, price, hour), verified=verified)


def _unverified(counts: Counts, hour: int) -> int:
    """Unverified micro-dollars of one hour."""
    return sum(counts.get(hourly(lane, hour), 0) for lane in COUNTED_LANES)
