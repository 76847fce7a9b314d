"""The pumping guard: may this send be paid for, and out of which budget? Pure, over what was counted.

SMS pumping earns from codes that nobody types, so its mark is money that is spent on a country, or on a
block of neighbouring numbers, and never verified. **Unverified money** is the price of each code on its way;
a right code takes its price out again and adds it to what the country has **verified**. Those who look least
like an attacker are charged first, each to a budget of its own, so that an attack spends only its own:

    lane         who may be charged to it                              unverified money, at most
    own          brings a device token or comes from a usual network   not counted against the country
    known        a number that was verified within 90 days             3 r of what known numbers verified
    open         anyone                                                1.5 r of it in an hour, 1.3 r in a day
    fresh        a network that has nothing open                       0.5 of it
    challenged   the user passed a challenge, network has 2 open       4 of it in an hour, 6 in a day

`r`, the **learned ratio**, is how much this country leaves unverified on its usual days, so that users of
whom many never type their code are not taken for an attack. What a country "verified" is the larger of the
last span and its best day, so that a busy country is not refused for being busy, and a flash sale neither.

A country without history has small **floors** in place of these, and all floors together come out of one
pool for each lane, so that two hundred countries cost no more than a few. A **block** of 10,000 neighbouring
numbers may have few codes open, even in a busy country. A **network** may have few, or 1.5 r of what its
own users verified, so that people who share an address are not refused for it.

It is a brake on cost, exact within its windows. The windows slide, evenly spread within an hour or a day.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from sms_otp.domain.budgets import NONE_YET, Spans
from sms_otp.domain.prices import USD

HISTORY_DAYS = 14
"""Two weeks: every day of the week is in it twice."""
HOURS_OF_A_DAY = 6
"""A busy hour has a sixth of its day: four times the mean."""
LEAST_RATIO, MOST_RATIO = 0.3, 1.0
"""Below, a country of careful users has no room for chance; above, an attack would raise its own limit."""
PRIOR_UNVERIFIED, PRIOR_VERIFIED = 6, 10
"""Codes that the ratio begins with, so that the first few decide nothing."""
SLACK, SLACK_OF_DAY = 1.5, 1.3
"""What an hour may leave unverified beyond what is usual, and a day, which varies less."""
IGNORED_AT_MOST = 2
"""Codes in a row that nobody typed, from which on a number opens no lane of its own: an attacker who verified
it once must go on verifying it."""

FLOOR = Spans(USD // 2, 2 * USD)
"""Half a dollar an hour and two a day: 60 codes to the US and 250, enough for a first day with users."""
POOL = Spans(2 * USD, 10 * USD)
"""Of all floors of one lane: ten dollars a day is what an attack on every country at once may cost."""
CHALLENGED_FLOORS = 8
"""Times both, for those who passed a challenge."""

BLOCK = Spans(10, 20)
"""Codes that a block of neighbouring numbers may have open without any verified there."""
BLOCK_CHALLENGED = 4


class Mode(StrEnum):
    """Whether the guard does nothing, says what it would refuse, or refuses."""

    OFF = "off"
    RECORD = "record"
    ENFORCE = "enforce"


class BudgetLane(StrEnum):
    """The budget that a send is charged to."""

    OWN = "own"
    KNOWN = "known"
    OPEN = "open"
    FRESH = "fresh"
    CHALLENGED = "challenged"


NETWORK_OPEN = {BudgetLane.FRESH: 1, BudgetLane.CHALLENGED: 2}
"""Codes that a network may have open in 24 hours in lanes of its own limit, before its users verified any."""
COUNTED_LANES = (BudgetLane.KNOWN, BudgetLane.OPEN, BudgetLane.FRESH, BudgetLane.CHALLENGED)
"""Those whose money is counted against the country."""
LIMITS = COUNTRY, BLOCK_OF_NUMBERS = ("country", "block")
"""What a send that looks like pumping is over, as the log names it."""
NETWORK = "network"
"""A limit of its own, over all lanes."""


@dataclass(frozen=True, slots=True)
class NumberFacts:
    """What is known of a number."""

    is_own: bool = False
    """A valid device token or a usual network of the number came with the request."""
    is_known: bool = False
    """It was verified within 90 days."""
    ignored: int = 0
    """Codes sent to it since it was verified last."""


@dataclass(frozen=True, slots=True)
class NetworkFacts:
    """What is known of the network that asks; counted in codes."""

    open: Spans = NONE_YET
    verified_week: int = 0
    """Within the last seven days."""


@dataclass(frozen=True, slots=True)
class CountryFacts:
    """What a country verified, in micro-dollars, and what it usually leaves unverified."""

    ratio: float = PRIOR_UNVERIFIED / PRIOR_VERIFIED
    verified: Spans = NONE_YET
    """The larger of the last span and what the best day grants."""
    verified_known: Spans = NONE_YET
    """The same of numbers in the known lane."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One requested send. `network` is None if the backend sends no address of its user."""

    number: NumberFacts
    network: NetworkFacts | None
    country: CountryFacts
    is_challenged: bool
    price: int
    """Micro-dollars of the code."""


