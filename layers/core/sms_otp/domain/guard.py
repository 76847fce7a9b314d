"""The pumping guard: whether a send may be charged, and to which budget. Pure, over counters already read.

SMS pumping earns from codes that nobody enters. It shows as money spent on a country, or on a block of
neighbouring numbers, and never verified. **Unverified money** is the price of every code that is not
verified yet; a correct code moves its price to the country's **verified money**. A send is charged to the
first of these lanes that has room, so an attack exhausts only the budgets that it qualifies for:

    lane         who qualifies                                  limit of unverified money in the country
    own          device token or usual network of the number    not counted
    known        a number verified within 90 days               3 r of the verified money of known numbers
    open         anyone                                         1.5 r of verified money an hour, 1.2 r a day
    fresh        a network without an open code                 0.5 of verified money
    challenged   a challenge passed, network has < 2 open       4 times verified money an hour, 6 times a day

`r`, the **learned ratio**, is the country's usual number of unverified codes per verified one, so that users
who often leave a code unused are not taken for an attack. Verified money is the larger of the last hour or
day and the best day of two weeks, so that neither a busy country nor a flash sale is refused.

Where a lane's limit has no room, a small **floor** applies, so that a country without history can start. One
pool per lane limits the floors of all countries together: two hundred countries cost no more than a few. A
**block** of 10,000 neighbouring numbers may have few open codes, even in a busy country. A **network** may
have a few, plus 1.5 r of the codes that its users verified, so that people can share an address.

The guard is a brake on cost, exact within its windows, which slide and assume an even spread.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from sms_otp.domain.budgets import NONE_YET, Spans
from sms_otp.domain.prices import USD

HISTORY_DAYS = 14
"""Two weeks: each day of the week counts twice."""
HOURS_OF_A_DAY = 6
"""A busy hour has a sixth of its day's traffic: four times the mean."""
LEAST_RATIO, MOST_RATIO = 0.3, 1.0
"""Bounds of the learned ratio: a lower one leaves no room for chance, a higher one lets an attack grow."""
PRIOR_UNVERIFIED, PRIOR_VERIFIED = 6, 10
"""Codes that the learned ratio starts from, so that the first few hardly move it."""
SLACK, SLACK_OF_DAY = 1.5, 1.2
"""Factors on the learned ratio: for an hour, and for a day, which varies less."""
IGNORED_AT_MOST = 2
"""Unverified codes in a row after which a number loses the own and known lanes: an attacker who verified it
once must keep verifying it."""

