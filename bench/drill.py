"""SMS pumping in virtual time: what gets through, what it would have cost, and who is refused wrongly.

    python -m bench.drill

10,000 hostile requests, over a day and all at once: numbers that follow one another, premium, shared-cost
and satellite ranges, and two hundred countries; nobody ever types a code. Beside it a day of 2,000 users
in three countries, of whom 85 % do, after fifteen such days and after none. Then both at once, and last
the attack that costs users most: numbers from all over their own countries. The use cases, the limits and
the guard are the real ones with the template's defaults; the store is in memory, no provider is asked,
and the clock moves only by the script. A trusted backend that names no client is the worst case: then
no limit per client counts.

The hostile numbers are the neighbours of libphonenumber's example numbers. They never leave this process.
"""

import heapq
import itertools
import json
import math
import random
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from bench.prices import price
from fakes.memory import PEPPERS, START, MemoryStore, StepClock
from local.template import environment
from sms_otp.adapters.config import Settings
from sms_otp.domain import budgets, errors, phone
from sms_otp.domain.clock import Deadline
from sms_otp.domain.commands import Caller, Policy, RequestOtp, VerifyOtp
from sms_otp.domain.guard import HISTORY_DAYS, GuardPolicy, day_window, hour_window
from sms_otp.domain.phone import PhoneNumber
from sms_otp.domain.provider import Channel, Check, OnFailure, Order, ReserveAgain, Sent
from sms_otp.entry_points.bootstrap import policy
from sms_otp.use_cases.request import request_code
from sms_otp.use_cases.service import Service
from sms_otp.use_cases.verify import verify_code

DAY, HOUR = 24 * 3600, 3600
HOSTILE, HOSTILE_COUNTRIES = 10_000, 200
IN_BLOCKS, SPECIAL = 0.4, 0.1
"""The shares of numbers that follow one another in a few blocks, and of those that are no mobiles."""
BLOCKS = ("GB", "NP", "TT", "ZM")
"""Where a message is dear, and a country of the users."""
USERS, CONVERSION, WARM_DAYS = 2_000, 0.85, 15
USER_COUNTRIES = {"US": 0.6, "GB": 0.3, "DE": 0.1}
SLOWEST_TYPING = 90
MIDNIGHT = int(START) // DAY * DAY
OUTPUT = Path(".local/drill.json")

SPECIAL_KINDS = (
    PhoneNumberType.PREMIUM_RATE,
    PhoneNumberType.SHARED_COST,
    PhoneNumberType.TOLL_FREE,
    PhoneNumberType.PAGER,
)
SATELLITES = (870, 881, 882, 883, 979)


@dataclass(frozen=True, slots=True)
class Ask:
    """Somebody asks for a code at a moment (seconds), and types it so much later, or never."""

    at: float
    number: str
    hostile: bool
    types_after: float | None = None


@dataclass
class Tally:
    """What became of one side's requests."""

    asked: int = 0
    sent: int = 0
    cost: float = 0.0
    suspect: int = 0
    refused: Counter[str] = field(default_factory=Counter)


class Silent:
    """A provider that takes everything, sends nothing, and says what it would have cost."""

    def __init__(self) -> None:
        self.cost = 0.0

    def candidates(self, to: PhoneNumber) -> tuple[str, ...]:
        """No breaker."""
        del to
        return ()

    def ends_a_code(self, holding: Collection[str]) -> frozenset[str]:
        """As `Router.ends_a_code`: a new code leaves the earlier ones right."""
        del holding
        return frozenset()

    def send(
        self, order: Order, deadline: Deadline, on_failure: OnFailure, reserve_again: ReserveAgain
    ) -> tuple[str, Sent]:
        """See `delivery.Providers`."""
        del deadline, on_failure, reserve_again
        self.cost += price(order.to.country)
        return "silent", Sent("a-ref")

    def resend(
        self,
        holder: str,
        ref: str,
        order: Order,
        deadline: Deadline,
        on_failure: OnFailure,
        reserve_again: ReserveAgain,
    ) -> tuple[str, Sent]:
        """See `delivery.Providers`."""
        del holder, ref
        return self.send(order, deadline, on_failure, reserve_again)

    def check(self, name: str, ref: str, otp: str, *, channel: Channel, deadline: Deadline) -> Check:
        """Whoever types, types what was sent."""
        del name, ref, otp, channel, deadline
        return Check.CORRECT


