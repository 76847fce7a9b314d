"""The previous guard, for comparison: fixed shares of a country's history.

Unverified codes allowed: for a country, 20 % of its verified codes in an hour and 30 % in a day; for a block
of numbers, ten an hour and twenty a day. A client may have ten sends an hour and thirty a day, verified or
not. It counts codes, not money. It has no challenge, and all requests for a number share its three, five and
ten codes. It recorded for two weeks before it enforced, so it only records on the warm days. Its windows
followed the clock and slide here, so it refuses slightly more than it did.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from unittest.mock import patch

from sms_otp.domain import admission, errors, number
from sms_otp.domain.blocks import BlockCounter
from sms_otp.domain.budgets import Counts, DayCounter, NoRoom, Spans
from sms_otp.domain.clock import Seconds
from sms_otp.domain.commands import Policy
from sms_otp.domain.countries import CountryCounter, History
from sms_otp.domain.guard import BudgetLane, Mode, NumberFacts
from sms_otp.domain.networks import NetworkCounter
from sms_otp.domain.number import Lane
from sms_otp.domain.prices import EVERYWHERE
from sms_otp.domain.spending import Payment, SpendPolicy

FLOORS = Spans(3, 20)
HOUR_SHARE, DAY_SHARE = 0.2, 0.3
RATIO_OF_BLOCK = 0.2
"""The counter allows 1.5 times this ratio: the 30 % of its verified codes that a block was allowed."""
CODES_A_DAY = 10_000


class SpendingBefore:
    """Replaces `spending.Spending`."""

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
        self._price, self._least = policy.price(country, channel), policy.network
        self._country = CountryCounter(country, now, 1, 1, history, 1)
        self._blocks = BlockCounter(tuple(DayCounter.of(f"P#{key}", now) for key in block_keys))
        self._network = NetworkCounter(tuple(f"C#{key}" for key in client_keys), now)
        self._service = DayCounter.of("D", now)
        self._refuses = policy.mode is Mode.ENFORCE

    @property
    def keys(self) -> tuple[str, ...]:
        """As `Spending.keys`."""
        return (self._service.first, *self._network.keys, *self._country.keys, *self._blocks.keys)

    def has_more_shards(self, read: Mapping[str, Counts]) -> bool:
        """Never: each count has one shard."""
        del read
        return False

    def decide(self, read: Mapping[str, Counts], number: NumberFacts, *, is_challenged: bool) -> Payment:
        """Raises `RateLimited`."""
        del number, is_challenged
        self._country.prime(read)
        verified = self._country.facts(read).verified
        hour, day = int(HOUR_SHARE * verified.hour), int(DAY_SHARE * verified.day)
        limits = Spans(max(FLOORS.hour, hour), max(FLOORS.day, day))
        try:
            increments = [self._country.unlimited(read, BudgetLane.OPEN, 1), self._blocks.unlimited(read)]
            if self._refuses:
                increments = [
                    self._country.increment(read, BudgetLane.OPEN, 1, limits),
                    self._blocks.increment(read, RATIO_OF_BLOCK, 1),
                ]
            if self._network.keys:
                sent = self._network.increment(read, self._least)
                increments.append(replace(sent, open={}, spent=sent.open, verified={}))
            service = self._service.increment(read, self._service.sample(), 1, {"sends": CODES_A_DAY})
            if service is None:
                raise NoRoom("service day", self._service.to_midnight)
        except NoRoom as full:
            raise errors.RateLimited(reason=full.budget, retry_after=full.retry_after) from None
        increments.append(replace(service, spent={"sends": 1}))
        return Payment(BudgetLane.OPEN, tuple(increments), self._price, None, 0.0, None, None)


def policy_before(policy: Policy) -> Policy:
    """The deployment with one budget for all requests for a number, and no challenge."""
    lanes = policy.number_limits("US")
    one = replace(
        lanes,
        strangers=lanes.own,
        unchallenged=lanes.own,
        network=lanes.own,
        stranger_guesses=replace(lanes.own_guesses, closed_at=lanes.disabled_at),
    )
    return replace(policy, admission=replace(policy.admission, limits_by_country={EVERYWHERE: one}))


@contextmanager
def guard_before() -> Iterator[None]:
    """Patch the service to decide by the previous guard."""
    with (
        patch.object(admission, "Spending", SpendingBefore),
        patch.object(number, "lane_of", lambda *_: Lane.STRANGER),
    ):
        yield
