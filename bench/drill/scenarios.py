"""The drill's scenarios: honest days and attacks, each with its goals."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain

from bench.drill import before
from bench.drill.people import Attack, Habits, People, Visit, everywhere, one_block, premium, scattered
from bench.drill.world import MIDNIGHT, Tally, World, quick
from local.template import environment
from sms_otp.adapters.config import Settings
from sms_otp.domain.clock import DAY, HOUR
from sms_otp.domain.commands import Policy
from sms_otp.domain.guard import Mode
from sms_otp.domain.provider import Channel
from sms_otp.entry_points.bootstrap import policy

WARM_DAYS = 14
CAP = 1_000
"""US dollars a day: high enough that the guard decides every scenario, not the cap."""


@dataclass(frozen=True)
class Most:
    """A scenario's goals: maximum percent of people, and the attack's maximum in bills, dollars or codes."""

    refused: float = 100.0
    challenged: float = 100.0
    bills: float | None = None
    dollars: float | None = None
    codes: int | None = None


USUAL = Habits()


@dataclass(frozen=True)
class Scenario:
    """One day. `habits` also apply to the warm days before it, `today` only to this day."""

    name: str
    most: Most
    habits: Habits = USUAL
    warm_days: int = WARM_DAYS
    today: dict[str, float] = field(default_factory=dict)
    attack: Callable[[float], list[Visit]] | None = None
    """Attackers' visits of the day that starts at this time."""
    more: Callable[[People, float], list[Visit]] | None = None
    """Visits of further people."""
    drip: Callable[[float], list[Visit]] | None = None
    """Attackers' visits of every warm day."""
    yesterday: Callable[[float], list[Visit]] | None = None
    """Attackers' visits of the last warm day."""
    in_story: bool = False
    """Whether `make drill` plays it."""


def attacking(
    attack: Attack, numbers: Callable[[], Iterator[str]] = scattered
) -> Callable[[float], list[Visit]]:
    """A function from the start of a day to this attack's visits."""
    return partial(_attacked, attack, numbers)


def _attacked(attack: Attack, numbers: Callable[[], Iterator[str]], starts_at: float) -> list[Visit]:
    return attack.on(numbers(), starts_at)


def crowd(people: People, at: float) -> list[Visit]:
    """1,000 more people within ten minutes of the afternoon."""
    return people.burst(at + 14 * HOUR, 1_000, 600)


def spain(people: People, at: float) -> list[Visit]:
    """500 people in a country without earlier users."""
    return people.launch(at, "ES", 500)


ONE_BILL = Most(refused=10, bills=0.75)
HONEST = Most(refused=0.5, challenged=2)
NO_NETWORK = Habits(names_network=False)
MANY = 5_000

SCENARIOS = (
    # 1: no attack
    Scenario("a usual day", HONEST, in_story=True),
    Scenario("95 % type their codes", HONEST, Habits(conversion=0.95)),
    Scenario("60 % type their codes", HONEST, Habits(conversion=0.6), in_story=True),
    Scenario("50 % type their codes", HONEST, Habits(conversion=0.5)),
    Scenario("a flash sale: ten times as many", HONEST, today={"people": 20_000}, in_story=True),
    Scenario(
        "1,000 more in ten minutes",
        HONEST,
        more=crowd,
    ),
    Scenario("all on shared addresses", HONEST, Habits(on_shared_addresses=1.0)),
    Scenario("no clientIp", HONEST, NO_NETWORK),
    Scenario("a country launched today", HONEST, more=spain),
    Scenario("conversion falls to 50 % today", HONEST, today={"conversion": 0.5}),
    Scenario("the first day", HONEST, warm_days=0, in_story=True),
    Scenario(
        "the first day, no clientIp, 60 %",
        Most(refused=2, challenged=12),
        Habits(names_network=False, conversion=0.6),
        warm_days=0,
    ),
    # 2: few addresses
    Scenario(
        "10,000 codes from 100 addresses",
        Most(0.5, 1, bills=0.4),
        attack=attacking(Attack()),
        in_story=True,
    ),
    Scenario(
        "… that solve challenges",
        Most(0.5, 1, bills=0.4),
        attack=attacking(Attack(solves=True)),
    ),
    # 3: many addresses
    Scenario("… from 5,000 addresses", ONE_BILL, attack=attacking(Attack(addresses=MANY)), in_story=True),
    Scenario(
        "… on the first day",
        Most(refused=20, bills=0.75),
        warm_days=0,
        attack=attacking(Attack(addresses=MANY)),
    ),
    # 4: many addresses that solve
    Scenario(
        "… from 5,000 that solve challenges",
        Most(refused=20, bills=4),
        attack=attacking(Attack(addresses=MANY, solves=True)),
        in_story=True,
    ),
    # 5: all countries
    Scenario(
        "200 countries without users",
        Most(0.5, 1, dollars=25),
        attack=attacking(Attack(addresses=MANY), everywhere),
        in_story=True,
    ),
    Scenario(
        "… solving challenges",
        Most(0.5, 1, dollars=120),
        attack=attacking(Attack(addresses=MANY, solves=True), everywhere),
    ),
    Scenario("premium routes", Most(0.5, 1, dollars=25), attack=attacking(Attack(), premium)),
    # 6: one block, calls
    Scenario(
        "one block of numbers, solving",
        Most(0.5, 1, codes=100),
        attack=attacking(Attack(addresses=MANY, solves=True), one_block),
        in_story=True,
    ),
    Scenario(
        "2,400 calls",
        Most(0.5, 3, dollars=25),
        attack=attacking(Attack(codes=2_400, channel=Channel.VOICE)),
        in_story=True,
    ),
    # 7: a drip
    Scenario(
        "a drip of 400 a day beside 500 people, for two weeks",
        Most(refused=1.5, challenged=10),
        Habits(people=500),
        drip=attacking(Attack(codes=400, addresses=200)),
        attack=attacking(Attack(codes=400, addresses=200)),
        in_story=True,
    ),
    # 8: the day after
    Scenario(
        "the day after 10,000 codes from 5,000 addresses",
        Most(refused=0.5),
        yesterday=attacking(Attack(addresses=MANY)),
        in_story=True,
    ),
)


