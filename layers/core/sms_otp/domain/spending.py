"""Charges one send to its budgets: which counters to read, and which increments to write.

The rule is in `guard`; the counters are in `service_day`, `countries`, `blocks` and `networks`; shards and
conditions in `budgets`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sms_otp.domain import errors
from sms_otp.domain.blocks import BlockCounter
from sms_otp.domain.budgets import NOTHING, Counts, DayCounter, NoRoom, ShardIncrement, Spans
from sms_otp.domain.clock import Seconds
from sms_otp.domain.countries import CountryCounter, History
from sms_otp.domain.guard import (
    BLOCK_OF_NUMBERS,
    NETWORK_OPEN,
    Ask,
    BudgetLane,
    Charge,
    CountryFacts,
    Mode,
    NumberFacts,
    charges,
    network_room,
)
from sms_otp.domain.networks import NetworkCounter
from sms_otp.domain.prices import Prices
from sms_otp.domain.service_day import SERVICE_DAY, ServiceDay


@dataclass(frozen=True, slots=True)
class SpendPolicy:
    """The spending limits of a deployment."""

    mode: Mode
    daily_cap: int
    """Micro-dollars that the whole service may spend in a UTC day."""
    shards: int
    network: Spans
    """Codes that a network may have open before its users verify any."""
    prices: Prices = field(default_factory=Prices)

    def price(self, country: str, channel: str) -> int:
        """Price of one message or call in micro-dollars."""
        return self.prices.of(country, channel)


@dataclass(frozen=True, slots=True)
class Payment:
    """The lane that a send is charged to, and its increments."""

    lane: BudgetLane
    increments: tuple[ShardIncrement, ...]
    price: int
    """Micro-dollars."""
    over: str | None
    """The one of `guard.LIMITS` that the send exceeds, where the guard only records."""
    cap_used: float
    """Percent of the daily cap that is spent, this send included; estimated from a few shards."""
    unverified: int | None
    """As `CountryCounter.unverified_beyond_usual`; None where the guard is off."""
    expired_unused: float | None
    """As `CountryCounter.expired_unused`; None where the guard is off."""


class Spending:
    """The budgets of one send. Sends of one environment share `history`."""

    def __init__(
        self,
        policy: SpendPolicy,
        history: History,
        country: str,
        channel: str,
        block_keys: tuple[str, ...],
        client_keys: tuple[str, ...],
        now: Seconds,
    ) -> None:
        """Keys are by the current pepper first."""
        self._mode, self._least, self._history = policy.mode, policy.network, history
        self._price = policy.price(country, channel)
        today = DayCounter.of("D", now)
        shards = history.shards.get(today.stem, policy.shards)
        today = replace(today, shards=shards)
        self._service = ServiceDay(today, today.sample(), policy.daily_cap, self._price)
        self._network = NetworkCounter(tuple(f"C#{key}" for key in client_keys), now)
        self._blocks = BlockCounter(tuple(DayCounter.of(f"P#{key}", now) for key in block_keys))
        price_of_sms = policy.price(country, "sms")
        self._country = CountryCounter(country, now, shards, policy.shards, history, price_of_sms)

    @property
    def keys(self) -> tuple[str, ...]:
        """The items to read before `decide`."""
        keys = (*self._service.sampled, *self._network.keys)
        return keys if self._mode is Mode.OFF else (*keys, *self._country.keys, *self._blocks.keys)

    def has_more_shards(self, read: Mapping[str, Counts]) -> bool:
        """Whether today has more shards than were read, after the cap was lowered: then read again."""
        seen = self._service.shards_seen(read)
        if seen <= self._service.day.shards:
            return False
        self._history.shards[self._service.day.stem] = seen
        return True

    def decide(self, read: Mapping[str, Counts], number: NumberFacts, *, is_challenged: bool) -> Payment:
        """Charge the send to the first lane that has room. Raises `RateLimited` or `ChallengeRequired`."""
        network = self._network.facts(read) if self._network.keys else None
        ask = Ask(number, network, self._country_facts(read), is_challenged, self._price)
        refusals: list[NoRoom] = []
        try:
            self._for_network(read, ask, self._least)
            self._service.spend(read, BudgetLane.OWN)
        except NoRoom as full:
            raise errors.RateLimited(reason=full.budget, retry_after=full.retry_after) from None
        for charge in charges(ask):
            try:
                return self._payment(read, charge.lane, self._charged(read, ask, charge))
            except NoRoom as full:
                refusals.append(full)
        return self._over(read, ask, refusals)

    def _country_facts(self, read: Mapping[str, Counts]) -> CountryFacts:
        if self._mode is Mode.OFF:
            return CountryFacts()
        self._country.prime(read)
        return self._country.facts(read)

    def _charged(self, read: Mapping[str, Counts], ask: Ask, charge: Charge) -> tuple[ShardIncrement, ...]:
        """The increments of a send with this charge. Raises `NoRoom`."""
        lane, off = charge.lane, self._mode is Mode.OFF
        increments = self._service.increments(read, lane, None if off else charge.pool)
        most = (
            self._least if off or lane not in NETWORK_OPEN else replace(self._least, day=NETWORK_OPEN[lane])
        )
        increments += self._for_network(read, ask, most)
        if off or charge.limits is None:
            return increments
        guarded = [self._country.increment(read, lane, self._price, charge.limits)]
        if charge.block_factor:
            guarded.append(self._blocks.increment(read, ask.country.ratio, charge.block_factor))
        if self._mode is Mode.RECORD:
            guarded = [replace(increment, limits=NOTHING) for increment in guarded]
        return (*increments, *guarded)

    def _for_network(self, read: Mapping[str, Counts], ask: Ask, least: Spans) -> tuple[ShardIncrement, ...]:
        """Count one more code of the network, which may have `least` open before it verifies any."""
        if ask.network is None:
            return ()
        rooms = (network_room(ask.network, codes, ask.country.ratio) for codes in (least.hour, least.day))
        return (self._network.increment(read, Spans(*rooms)),)

    def _over(self, read: Mapping[str, Counts], ask: Ask, refusals: list[NoRoom]) -> Payment:
        """No lane has room: refuse, require a challenge, or only record it."""
        by_budget = {full.budget: full for full in refusals}
        full = by_budget.get(SERVICE_DAY) or by_budget.get(BLOCK_OF_NUMBERS) or refusals[-1]
        refuses = self._mode is Mode.ENFORCE
        if full.budget == SERVICE_DAY or (refuses and ask.is_challenged):
            raise errors.RateLimited(reason=full.budget, retry_after=full.retry_after)
        if refuses:
            raise errors.ChallengeRequired(reason=full.budget)
        lane = BudgetLane.OPEN
        increments = (
            *self._service.increments(read, lane, None),
            *self._for_network(read, ask, self._least),
            self._country.unlimited(read, lane, self._price),
            self._blocks.unlimited(read),
        )
        return self._payment(read, lane, increments, full.budget)

    def _payment(
        self,
        read: Mapping[str, Counts],
        lane: BudgetLane,
        increments: tuple[ShardIncrement, ...],
        over: str | None = None,
    ) -> Payment:
        cap_used, unverified, expired_unused = self._service.used(read), None, None
        if self._mode is not Mode.OFF:
            unverified = self._country.unverified_beyond_usual(read)
            expired_unused = self._country.expired_unused(read)
        return Payment(lane, increments, self._price, over, cap_used, unverified, expired_unused)
