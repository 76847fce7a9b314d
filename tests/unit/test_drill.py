"""The pumping drill in small: what it shows must hold, and it must be able to show the opposite."""

import pytest

from bench import drill
from bench.prices import ELSEWHERE, PRICES, price
from tests.unit.test_security_doc import SECURITY
from tests.unit.test_security_doc import table as table_of

NUMBERS = drill.hostile_numbers(600)
HOURS = 4


@pytest.mark.parametrize("hours", [0, HOURS])
def test_without_any_history_the_guard_lets_no_more_through_than_its_floors(hours: int) -> None:
    allowed = drill.deployment("enforce")
    guarded = drill.Drill(allowed).run(drill.attack(NUMBERS, hours * drill.HOUR)).hostile
    most = drill.bound(allowed, NUMBERS, hours=max(1, hours))
    unguarded = drill.Drill(drill.deployment("off")).run(drill.attack(NUMBERS, hours * drill.HOUR)).hostile
    assert 0 < guarded.sent <= most < unguarded.sent


def test_an_explicit_list_of_countries_bounds_an_attack_by_far_the_most() -> None:
    allowed = drill.deployment("enforce", ",".join(drill.USER_COUNTRIES))
    run = drill.Drill(allowed).run(drill.attack(NUMBERS, drill.HOUR))
    assert 0 < run.hostile.sent <= drill.bound(allowed, NUMBERS, hours=1) < 10


@pytest.mark.parametrize("guard", ["off", "record"])
def test_without_the_guard_the_attack_gets_through_but_for_what_is_no_mobile(guard: str) -> None:
    run = drill.Drill(drill.deployment(guard)).run(drill.attack(NUMBERS, drill.DAY))
    assert run.hostile.sent > 0.8 * len(NUMBERS)
    assert run.hostile.cost > 10
    assert (run.hostile.suspect > 0) is (guard == "record")


def test_numbers_that_are_no_mobiles_are_refused_whatever_the_guard() -> None:
    run = drill.Drill(drill.deployment("off")).run(drill.attack(NUMBERS, drill.DAY))
    refused = run.hostile.refused
    assert refused["kind of number"] + refused["no country"] >= drill.SPECIAL * len(NUMBERS)


def test_with_a_warm_history_hardly_a_user_is_refused() -> None:
    day = drill.user_day(400)
    users = drill.Drill(drill.deployment("enforce"), drill.verified_a_day(400)).run(day).users
    assert users.sent + users.refused.total() == users.asked == len(day)
    assert users.refused.total() <= 0.03 * users.asked


def test_users_are_refused_where_nothing_is_known_of_them() -> None:
    """Which is why the guard only records by default."""
    users = drill.Drill(drill.deployment("enforce")).run(drill.user_day(400)).users
    assert users.refused.total() > 0.03 * users.asked


def test_neighbouring_numbers_are_stopped_before_they_have_spent_what_their_countrys_users_need() -> None:
    numbers = [f"+447400{last:06d}" for last in range(120_000, 120_400)]
    allowed = drill.deployment("enforce")
    both = drill.Drill(allowed, drill.verified_a_day(400))
    both.run([*drill.attack(numbers, drill.DAY), *drill.user_day(400)])
    assert both.hostile.sent <= 2 * allowed.admission.guard.block_hour
    assert both.users.refused.total() <= 0.1 * both.users.asked


def test_one_block_of_a_busy_country_is_stopped_by_the_blocks_own_limit() -> None:
    allowed = drill.deployment("enforce")
    numbers = [f"+1415555{last:04d}" for last in range(200)]
    run = drill.Drill(allowed, {"US": 5_000}).run(drill.attack(numbers, drill.HOUR - 1))
    assert run.hostile.sent == allowed.admission.guard.block_hour
    assert set(run.hostile.refused) == {"block hour"}


def test_the_table_has_a_line_for_every_traffic_and_setting() -> None:
    table = list(drill.rows(hostile=60, users=60))
    documented = [(line["traffic"], line["guard"]) for line in table_of(SECURITY, "### The pumping drill")]
    assert documented == [(line["traffic"], line["guard"]) for line in table]
    assert len(table) == 18
    for line in table:
        told = (line[name] for name in ("destination", "country hour", "country day", "block", "service day"))
        assert line["asked"] == line["SMS"] + sum(told) + line["other"]


def test_a_country_that_is_not_listed_costs_the_mean() -> None:
    assert price("NP") == PRICES["NP"] > price("DE") == ELSEWHERE
