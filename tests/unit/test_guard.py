"""The rule of the guard: the budgets that a send may be charged to, and the limit of each."""

import pytest

from sms_otp.domain.budgets import Spans
from sms_otp.domain.guard import (
    FLOOR,
    POOL,
    BudgetLane,
    Charge,
    CountryFacts,
    NetworkFacts,
    NumberFacts,
    SendRequest,
    block_limits,
    charges,
    granted,
    learned_limits,
    learned_ratio,
    network_room,
)
from sms_otp.domain.prices import USD

OWN, KNOWN, OPEN, FRESH, CHALLENGED = BudgetLane
UNKNOWN_NUMBER = NumberFacts()
QUIET = NetworkFacts()
COUNTRY = CountryFacts(0.5, Spans(10 * USD, 60 * USD), Spans(USD, 6 * USD))


def lanes(
    number: NumberFacts = UNKNOWN_NUMBER,
    network: NetworkFacts | None = QUIET,
    *,
    is_challenged: bool = False,
) -> list[BudgetLane]:
    """In the order in which they are tried."""
    found = charges(SendRequest(number, network, COUNTRY, is_challenged, price=0))
    return list(dict.fromkeys(charge.lane for charge in found))


def test_the_least_suspicious_users_are_charged_to_their_own_lane_first() -> None:
    assert lanes() == [OPEN, FRESH]
    assert lanes(NumberFacts(is_known=True)) == [KNOWN, OPEN, FRESH]
    assert lanes(NumberFacts(is_own=True, is_known=True)) == [OWN, KNOWN, OPEN, FRESH]
    assert lanes(is_challenged=True) == [OPEN, FRESH, CHALLENGED]


@pytest.mark.parametrize(("ignored", "own"), [(0, True), (1, True), (2, False)])
def test_a_number_that_ignored_two_codes_in_a_row_has_no_lane_of_its_own(ignored: int, own: bool) -> None:
    found = lanes(NumberFacts(is_own=True, is_known=True, ignored=ignored))
    assert (OWN in found, KNOWN in found) == (own, own)


def test_a_network_is_fresh_below_one_open_code_and_challenged_below_two() -> None:
    one, two = NetworkFacts(Spans(1, 1)), NetworkFacts(Spans(1, 2))
    assert lanes(network=one, is_challenged=True) == [OPEN, CHALLENGED]
    assert lanes(network=two, is_challenged=True) == [OPEN]


def test_a_network_may_have_more_open_where_its_users_verify() -> None:
    shared = NetworkFacts(Spans(8, 8), verified_week=12)
    assert network_room(shared, 1, 0.5) == 1 + 9
    assert FRESH in lanes(network=shared)


def test_a_request_without_a_network_is_never_fresh() -> None:
    assert lanes(network=None, is_challenged=True) == [OPEN, CHALLENGED]


def test_each_lane_uses_its_learned_limit_and_then_its_floor() -> None:
    found = [
        charge
        for charge in charges(SendRequest(UNKNOWN_NUMBER, None, COUNTRY, is_challenged=False, price=0))
        if charge.lane is OPEN
    ]
    assert found == [
        Charge(OPEN, COUNTRY.verified.times(0.75, 0.6)),
        Charge(OPEN, FLOOR, POOL),
    ]


def test_the_challenged_lane_has_eight_times_the_floors() -> None:
    found = list(charges(SendRequest(UNKNOWN_NUMBER, None, COUNTRY, is_challenged=True, price=0)))
    assert found[-1] == Charge(CHALLENGED, FLOOR.times(8), POOL.times(8))


@pytest.mark.parametrize(
    ("lane", "limits"),
    [
        (KNOWN, Spans(int(1.5 * USD), 9 * USD)),
        (OPEN, Spans(int(7.5 * USD), 36 * USD)),
        (FRESH, Spans(5 * USD, 30 * USD)),
        (CHALLENGED, Spans(40 * USD, 360 * USD)),
    ],
)
def test_a_lane_may_leave_a_part_of_the_countrys_verified_spend_unverified(
    lane: BudgetLane, limits: Spans
) -> None:
    assert learned_limits(lane, COUNTRY) == limits


@pytest.mark.parametrize(
    ("unverified", "verified", "ratio"),
    [(0, 0, 0.6), (1_000, 3_000, 1_006 / 3_010), (10, 1_000, 0.3), (900, 100, 1.0)],
)
def test_the_ratio_is_learned_from_the_unverified_share_of_a_country(
    unverified: int, verified: int, ratio: float
) -> None:
    assert learned_ratio(unverified, verified) == pytest.approx(ratio)


def test_a_country_is_granted_its_last_span_or_its_best_day() -> None:
    assert granted(Spans(5, 10), best_day=60) == Spans(10, 60)
    assert granted(Spans(50, 100), best_day=60) == Spans(50, 100)


def test_the_limit_of_a_block_is_a_small_floor_or_a_part_of_its_verified_codes() -> None:
    assert block_limits(Spans(), 0.5, 1) == Spans(10, 20)
    assert block_limits(Spans(), 0.5, 4) == Spans(40, 80)
    assert block_limits(Spans(100, 400), 0.5, 1) == Spans(75, 300)


@pytest.mark.parametrize(("lane", "factor"), [(OWN, 0), (KNOWN, 0), (OPEN, 1), (FRESH, 1), (CHALLENGED, 4)])
def test_known_numbers_are_not_counted_in_their_block(lane: BudgetLane, factor: int) -> None:
    assert Charge(lane).block_factor == factor
