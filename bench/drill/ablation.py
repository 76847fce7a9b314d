"""The effect of each part of the guard: a day replayed without it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from bench.drill.people import Attack, Habits, everywhere, one_block
from bench.drill.scenarios import MANY, Most, Scenario, attacking
from sms_otp.domain import guard, spending
from sms_otp.domain.budgets import Spans
from sms_otp.domain.guard import BudgetLane, Charge
from sms_otp.domain.prices import Prices
from sms_otp.domain.provider import Channel

ENDLESS = 10**15
ANY = Most()


@dataclass(frozen=True)
class Part:
    """A part of the guard, the patch that disables it, and a scenario that shows the effect."""

    name: str
    scenario: Scenario
    without: Callable[[], AbstractContextManager[Any]]
    habits: Mapping[str, Any] | None = None
    """Changed habits of the people, if the part is disabled by them."""


def _filtered(lane: BudgetLane) -> Callable[[], AbstractContextManager[Any]]:
    whole = guard.charges

    def charges(request: guard.SendRequest) -> Iterator[Charge]:
        return (charge for charge in whole(request) if charge.lane is not lane)

    return lambda: patch.object(spending, "charges", charges)


@contextmanager
def _no_history_of_networks() -> Iterator[None]:
    def room(network: guard.NetworkFacts, least: int, ratio: float) -> int:
        del network, ratio
        return least

    with patch.object(guard, "network_room", room), patch.object(spending, "network_room", room):
        yield


def _open_lane_without_day() -> AbstractContextManager[Any]:
    whole = guard.learned_limits

    def limits(lane: BudgetLane, country: guard.CountryFacts) -> Spans:
        found = whole(lane, country)
        return replace(found, day=ENDLESS) if lane is BudgetLane.OPEN else found

    return patch.object(guard, "learned_limits", limits)


def _same_price_for_all() -> AbstractContextManager[Any]:
    def of(prices: Prices, country: str, channel: str) -> int:
        del channel
        return whole(prices, country, "sms")

    whole = Prices.of
    return patch.object(Prices, "of", of)


FEW = Scenario("10,000 from 100 addresses", ANY, attack=attacking(Attack()))
FEW_SOLVING = Scenario("10,000 from 100 that solve", ANY, attack=attacking(Attack(solves=True)))
SCATTERED = Scenario("10,000 from 5,000 addresses", ANY, attack=attacking(Attack(addresses=MANY)))

PARTS = (
    Part(
        "the challenge",
        SCATTERED,
        lambda: patch.object(guard, "NETWORK_OPEN", guard.NETWORK_OPEN),
        {"solves": 0.0},
    ),
    Part("the fresh lane", FEW, _filtered(BudgetLane.FRESH)),
    Part("the network's own verified history", FEW, _no_history_of_networks),
    Part(
        "two per network on the challenged lane",
        FEW_SOLVING,
        lambda: patch.dict(guard.NETWORK_OPEN, {BudgetLane.CHALLENGED: ENDLESS}),
    ),
    Part("the open lane's day", FEW, _open_lane_without_day),
    Part(
        "the pool of floors",
        Scenario("200 countries", ANY, attack=attacking(Attack(addresses=MANY, solves=True), everywhere)),
        lambda: patch.object(guard, "POOL", Spans(ENDLESS, ENDLESS)),
    ),
    Part(
        "blocks",
        Scenario("one block, solving", ANY, attack=attacking(Attack(addresses=MANY, solves=True), one_block)),
        lambda: patch.object(guard, "BLOCK", Spans(ENDLESS, ENDLESS)),
    ),
    Part(
        "money instead of counts",
        Scenario("2,400 calls", ANY, attack=attacking(Attack(codes=2_400, channel=Channel.VOICE))),
        _same_price_for_all,
    ),
    Part(
        "the learned ratio",
        Scenario("no clientIp, 55 %", ANY, Habits(names_network=False, conversion=0.55)),
        lambda: patch.object(guard, "MOST_RATIO", guard.LEAST_RATIO),
    ),
    Part("the known lane", SCATTERED, _filtered(BudgetLane.KNOWN)),
    Part("the own lane", SCATTERED, _filtered(BudgetLane.OWN)),
)
