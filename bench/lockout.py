"""A stranger tries to lock a number's owner out, in virtual time: can the owner still get and verify a code?

    python -m bench.lockout

For thirty days a stranger requests a code for one number whenever a limit allows it, from 1, 100 or 5,000
addresses in turn: without passing challenges; passing every one; and passing them and guessing wrong as often
as a code allows. Three times a day, at a moment that the stranger does not know, the owner requests a code
once, passes the challenge and types the code. The use cases, the limits and the guard are the real ones
with the template's defaults; the store is in memory, no provider is called, and the clock moves only by the
script. The calling backend sends its users' addresses, and `TrustClientIp` is true.
"""

import heapq
import itertools
import json
import math
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from fakes.memory import PEPPERS, FakeProvider, MemoryStore, StepClock
from local.template import environment
from sms_otp.adapters.config import Settings
from sms_otp.domain import errors
from sms_otp.domain.clock import DAY, HOUR, Deadline
from sms_otp.domain.commands import Caller, RequestOtp, VerifyOtp
from sms_otp.entry_points.bootstrap import policy
from sms_otp.use_cases.request import request_code
from sms_otp.use_cases.service import Service
from sms_otp.use_cases.verify import verify_code

NUMBER = "+14155550123"
RIGHT, WRONG = FakeProvider.code, "000000"
ADDRESSES = (1, 100, 5_000)
DAYS, TRIES_A_DAY = 30, 3
TYPING_SECONDS = 20
SHORTEST_WAIT = 30
"""Seconds between a stranger's tries: the gap after a code."""

MOST_NETWORKS_IN_A_TRY = 5
"""If a network is at its limit, the next may succeed; if the number is, every network is refused."""

HOME = "203.0.113.7"
FIRST_STRANGER = int(IPv4Address("198.18.0.0"))
FIRST_NEW_NETWORK = int(IPv4Address("198.19.128.0"))
"""Both in the block that RFC 2544 reserves for benchmarks."""

OUTPUT = Path(".local/lockout.json")


class Owner(Enum):
    """How the service can recognize the owner of the number."""

    DEVICE = "device token"
    NETWORK = "usual network"
    NOTHING = "neither"


class Stranger(Enum):
    """What a stranger does besides requesting."""

    REQUESTS = "requests only"
    PASSES = "passes challenges"
    GUESSES = "passes, guesses wrong"


@dataclass
class Outcome:
    """The counts of thirty days."""

    tries: int = 0
    verified: int = 0
    strangers_messages: int = 0
    most_in_a_day: int = 0


