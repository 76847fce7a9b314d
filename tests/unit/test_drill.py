"""A small drill: its people, its attackers, and that it reveals a guard that does too little."""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

import pytest

from bench.drill import ablation, table, victim
from bench.drill.people import Attack, Habits, People, everywhere, one_block, scattered
from bench.drill.scenarios import SCENARIOS, Most, Player, Scenario, ScenarioResult, attacking
from bench.drill.world import MIDNIGHT, quick
from local.template import ROOT
from sms_otp.domain.clock import DAY
from tests.unit.test_security_doc import table as table_of

PEOPLE = Habits(people=120)
FEW = Scenario("few", Most(), PEOPLE, warm_days=2, attack=attacking(Attack(codes=600)))


@pytest.fixture(autouse=True)
def _quick() -> Iterator[None]:
    with quick():
        yield


@pytest.fixture(scope="module")
def results() -> dict[str, ScenarioResult]:
    """The same small day with both policies."""
    return {policy: Player(policy, 1).play(FEW) for policy in ("before", "guard")}


def test_an_attack_spends_little_and_hardly_a_user_is_refused(results: dict[str, ScenarioResult]) -> None:
    guarded = results["guard"]
    assert guarded.attackers.visits == 600
    assert 0 < guarded.attackers.codes < 300
    assert guarded.people.refused_percent <= 1


def test_the_previous_guard_refuses_more_users_on_the_same_day(results: dict[str, ScenarioResult]) -> None:
    assert results["before"].people.visits == results["guard"].people.visits == PEOPLE.people
    assert results["before"].people.refused > 5 * max(1, results["guard"].people.refused)
    assert results["before"].people.challenged == 0


def test_every_visit_got_a_code_or_was_refused(results: dict[str, ScenarioResult]) -> None:
    for one in results.values():
        for tally in (one.people, one.attackers):
            assert tally.codes >= tally.visits - tally.refused
            assert sum(tally.lanes.values()) == tally.codes


def test_a_missed_goal_is_named(results: dict[str, ScenarioResult]) -> None:
    strict = replace(results["guard"], scenario=replace(FEW, most=Most(codes=0)))
    assert [miss.split()[0] for miss in strict.over] == ["codes"]
    (line,) = table.rows([strict])
    assert line["held"] == strict.over[0]


def test_the_same_seed_makes_the_same_people() -> None:
    days = [People(PEOPLE, 7).day(MIDNIGHT) for _ in range(2)]
    assert days[0] == days[1]
    assert days[0] != People(PEOPLE, 8).day(MIDNIGHT)


def test_people_come_back_with_numbers_that_were_verified() -> None:
    people = People(replace(PEOPLE, people=400), 1)
    first, second = (people.day(MIDNIGHT + day * DAY) for day in range(2))
    verified = {visit.number for visit in first if visit.types_after}
    returning = [visit for visit in second if visit.number in verified]
    assert len(returning) > 0.2 * len(second)
    assert any(visit.has_token for visit in returning)


def test_an_attack_comes_from_its_own_addresses_evenly_over_the_day() -> None:
    visits = Attack(codes=100, addresses=10).on(scattered(), MIDNIGHT)
    assert len({visit.network for visit in visits}) == 10
    assert max(visit.at for visit in visits) < MIDNIGHT + DAY
    assert not any(visit.types_after for visit in visits)


def test_one_block_has_one_prefix_and_everywhere_has_many_numbers() -> None:
    assert len({number[:-4] for number in islice(one_block(), 50)}) == 1
    assert len(list(islice(everywhere(), 200))) == 200


def test_the_drill_shows_about_a_dozen_scenarios() -> None:
    assert 10 <= sum(scenario.in_story for scenario in SCENARIOS) <= 14
    assert len({scenario.name for scenario in SCENARIOS}) == len(SCENARIOS)


def test_each_part_of_the_guard_is_put_back_after_it_was_left_out() -> None:
    small = replace(ablation.FEW, habits=PEOPLE, warm_days=1, attack=attacking(Attack(codes=60)))
    usual = Player("guard", 1).play(small)
    for part in ablation.PARTS:
        with part.without():
            Player("guard", 1).play(small)
    assert Player("guard", 1).play(small).attackers == usual.attackers


def test_the_chart_and_the_table_have_a_line_for_every_scenario(results: dict[str, ScenarioResult]) -> None:
    lines = table.rows(results.values())
    assert table.markdown(lines).count("\n") == 3
    assert table.chart(lines).count("<rect") == 2


def test_the_documented_table_is_of_the_scenarios_that_the_drill_plays() -> None:
    documented = [row["scenario"] for row in table_of(ROOT / "docs/abuse.md", "## The drill")]
    assert documented == [scenario.name for scenario in SCENARIOS if scenario.in_story]


def test_a_siege_names_its_goal() -> None:
    assert {siege.most_hours for siege in victim.SIEGES} == {0, 18}


def test_each_table_explains_its_columns(results: dict[str, ScenarioResult]) -> None:
    for line in table.rows(results.values()):
        for column in line.keys() - {"scenario"}:
            policy, _, word = column.rpartition(": ")
            assert re.search(rf"\b{word.removesuffix(' %')}\b", table.EXPLAINED), column
            assert policy in table.EXPLAINED
    assert all(f"{word}: " in table.SIEGES_EXPLAINED for word in ("hours out", "goal", "held"))
