"""The drill's people and attackers: the number, time and network of each request, and whether it is verified.

People, assumed and not measured: 2,000 a day in three countries; 75 % type their code; 40 % return with a
number verified before, 60 % of these with a device token; 30 % share an address with nineteen others; 15 %
request a resend; 3 % request a call; 90 % pass a challenge. Attackers are scripts.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from random import Random

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from sms_otp.domain import errors, phone
from sms_otp.domain.clock import DAY
from sms_otp.domain.provider import Channel

COUNTRIES = {"US": 0.6, "GB": 0.3, "DE": 0.1}
SHARED_BY = 20
MOST_TRIES = 200
"""Random numbers to try before a country counts as exhausted: some ranges are a few blocks."""
REMEMBERED_DAYS = 60
"""People return within this time, while their number is still known."""


@dataclass(frozen=True, slots=True)
class Habits:
    """How the users of a service behave. Shares from 0 to 1."""

    people: int = 2_000
    """A day."""
    conversion: float = 0.75
    returning: float = 0.4
    with_token: float = 0.6
    on_shared_addresses: float = 0.3
    resends: float = 0.15
    by_voice: float = 0.03
    solves: float = 0.9
    names_network: bool = True
    """Whether the backend sends `clientIp`."""
    knows_challenges: bool = True
    """Whether the backend can show a challenge."""
    countries: dict[str, float] = field(default_factory=lambda: dict(COUNTRIES))


@dataclass(frozen=True, slots=True)
class Visit:
    """One person's request. `at` in virtual seconds, the other times in seconds after the send."""

    at: float
    number: str
    network: str | None = None
    has_token: bool = False
    """Whether the app sends the number's newest device token, if it has one."""
    channel: Channel = Channel.SMS
    types_after: float | None = None
    """None if the code is never typed."""
    resends_after: float | None = None
    solves: bool = False
    is_hostile: bool = False


@dataclass(frozen=True, slots=True)
class Person:
    """A number and its usual network."""

    number: str
    country: str
    network: str


class People:
    """The people of one service over days, reproducible by seed."""

    def __init__(self, habits: Habits, seed: int) -> None:
        self.habits, self.chance = habits, Random(seed)  # noqa: S311 - a simulation, which must repeat
        self._numbers: dict[str, Numbers] = {}
        self._known: list[Person] = []
        self._addresses = 0
        self._shared = [self._address() for _ in range(50)]

    def day(self, starts_at: float, **habits: float) -> list[Visit]:
        """The visits of one day, few at night. `habits` override fields of the usual habits."""
        todays = replace(self.habits, **habits)  # type: ignore[arg-type] # the caller names fields of it
        return [self._visit(todays, starts_at + self._moment()) for _ in range(todays.people)]

    def burst(self, starts_at: float, people: int, seconds: float) -> list[Visit]:
        """The visits of `people` within `seconds`."""
        return [self._visit(self.habits, starts_at + self.chance.uniform(0, seconds)) for _ in range(people)]

    def launch(self, starts_at: float, country: str, people: int) -> list[Visit]:
        """A day's visits in a country without earlier users."""
        there = replace(self.habits, countries={country: 1.0}, returning=0.0)
        return [self._visit(there, starts_at + self._moment()) for _ in range(people)]

    def _moment(self) -> float:
        return min(DAY - 1.0, self.chance.triangular(0, DAY, 0.6 * DAY))

    def _visit(self, habits: Habits, at: float) -> Visit:
        chance = self.chance.random
        is_returning = bool(self._known) and chance() < habits.returning
        person = self._comes_back() if is_returning else self._new(habits)
        types = chance() < habits.conversion
        typing = self.chance.uniform(10, 60) if types else None
        has_token = is_returning and chance() < habits.with_token
        elsewhere = is_returning and not has_token and chance() < 0.5
        visit = Visit(
            at=at,
            number=person.number,
            network=(self._address() if elsewhere else person.network) if habits.names_network else None,
            has_token=has_token,
            channel=Channel.VOICE if chance() < habits.by_voice else Channel.SMS,
            types_after=typing,
            resends_after=self.chance.uniform(31, 60) if chance() < habits.resends else None,
            solves=habits.knows_challenges and chance() < habits.solves,
        )
        if types and not is_returning:
            self._known.append(person)
        return visit

    def _comes_back(self) -> Person:
        recent = self._known[-REMEMBERED_DAYS * self.habits.people :]
        return recent[self.chance.randrange(len(recent))]

    def _new(self, habits: Habits) -> Person:
        country = self.chance.choices(list(habits.countries), list(habits.countries.values()))[0]
        shares = self.chance.random() < habits.on_shared_addresses
        network = self._shared_address() if shares else self._address()
        numbers = self._numbers.setdefault(country, Numbers(country, self.chance))
        return Person(next(numbers), country, network)

    def _shared_address(self) -> str:
        """One of the shared addresses, each with twenty people; fixed over the days."""
        many = max(1, round(self.habits.people * self.habits.on_shared_addresses / SHARED_BY))
        while len(self._shared) < many:
            self._shared.append(self._address())
        return self._shared[self.chance.randrange(many)]

    def _address(self) -> str:
        self._addresses += 1
        return address(10, self._addresses)


