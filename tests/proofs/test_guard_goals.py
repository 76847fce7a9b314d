"""The goals of the guard, held by the drill at full size: six scenarios in CI, all in `make prove-guard`."""

import pytest

from bench.drill import victim
from bench.drill.scenarios import SCENARIOS, Player, Scenario, deployment
from bench.drill.world import World, quick
from tests.proofs.scale import PROVE

pytestmark = pytest.mark.long

SEEDS = (1, 2, 3)
IN_CI = (
    "the first day",
    "the first day, no clientIp, 60 %",
    "… on the first day",
    "a usual day",
    "10,000 codes from 100 addresses",
    "one block of numbers, solving",
)
"""Three without days before, and three that share their two weeks, which are played once."""


@pytest.fixture(scope="session")
def players() -> dict[int, Player]:
    """One for each seed, so that each plays the days before once."""
    return {seed: Player("guard", seed) for seed in SEEDS}


@pytest.mark.parametrize("seed", SEEDS if PROVE else SEEDS[:1])
@pytest.mark.parametrize(
    "scenario",
    [each for each in SCENARIOS if PROVE or each.name in IN_CI],
    ids=lambda scenario: scenario.name,
)
def test_no_goal_is_missed(scenario: Scenario, seed: int, players: dict[int, Player]) -> None:
    assert players[seed].play(scenario).over == []


@pytest.mark.parametrize(
    "siege",
    victim.SIEGES if PROVE else victim.SIEGES[:1],
    ids=lambda siege: siege.name,
)
def test_a_number_under_attack_keeps_its_owner(siege: victim.Siege) -> None:
    with quick():
        assert victim.hours_out(World(deployment()), siege) <= siege.most_hours
