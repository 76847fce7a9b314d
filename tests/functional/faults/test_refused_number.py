"""A number that a provider refuses affects no other number."""

import pytest

from sms_otp.domain.circuit import NUMBERS as NUMBERS_THAT_OPEN_A_CIRCUIT
from tests.functional.faults.outcomes import LIMITED, OK, UNAVAILABLE, outcome_of
from tests.functional.faults.world import World

REFUSED = "+14155550101"
OTHERS = [f"+141555501{index:02d}" for index in range(40, 90)]
TRIES = 8
GAP_SECONDS = 241
"""The longest gap between two sends to a number, and a second."""

OF_EACH = {"infobip": ("number-limit", "429"), "sinch": ("42901", "42201")}


@pytest.fixture(autouse=True)
def _without_the_guard(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pumping guard would stop fifty unverified numbers of one block."""
    monkeypatch.setenv("PUMPING_GUARD", "off")
    world.restart()


@pytest.mark.parametrize("which", [0, 1])
def test_one_refused_number_does_not_open_the_circuit_for_others(world: World, which: int) -> None:
    world.spoil_provider("send", OF_EACH[world.provider][which], times=TRIES)
    ends = []
    for index in range(TRIES):
        ends.append(outcome_of(world.request(key=None, number=REFUSED, request_id=f"refused-{index}")))
        world.clock.step(GAP_SECONDS)
    assert set(ends) == {UNAVAILABLE, LIMITED}, "each refused send counts, so the number's own limits end it"
    world.heal()
    others = [outcome_of(world.request(key=None, number=number)) for number in OTHERS]
    assert others == [OK] * len(OTHERS)
    assert world.items("K") == []


def test_a_hundred_requests_for_a_refused_number_reserve_one_send(world: World) -> None:
    world.spoil_provider("send", OF_EACH[world.provider][0], times=1_000)
    ends = [
        outcome_of(world.request(key=None, number=REFUSED, request_id=f"refused-{i}")) for i in range(100)
    ]
    assert ends.count(UNAVAILABLE) == 1, "the gap refuses the rest"
    assert world.reserved() == 1


def test_the_only_provider_is_called_even_when_its_circuit_is_open(
    world: World,
) -> None:
    """With one provider, an open circuit refuses no request."""
    world.spoil_provider("send", "500", times=NUMBERS_THAT_OPEN_A_CIRCUIT)
    for number in OTHERS[:NUMBERS_THAT_OPEN_A_CIRCUIT]:
        outcome_of(world.request(key=None, number=number))
    assert outcome_of(world.request(key=None, number=OTHERS[10])) == OK