class Drill:
    """One service, and the requests of both sides in the order of their times."""

    def __init__(self, allowed: Policy, verified_a_day: dict[str, int] | None = None) -> None:
        self.clock, self.store, self.provider = StepClock(), MemoryStore(), Silent()
        self.users, self.hostile = Tally(), Tally()
        self._told: Counter[str] = Counter()
        self._ids = itertools.count()
        self._service = Service(
            policy=allowed,
            store=self.store,
            providers=self.provider,
            peppers=lambda: PEPPERS,
            clock=self.clock,
            emit=lambda event, **_: self._told.update([event]),
        )
        for country, verified in (verified_a_day or {}).items():
            self._remember(allowed.admission.guard, country, verified)

    def _remember(self, guard: GuardPolicy, country: str, verified: int) -> None:
        """What days of so many verified users leave behind: the guard's counters, and nothing else of use."""
        for ago in range(1, HISTORY_DAYS + 1):
            self._set(day_window(country, MIDNIGHT - ago * DAY, guard.shards), verified)
        self._set(hour_window(country, MIDNIGHT - HOUR, guard.shards), verified // 24)

    def _set(self, window: budgets.CounterWindow, verified: int) -> None:
        keys = window.sample()
        for key in keys:
            self.store.counters[key] = budgets.Counter(verified=verified // len(keys))

    def run(self, asks: Iterable[Ask]) -> "Drill":
        """All of them, each followed by its user's typing."""
        queue: list[tuple[float, int, Ask | str]] = [(ask.at, next(self._ids), ask) for ask in asks]
        heapq.heapify(queue)
        while queue:
            self.clock.now, _, what = heapq.heappop(queue)
            if isinstance(what, str):
                verify_code(self._service, VerifyOtp(what, "123456"), self._caller())
            elif (verification_id := self._ask(what)) and what.types_after:
                typed_at = self.clock.now + what.types_after
                heapq.heappush(queue, (typed_at, next(self._ids), verification_id))
        return self

    def _ask(self, ask: Ask) -> str | None:
        tally = self.hostile if ask.hostile else self.users
        tally.asked += 1
        suspects, cost = self._told["send_suspect"], self.provider.cost
        try:
            requested = request_code(self._service, RequestOtp(ask.number), self._caller())
        except errors.OtpError as refused:
            tally.refused[refused.reason or refused.code] += 1
            return None
        tally.suspect += self._told["send_suspect"] > suspects
        tally.sent += 1
        tally.cost += self.provider.cost - cost
        return requested.verification_id

    def _caller(self) -> Caller:
        return Caller("tenant-a", f"request-{next(self._ids)}", Deadline(math.inf))


def deployment(guard: str, countries: str = "*") -> Policy:
    """The template's defaults, but for these two parameters."""
    chosen = environment(PumpingGuard=guard, AllowedCountries=countries)
    return policy(Settings.from_environment(chosen))


def hostile_numbers(amount: int) -> list[str]:
    """Numbers of every hostile kind, mixed always in the same way."""
    regions = sorted(phonenumbers.SUPPORTED_REGIONS, key=lambda region: (region not in BLOCKS, region))
    mobiles = [found for region in regions if (found := example(region, PhoneNumberType.MOBILE))]
    in_blocks, special = int(amount * IN_BLOCKS), int(amount * SPECIAL)
    spread = mobiles[len(BLOCKS) : len(BLOCKS) + HOSTILE_COUNTRIES]
    numbers = [
        *in_turn([neighbours(block) for block in mobiles[: len(BLOCKS)]], in_blocks),
        *itertools.islice(itertools.cycle(special_numbers(regions)), special),
        *in_turn([neighbours(block) for block in spread], amount - in_blocks - special),
    ]
    random.Random(1).shuffle(numbers)  # noqa: S311 - always the same mixture, nothing secret
    return numbers


def example(region: str, kind: int) -> str | None:
    """libphonenumber's example of this kind of number, E.164."""
    found = phonenumbers.example_number_for_type(region, kind)
    return phonenumbers.format_number(found, PhoneNumberFormat.E164) if found else None


def special_numbers(regions: Iterable[str]) -> list[str]:
    """One example of every kind that is no mobile in every region, and of the satellites."""
    found = [example(region, kind) for region in regions for kind in SPECIAL_KINDS]
    satellites = map(phonenumbers.example_number_for_non_geo_entity, SATELLITES)
    found += [phonenumbers.format_number(number, PhoneNumberFormat.E164) for number in satellites if number]
    return [number for number in found if number]


def scattered_numbers(amount: int) -> list[str]:
    """Numbers from all over the users' countries, as many of each."""
    chance = random.Random(3)  # noqa: S311 - always the same numbers, nothing secret
    return list(in_turn([user_numbers(country, chance) for country in USER_COUNTRIES], amount))


def neighbours(number: str) -> Iterator[str]:
    """The numbers of the same block of 10,000, one after the other, as far as they are valid."""
    for last in range(10_000):
        neighbour = f"{number[:-4]}{last:04d}"
        if phonenumbers.is_valid_number(phonenumbers.parse(neighbour)):
            yield neighbour


def in_turn(sources: list[Iterator[str]], amount: int) -> Iterator[str]:
    """So many numbers, one of each source in turn, as long as there are any."""
    rounds = itertools.chain.from_iterable(itertools.zip_longest(*sources))
    return itertools.islice((number for number in rounds if number), amount)


def attack(numbers: list[str], seconds: float) -> list[Ask]:
    """Evenly over so many seconds; nobody types anything."""
    return [Ask(MIDNIGHT + i * seconds / len(numbers), number, True) for i, number in enumerate(numbers)]


def user_day(users: int) -> list[Ask]:
    """A day of users: few at night, each of them with a number of their own."""
    chance = random.Random(2)  # noqa: S311 - always the same day, nothing secret
    asks = []
    for country, increment in USER_COUNTRIES.items():
        for number in itertools.islice(user_numbers(country, chance), int(users * increment)):
            moment = MIDNIGHT + chance.triangular(0, DAY, 0.6 * DAY)
            typing = chance.uniform(5, SLOWEST_TYPING) if chance.random() < CONVERSION else None
            asks.append(Ask(moment, number, False, typing))
    return asks


def user_numbers(country: str, chance: random.Random) -> Iterator[str]:
    """Valid mobile numbers all over a country's range, each of them once."""
    start, seen = str(example(country, PhoneNumberType.MOBILE)), set()
    while True:
        number = f"{start[:-7]}{chance.randrange(10**7):07d}"
        if number not in seen and phonenumbers.is_valid_number(phonenumbers.parse(number)):
            seen.add(number)
            yield number


def verified_a_day(users: int) -> dict[str, int]:
    """Of each country, by the day's size."""
    return {country: int(users * increment * CONVERSION) for country, increment in USER_COUNTRIES.items()}


def bound(allowed: Policy, numbers: Iterable[str], hours: int) -> int:
    """The most that `enforce` lets through within so many of the clock's hours, where nobody ever verifies.

    Of each country that is sent to, its floors; or all that is asked for, where that is less.
    """
    guard = allowed.admission.guard
    asked = Counter(country for number in numbers if (country := country_of(number)))
    sent_to = (country for country in asked if allowed.countries is None or country in allowed.countries)
    return sum(min(asked[country], guard.floor_day, hours * guard.floor_hour) for country in sent_to)


def country_of(number: str) -> str | None:
    """None for a number that no code is sent to."""
    try:
        return phone.parse(number).country
    except errors.OtpError:
        return None


def row(traffic: str, guard: str, tally: Tally, most: int | None = None) -> dict[str, Any]:
    """One line of the table. `most` that the guard's floors let through, where they bound it."""
    refused = tally.refused
    known = {
        "destination": ("kind of number", "no country", "country"),
        "country hour": ("country hour",),
        "country day": ("country day",),
        "block": ("block hour", "block day"),
        "service day": ("service day",),
    }
    told = {name: sum(refused[reason] for reason in reasons) for name, reasons in known.items()}
    return {
        "traffic": traffic,
        "guard": guard,
        "asked": tally.asked,
        "SMS": tally.sent,
        "at most": "" if most is None else most,
        "USD": round(tally.cost, 2),
        **told,
        "other": sum(refused.values()) - sum(told.values()),
        "suspect": tally.suspect,
        "refused %": round(100 * sum(refused.values()) / max(1, tally.asked), 1),
    }


def rows(hostile: int, users: int) -> Iterator[dict[str, Any]]:
    """Every kind of traffic with every setting of the guard."""
    # What a number is stays the same, and to tell takes longer than everything else.
    with patch.object(phone, "parse", cache(phone.parse)):
        yield from _rows(hostile, users)


def _rows(hostile: int, users: int) -> Iterator[dict[str, Any]]:
    numbers, day, history = hostile_numbers(hostile), user_day(users), verified_a_day(users)
    three = ",".join(USER_COUNTRIES)
    for name, seconds in (("attack over a day", DAY), ("attack at once", 0)):
        asks = attack(numbers, seconds)
        for guard in ("off", "record"):
            yield row(name, guard, Drill(deployment(guard)).run(asks).hostile)
        for countries, told in (("*", "enforce"), (three, f"enforce, {three} alone")):
            allowed = deployment("enforce", countries)
            most = bound(allowed, numbers, hours=max(1, seconds // HOUR))
            yield row(name, told, Drill(allowed).run(asks).hostile, most)
    for name, past in (("users, warm", history), ("users, no history", None)):
        for guard in ("off", "record", "enforce"):
            yield row(name, guard, Drill(deployment(guard), past).run(day).users)
    for name, attackers in (("attack", numbers), ("scattered attack", scattered_numbers(hostile))):
        both = Drill(deployment("enforce"), history).run([*attack(attackers, DAY), *day])
        yield row(f"users, warm, beside the {name}", "enforce", both.users)
        yield row(f"{name} beside users", "enforce", both.hostile)


def documented(table: Iterable[Mapping[str, Any]]) -> str:
    """The table as docs/security.md has it."""
    names = ("traffic", "guard", "asked", "SMS", "at most", "USD", "refused %")
    lines = [names, ["---"] * len(names), *([line[name] for name in names] for line in table)]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def main() -> None:
    """Prints the table, and writes it as JSON."""
    began = time.monotonic()
    table = list(rows(HOSTILE, USERS))
    print(documented(table))
    print("Prices are rough: see bench/prices.py. Users have no numbers in common and ask once.")
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(
        json.dumps({"seconds": round(time.monotonic() - began), "rows": table}, indent=2) + "\n"
    )


if __name__ == "__main__":
    main()