class Siege:
    """One number, its owner and a stranger, over thirty days."""

    def __init__(self, owner: Owner, addresses: int, stranger: Stranger) -> None:
        self.outcome = Outcome()
        self._owner, self._stranger = owner, stranger
        self._clock, self._provider = StepClock(), FakeProvider()
        settings = Settings.from_environment(environment(TrustClientIp="true"))
        self._service = Service(
            policy=policy(settings),
            store=MemoryStore(),
            providers=self._provider,
            peppers=lambda: PEPPERS,
            clock=self._clock,
            emit=lambda *_, **__: None,
        )
        self._ids = itertools.count()
        self._strangers = itertools.cycle(
            [str(IPv4Address(FIRST_STRANGER + index)) for index in range(addresses)]
        )
        self._new_networks = itertools.count(FIRST_NEW_NETWORK)
        self._token: str | None = None
        self._sent_at: list[float] = []

    def run(self) -> Outcome:
        """Verify once before the attack if the owner is recognizable; then play both sides' tries."""
        if self._owner is not Owner.NOTHING:
            self._try_as_owner(HOME)
            self._clock.step(DAY)
            self.outcome = Outcome()
        began, chance = self._clock(), random.Random(1)  # noqa: S311 - always the same moments, nothing secret
        moments = [began + (day + chance.random()) * DAY for day in range(DAYS) for _ in range(TRIES_A_DAY)]
        queue = [(began, False), *((moment, True) for moment in moments)]
        heapq.heapify(queue)
        while queue:
            moment, is_owner = heapq.heappop(queue)
            self._clock.now = max(self._clock.now, moment)
            if is_owner:
                self._try_as_owner(self._owners_address())
            elif moment < began + DAYS * DAY:
                heapq.heappush(queue, (self._clock() + self._try_as_stranger(), False))
        self.outcome.strangers_messages = len(self._sent_at)
        self.outcome.most_in_a_day = max(
            sum(start <= sent < start + DAY for sent in self._sent_at) for start in self._sent_at
        )
        return self.outcome

    def _owners_address(self) -> str:
        return HOME if self._owner is Owner.NETWORK else str(IPv4Address(next(self._new_networks)))

    def _try_as_owner(self, address: str) -> None:
        """Request a code once and verify it; with the device token only if the owner has one."""
        self.outcome.tries += 1
        token = self._token if self._owner is Owner.DEVICE else None
        command = RequestOtp(NUMBER, client_ip=address, device_token=token, is_challenged=True)
        try:
            requested = request_code(self._service, command, self._caller())
            self._clock.step(TYPING_SECONDS)
            typed = VerifyOtp(requested.verification_id, RIGHT, device_token=token)
            self._token = verify_code(self._service, typed, self._caller()).device_token
        except errors.OtpError:
            return
        self.outcome.verified += 1

    def _try_as_stranger(self) -> float:
        """Request a code, from the next network if refused, and guess. Returns seconds to the next try."""
        wait, passes = math.inf, self._stranger is not Stranger.REQUESTS
        for address in itertools.islice(self._strangers, MOST_NETWORKS_IN_A_TRY):
            try:
                command = RequestOtp(NUMBER, client_ip=address, is_challenged=passes)
                requested = request_code(self._service, command, self._caller())
            except errors.OtpError as refused:
                wait = min(wait, refused.retry_after or HOUR)
                continue
            self._sent_at.append(self._clock())
            if self._stranger is Stranger.GUESSES:
                self._guess(requested.verification_id)
            return SHORTEST_WAIT
        return max(1, wait)

    def _guess(self, verification_id: str) -> None:
        for _ in range(self._service.policy.max_attempts):
            try:
                verify_code(self._service, VerifyOtp(verification_id, WRONG), self._caller())
            except errors.OtpIncorrect:
                continue
            except errors.OtpError:
                return

    def _caller(self) -> Caller:
        return Caller(
            "tenant-a", f"request-{next(self._ids)}", Deadline(math.inf), "198.51.100.1", "https://api.test"
        )


def rows() -> Iterator[dict[str, Any]]:
    """Yield, for each stranger, the percent of each owner's tries that succeed, and the SMS sent."""
    for stranger, addresses in itertools.product(Stranger, ADDRESSES):
        outcomes = {owner: Siege(owner, addresses, stranger).run() for owner in Owner}
        shares = {
            f"{owner.value} %": round(100 * outcome.verified / outcome.tries, 1)
            for owner, outcome in outcomes.items()
        }
        yield {
            "stranger": stranger.value,
            "addresses": addresses,
            **shares,
            "SMS by the stranger": max(outcome.strangers_messages for outcome in outcomes.values()),
            "most in 24 h": max(outcome.most_in_a_day for outcome in outcomes.values()),
        }


def documented(table: Iterable[Mapping[str, Any]]) -> str:
    """The table in Markdown, as in docs/security.md."""
    lines = [*table]
    cells = [[*lines[0]], ["---"] * len(lines[0]), *([*line.values()] for line in lines)]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in cells)


def main() -> None:
    """Print the table, and write it as JSON."""
    table = list(rows())
    print(documented(table))
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(json.dumps(table, indent=2) + "\n")


if __name__ == "__main__":
    main()