@dataclass(frozen=True)
class ScenarioResult:
    """The result of one scenario with one policy and seed."""

    scenario: Scenario
    policy: str
    seed: int
    people: Tally
    attackers: Tally
    usual_bill: float
    """Cost of a day without an attack, in US dollars."""

    @property
    def bills(self) -> float:
        """The attack's cost in usual bills."""
        return self.attackers.dollars / max(0.01, self.usual_bill)

    @property
    def over(self) -> list[str]:
        """The missed goals, as texts."""
        most, attack = self.scenario.most, self.attackers
        goals = (
            ("refused %", self.people.refused_percent, most.refused),
            ("challenged %", self.people.challenged_percent, most.challenged),
            ("bills", self.bills, most.bills),
            ("USD", attack.dollars, most.dollars),
            ("codes", attack.codes, most.codes),
        )
        return [
            f"{name} {value:.1f} > {limit:g}"
            for name, value, limit in goals
            if limit is not None and value > limit
        ]


def deployment() -> Policy:
    """The template's defaults, with every country and a cap that is not reached."""
    return policy(Settings.from_environment(environment(DailySpendCap=str(CAP), VoiceCountries="*")))


def policies() -> dict[str, tuple[Policy, Callable[[], AbstractContextManager[None]]]]:
    """The deployment with the previous and the current guard, each with its patch."""
    now = deployment()
    return {
        "before": (before.policy_before(now), before.guard_before),
        "guard": (now, nullcontext),
    }


class Player:
    """Plays scenarios with one policy and seed. Scenarios with equal warm days share their run."""

    def __init__(self, policy: str, seed: int) -> None:
        self.policy, self.seed = policy, seed
        self._deployment, self._deciding = policies()[policy]
        self._warm: dict[object, tuple[People, World, float]] = {}

    def play(self, scenario: Scenario) -> ScenarioResult:
        """Play one scenario, starting from a copy of its warm days."""
        with quick(), self._deciding():
            people, world, usual_bill = self._warmed(scenario)
            people, world, today = deepcopy(people), world.copy(), self._today(scenario)
            if scenario.yesterday:
                yesterday = in_order(people.day(today - DAY), scenario.yesterday(today - DAY))
                world.run(yesterday)
            visits = [people.day(today, **scenario.today)]
            visits += [scenario.more(people, today)] if scenario.more else []
            visits += [scenario.attack(today)] if scenario.attack else []
            tallies = world.run(in_order(*visits))
        return ScenarioResult(scenario, self.policy, self.seed, tallies[False], tallies[True], usual_bill)

    def _before_today(self) -> Policy:
        """The deployment on the warm days. The previous guard only recorded in its first two weeks."""
        if self.policy == "guard":
            return self._deployment
        admission = self._deployment.admission
        recording = replace(admission.spend, mode=Mode.RECORD)
        return replace(self._deployment, admission=replace(admission, spend=recording))

    def _today(self, scenario: Scenario) -> float:
        return MIDNIGHT + scenario.warm_days * DAY

    def _warmed(self, scenario: Scenario) -> tuple[People, World, float]:
        """People and world at the scenario's day, and the cost of a day without an attack (USD)."""
        days = scenario.warm_days - (1 if scenario.yesterday else 0)
        warm_up = (repr(scenario.habits), days, repr(scenario.drip))
        if warm_up not in self._warm:
            people, world = People(scenario.habits, self.seed), World(self._before_today())
            bill = 0.0
            for day in range(days):
                starts_at = MIDNIGHT + day * DAY
                drip = scenario.drip(starts_at) if scenario.drip else []
                bill = world.run(in_order(people.day(starts_at), drip))[False].dollars
            if not days:
                bill = (
                    World(self._deployment)
                    .run(People(scenario.habits, self.seed).day(MIDNIGHT))[False]
                    .dollars
                )
            world.decides_by(self._deployment)
            self._warm[warm_up] = people, world, bill
        return self._warm[warm_up]


def in_order(*sides: Iterable[Visit]) -> list[Visit]:
    """All visits, sorted by time."""
    return sorted(chain.from_iterable(sides), key=lambda visit: visit.at)