@dataclass(frozen=True, slots=True)
class Charge:
    """A budget that the send may be charged to, if its limits have room."""

    lane: BudgetLane
    limits: Spans | None = None
    """Micro-dollars of the lane in this country; None is not counted."""
    pool: Spans | None = None
    """Micro-dollars of the lane's floors in all countries together, where the limits are a floor."""

    @property
    def block_factor(self) -> int:
        """How many times its usual limit a block may have open; 0 where it is not counted."""
        if self.lane in (BudgetLane.OWN, BudgetLane.KNOWN):
            return 0
        return BLOCK_CHALLENGED if self.lane is BudgetLane.CHALLENGED else 1


def learned_ratio(unverified: float, verified: float) -> float:
    """Unverified codes for each verified one, as a country's last two weeks had them."""
    ratio = (unverified + PRIOR_UNVERIFIED) / (verified + PRIOR_VERIFIED)
    return min(max(ratio, LEAST_RATIO), MOST_RATIO)


def granted(last: Spans, best_day: int) -> Spans:
    """What a country counts as having verified: of the last hour and day, or as its best day had it."""
    return Spans(max(last.hour, best_day // HOURS_OF_A_DAY), max(last.day, best_day))


def network_room(network: NetworkFacts, least: int, ratio: float) -> int:
    """Codes that a network may have open: so many, and what its own users' verified ones grant."""
    return least + int(SLACK * ratio * network.verified_week)


def block_limits(verified: Spans, ratio: float, factor: int) -> Spans:
    """Codes that a block of numbers may have open. `verified`: codes in the block, in the same windows."""
    earned = verified.times(SLACK * ratio)
    return Spans(max(BLOCK.hour, earned.hour), max(BLOCK.day, earned.day)).times(factor)


def charges(ask: Ask) -> Iterator[Charge]:
    """The budgets that the send may be charged to, the first that has room is to be taken."""
    if ask.number.ignored < IGNORED_AT_MOST:
        if ask.number.is_own:
            yield Charge(BudgetLane.OWN)
        if ask.number.is_known:
            yield from _learned_or_floor(BudgetLane.KNOWN, ask)
    yield from _learned_or_floor(BudgetLane.OPEN, ask)
    if ask.network and _has_room(ask, BudgetLane.FRESH):
        yield from _learned_or_floor(BudgetLane.FRESH, ask)
    if ask.is_challenged and _has_room(ask, BudgetLane.CHALLENGED):
        yield from _learned_or_floor(BudgetLane.CHALLENGED, ask)


def _has_room(ask: Ask, lane: BudgetLane) -> bool:
    """Whether the network has room for one more in this lane, or none is named."""
    network = ask.network
    return network is None or network.open.day < network_room(network, NETWORK_OPEN[lane], ask.country.ratio)


def _learned_or_floor(lane: BudgetLane, ask: Ask) -> Iterator[Charge]:
    times = CHALLENGED_FLOORS if lane is BudgetLane.CHALLENGED else 1
    yield Charge(lane, learned_limits(lane, ask.country))
    # Where one code costs more than the floor, the first user of a country would be refused as an attacker.
    floor, pool = (spans.times(times).at_least(ask.price) for spans in (FLOOR, POOL))
    yield Charge(lane, floor, pool)


def learned_limits(lane: BudgetLane, country: CountryFacts) -> Spans:
    """Unverified micro-dollars that a lane may have open in a country, by what the country verified."""
    ratio, verified = country.ratio, country.verified
    match lane:
        case BudgetLane.KNOWN:
            return country.verified_known.times(3 * ratio)
        case BudgetLane.OPEN:
            return verified.times(SLACK * ratio, SLACK_OF_DAY * ratio)
        case BudgetLane.FRESH:
            return verified.times(0.5)
        case _:
            return verified.times(4, 6)