FLOOR = Spans(USD // 2, 2 * USD)
"""0.50 USD an hour and 2 USD a day: 60 and 250 SMS to the US, enough for a first day with users."""
POOL = Spans(2 * USD, 10 * USD)
"""Limit of one lane's floors in all countries together: an attack on all of them costs 10 USD a day."""
CHALLENGED_FLOORS = 8
"""Factor on `FLOOR` and `POOL` in the challenged lane."""

BLOCK = Spans(10, 20)
"""Codes that a block of neighbouring numbers may have open before any is verified there."""
BLOCK_CHALLENGED = 4


class Mode(StrEnum):
    """Whether the guard is off, only records what it would refuse, or refuses."""

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
"""Codes that a network may have open in 24 hours in these lanes, before its users verify any."""
COUNTED_LANES = (BudgetLane.KNOWN, BudgetLane.OPEN, BudgetLane.FRESH, BudgetLane.CHALLENGED)
"""Lanes whose money is counted against the country."""
LIMITS = COUNTRY, BLOCK_OF_NUMBERS = ("country", "block")
"""Limits that a send exceeds when it looks like pumping, as the log names them."""
NETWORK = "network"
"""The limit on a network's open codes in all lanes."""


@dataclass(frozen=True, slots=True)
class NumberFacts:
    """The number's input to the guard."""

    is_own: bool = False
    """A valid device token or a usual network of the number came with the request."""
    is_known: bool = False
    """It was verified within 90 days."""
    ignored: int = 0
    """Codes sent to it since it was last verified."""


@dataclass(frozen=True, slots=True)
class NetworkFacts:
    """The open and verified codes of the requesting network."""

    open: Spans = NONE_YET
    verified_week: int = 0
    """Codes verified within the last seven days."""


@dataclass(frozen=True, slots=True)
class CountryFacts:
    """A country's learned ratio and its verified money in micro-dollars."""

    ratio: float = PRIOR_UNVERIFIED / PRIOR_VERIFIED
    verified: Spans = NONE_YET
    """See `granted`."""
    verified_known: Spans = NONE_YET
    """The part that was charged to the known lane; see `granted`."""


@dataclass(frozen=True, slots=True)
class SendRequest:
    """One requested send. `network` is None if the backend sends no client address."""

    number: NumberFacts
    network: NetworkFacts | None
    country: CountryFacts
    is_challenged: bool
    price: int
    """Price of the code in micro-dollars."""


@dataclass(frozen=True, slots=True)
class Charge:
    """A lane that takes the send if all its limits have room."""

    lane: BudgetLane
    limits: Spans | None = None
    """Unverified micro-dollars that the lane may have in this country; None is not counted."""
    pool: Spans | None = None
    """Limit of the lane's floors in all countries, in micro-dollars; None unless `limits` is a floor."""

    @property
    def block_factor(self) -> int:
        """Factor on the block's limit; 0 where the block is not counted."""
        if self.lane in (BudgetLane.OWN, BudgetLane.KNOWN):
            return 0
        return BLOCK_CHALLENGED if self.lane is BudgetLane.CHALLENGED else 1


def learned_ratio(unverified: float, verified: float) -> float:
    """The country's unverified codes per verified code of the last two weeks, smoothed and clamped."""
    ratio = (unverified + PRIOR_UNVERIFIED) / (verified + PRIOR_VERIFIED)
    return min(max(ratio, LEAST_RATIO), MOST_RATIO)


def granted(last: Spans, best_day: int) -> Spans:
    """The verified money that limits use: of the last hour and day, or of the best day if that is more."""
    return Spans(max(last.hour, best_day // HOURS_OF_A_DAY), max(last.day, best_day))


def network_room(network: NetworkFacts, least: int, ratio: float) -> int:
    """Codes that a network may have open: `least`, plus a share of those that its users verified."""
    return least + int(SLACK * ratio * network.verified_week)


def block_limits(verified: Spans, ratio: float, factor: int) -> Spans:
    """Codes that a block may have open. `verified`: its verified codes of the same hour and day."""
    earned = verified.times(SLACK * ratio)
    return Spans(max(BLOCK.hour, earned.hour), max(BLOCK.day, earned.day)).times(factor)


def charges(request: SendRequest) -> Iterator[Charge]:
    """The budgets that the send qualifies for, in order: charge it to the first that has room."""
    if request.number.ignored < IGNORED_AT_MOST:
        if request.number.is_own:
            yield Charge(BudgetLane.OWN)
        if request.number.is_known:
            yield from _learned_or_floor(BudgetLane.KNOWN, request)
    yield from _learned_or_floor(BudgetLane.OPEN, request)
    if request.network and _has_room(request, BudgetLane.FRESH):
        yield from _learned_or_floor(BudgetLane.FRESH, request)
    if request.is_challenged and _has_room(request, BudgetLane.CHALLENGED):
        yield from _learned_or_floor(BudgetLane.CHALLENGED, request)


def _has_room(request: SendRequest, lane: BudgetLane) -> bool:
    """Whether the network has room for one more code in this lane; True if the request names no network."""
    network = request.network
    return network is None or network.open.day < network_room(
        network, NETWORK_OPEN[lane], request.country.ratio
    )


def _learned_or_floor(lane: BudgetLane, request: SendRequest) -> Iterator[Charge]:
    factor = CHALLENGED_FLOORS if lane is BudgetLane.CHALLENGED else 1
    yield Charge(lane, learned_limits(lane, request.country))
    # A floor below the price of one code would refuse the first user of a country.
    floor, pool = (spans.times(factor).at_least(request.price) for spans in (FLOOR, POOL))
    yield Charge(lane, floor, pool)


def learned_limits(lane: BudgetLane, country: CountryFacts) -> Spans:
    """Unverified micro-dollars that a lane may have in a country, in proportion to its verified money."""
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