def address(net: int, index: int) -> str:
    """An IPv4 address: `10.x.y.z` for people, others for attackers."""
    return f"{net}.{index >> 16 & 255}.{index >> 8 & 255}.{index & 255}"


@dataclass(frozen=True, slots=True)
class Attack:
    """A script that requests `codes` from `addresses`, evenly over `seconds`."""

    codes: int = 10_000
    addresses: int = 100
    solves: bool = False
    types: float = 0.0
    """The share of codes that it verifies, with SIMs of its own."""
    channel: Channel = Channel.SMS
    seconds: float = DAY
    names_network: bool = True
    net: int = 100

    def on(self, numbers: Iterator[str], starts_at: float, seed: int = 9) -> list[Visit]:
        """The attack's visits."""
        chance = Random(seed)  # noqa: S311 - a simulation, which must repeat
        return [
            Visit(
                at=starts_at + index * self.seconds / self.codes,
                number=number,
                network=address(self.net, index % self.addresses) if self.names_network else None,
                channel=self.channel,
                types_after=20.0 if chance.random() < self.types else None,
                solves=self.solves,
                is_hostile=True,
            )
            for index, number in enumerate(itertools.islice(numbers, self.codes))
        ]


def scattered(seed: int = 3) -> Iterator[str]:
    """Numbers of the users' countries in turn."""
    chance = Random(seed)  # noqa: S311 - a simulation, which must repeat
    return in_turn([Numbers(country, chance) for country in COUNTRIES])


def everywhere(seed: int = 4) -> Iterator[str]:
    """Numbers of two hundred countries without users, in turn."""
    chance = Random(seed)  # noqa: S311 - a simulation, which must repeat
    others = [country for country in mobile_countries() if country not in COUNTRIES]
    return in_turn([Numbers(country, chance) for country in others])


def premium(seed: int = 5) -> Iterator[str]:
    """Numbers of the countries with the most expensive messages."""
    chance = Random(seed)  # noqa: S311 - a simulation, which must repeat
    return in_turn([Numbers(country, chance) for country in ("NP", "TT", "TC", "ZM")])


def one_block(country: str = "GB") -> Iterator[str]:
    """The numbers of one block of 10,000, again and again."""
    start = str(example(country))[:-4]
    return itertools.cycle(f"{start}{last:04d}" for last in range(10_000))


def in_turn(sources: Sequence[Iterator[str]]) -> Iterator[str]:
    """One number of each source in turn, until all are exhausted."""
    left = list(sources)
    while left:
        for source in tuple(left):
            if (number := next(source, None)) is None:
                left.remove(source)
            else:
                yield number


def mobile_countries() -> list[str]:
    """Every country that has mobile numbers, the users' first."""
    regions = sorted(phonenumbers.SUPPORTED_REGIONS, key=lambda region: (region not in COUNTRIES, region))
    return [region for region in regions if example(region)]


def example(region: str) -> str | None:
    """libphonenumber's example of a mobile number, E.164; None without one."""
    found = phonenumbers.example_number_for_type(region, PhoneNumberType.MOBILE)
    return phonenumbers.format_number(found, PhoneNumberFormat.E164) if found else None


class Numbers:
    """Unique random mobile numbers of a country. They never leave this process."""

    def __init__(self, country: str, chance: Random) -> None:
        self._country, self._chance, self._seen = country, chance, set[str]()
        self._start = str(example(country))
        self._digits = min(7, len(self._start) - 5)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        for _ in range(MOST_TRIES):
            last = f"{self._chance.randrange(10**self._digits):0{self._digits}d}"
            number = self._start[: -self._digits] + last
            if number not in self._seen and country_of(number) == self._country:
                self._seen.add(number)
                return number
        raise StopIteration


def country_of(number: str) -> str | None:
    """The country of a number; None if no code is sent to it."""
    try:
        return phone.parse(number).country
    except errors.OtpError:
        return None
