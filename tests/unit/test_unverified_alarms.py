"""The two alarms on codes that stay unverified: days of the drill, measured as CloudWatch would."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from functools import cache
from statistics import mean
from typing import Any

import pytest

from bench.drill.people import Attack, Habits, People, scattered
from bench.drill.scenarios import deployment, in_order
from bench.drill.world import MIDNIGHT, World, quick
from local.template import resource
from sms_otp.adapters.telemetry.metrics import BY_EVENT
from sms_otp.domain.budgets import MOST_SHARDS
from sms_otp.domain.clock import DAY, HOUR
from sms_otp.domain.commands import Policy
from sms_otp.domain.guard import Mode

RATIO, UNUSED = "UnverifiedRatioAlarm", "ExpiredUnusedAlarm"
STATISTICS: dict[str, Callable[[list[float]], float]] = {"Maximum": max, "Average": mean}
DAYS_BEFORE = 2
TODAY = MIDNIGHT + DAYS_BEFORE * DAY
USUAL = Habits(people=300)


class Measured(World):
    """A world that keeps each metric of its sends: seconds and value, by name."""

    def __init__(self, policy: Policy) -> None:
        super().__init__(policy)
        self.points: dict[str, list[tuple[float, float]]] = defaultdict(list)

    def _note(self, event: str, **fields: Any) -> None:
        super()._note(event, **fields)
        for metric in BY_EVENT["send_decided"] if event == "send_decided" else ():
            if isinstance(metric.value, str) and fields.get(metric.value) is not None:
                self.points[metric.name].append((self.clock.now, fields[metric.value]))

    def alarms(self, name: str) -> list[float]:
        """When this alarm goes off today: the ends of its periods, in hours of the day."""
        alarm = resource(name)
        assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
        periods: dict[float, list[float]] = defaultdict(list)
        for at, value in self.points[alarm["MetricName"]]:
            periods[at // alarm["Period"]].append(value)
        statistic = STATISTICS[alarm["Statistic"]]
        ends = [
            ((period + 1) * alarm["Period"] - TODAY) / HOUR
            for period, values in sorted(periods.items())
            if statistic(values) >= alarm["Threshold"]
        ]
        return [end for end in ends if end > 0]


@pytest.fixture(autouse=True)
def _quick() -> Iterator[None]:
    with quick():
        yield


def new(mode: Mode = Mode.ENFORCE, shards: int = 1) -> Measured:
    """A world without a past."""
    policy = deployment()
    spend = replace(policy.admission.spend, mode=mode, shards=shards)
    return Measured(replace(policy, admission=replace(policy.admission, spend=spend)))


@cache
def _warmed(conversion: float) -> tuple[People, Measured]:
    people, world = People(replace(USUAL, conversion=conversion), 1), new()
    for day in range(DAYS_BEFORE):
        world.run(people.day(MIDNIGHT + day * DAY))
    return people, world


def usual(mode: Mode = Mode.ENFORCE, conversion: float = USUAL.conversion) -> tuple[People, Measured]:
    """People and their world after some usual days."""
    people, world = deepcopy(_warmed(conversion)[0]), _warmed(conversion)[1].copy()
    world.decides_by(new(mode).policy)
    return people, world


@pytest.mark.parametrize("conversion", [0.5, 0.75])
def test_a_usual_day_is_no_alarm(conversion: float) -> None:
    people, world = usual(conversion=conversion)
    world.run(people.day(TODAY))
    assert world.points["ExpiredUnused"]
    assert (world.alarms(RATIO), world.alarms(UNUSED)) == ([], [])


@pytest.mark.parametrize("conversion", [0.5, 0.75])
@pytest.mark.parametrize("people", [3, 40])
def test_a_day_of_a_small_service_is_no_alarm(people: int, conversion: float) -> None:
    crowd, world = People(Habits(people=people, conversion=conversion), 1), new()
    for day in range(DAYS_BEFORE + 1):
        world.run(crowd.day(MIDNIGHT + day * DAY))
    assert (world.alarms(RATIO), world.alarms(UNUSED)) == ([], [])


@pytest.mark.parametrize("shards", [1, 11, MOST_SHARDS])
def test_the_first_day_is_no_alarm(shards: int) -> None:
    """A service that may spend much is counted on many shards, of which a request reads four."""
    world = new(shards=shards)
    world.run(People(USUAL, 1).day(TODAY))
    assert (world.alarms(RATIO), world.alarms(UNUSED)) == ([], [])


def test_a_burst_of_codes_still_on_their_way_is_no_alarm() -> None:
    """Four hundred within two minutes: most of their codes are not typed yet when the next one is sent."""
    people, world = usual()
    world.run(in_order(people.day(TODAY), people.burst(TODAY + 14 * HOUR, 400, 120)))
    assert (world.alarms(RATIO), world.alarms(UNUSED)) == ([], [])


def test_twenty_unverified_codes_alarm_within_the_hour() -> None:
    world = new()
    attack = Attack(codes=66, addresses=66, seconds=HOUR / 2)
    world.run(attack.on(scattered(), TODAY + HOUR))
    first, *_ = world.alarms(RATIO)
    assert HOUR < first * HOUR <= 1.5 * HOUR


def test_an_attack_beside_users_alarms_once_its_first_hour_is_over() -> None:
    """Users verify all the while, so that no hour is without verifications."""
    people, world = usual(Mode.RECORD)
    attack = Attack(codes=600, addresses=600, seconds=3 * HOUR)
    world.run(in_order(people.day(TODAY), attack.on(scattered(), TODAY + 13 * HOUR)))
    alarms = world.alarms(RATIO)
    assert 14 < alarms[0] < 14.5
    assert alarms[-1] < 17.5, "over, once the attack is"


def test_an_attack_that_the_guard_lets_through_alarms() -> None:
    people, world = usual()
    attack = Attack(codes=600, addresses=600, solves=True, seconds=3 * HOUR)
    world.run(in_order(people.day(TODAY), attack.on(scattered(), TODAY + 13 * HOUR)))
    assert world.alarms(RATIO)


def test_a_low_conversion_alarms_even_if_no_hour_has_twenty_unverified() -> None:
    people, world = usual(Mode.RECORD)
    world.run(people.day(TODAY, conversion=0.05))
    assert not world.alarms(RATIO)
    assert 12 < world.alarms(UNUSED)[0] < 24


def test_with_the_guard_off_nothing_is_measured() -> None:
    world = new(Mode.OFF)
    world.run(People(Habits(people=40), 1).day(TODAY))
    assert not world.points.keys() & {"UnverifiedSends", "ExpiredUnused"}
    assert world.points["NumberSpike"]
