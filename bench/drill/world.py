"""The service in virtual time: the real use cases with a store in memory, and the outcomes of visits."""

import heapq
import itertools
import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Any, Self
from unittest.mock import patch

from bench.drill.people import Visit
from fakes.memory import PEPPERS, START, MemoryStore, StepClock
from sms_otp.domain import errors, phone
from sms_otp.domain.clock import DAY, Deadline
from sms_otp.domain.commands import Caller, Policy, RequestOtp, ResendOtp, Verified, VerifyOtp
from sms_otp.domain.countries import History
from sms_otp.domain.phone import PhoneNumber
from sms_otp.domain.prices import USD, Prices
from sms_otp.domain.provider import Channel, Check, OnFailure, Order, ReserveAgain, Sent
from sms_otp.use_cases.request import request_code
from sms_otp.use_cases.resend import resend_code
from sms_otp.use_cases.service import Service
from sms_otp.use_cases.verify import verify_code

MIDNIGHT = int(START) // DAY * DAY
CODE, WRONG_CODE = "123456", "000000"
PRICES = Prices()


@dataclass
class Tally:
    """The outcomes of one side's visits."""

    visits: int = 0
    refused: int = 0
    """Visits that got no code."""
    challenged: int = 0
    """Visits that met a challenge, passed or not."""
    codes: int = 0
    money: int = 0
    """Micro-dollars."""
    lanes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def refused_percent(self) -> float:
        return 100 * self.refused / max(1, self.visits)

    @property
    def challenged_percent(self) -> float:
        return 100 * self.challenged / max(1, self.visits)

    @property
    def dollars(self) -> float:
        return self.money / USD


class Silent:
    """A provider that accepts every message, sends nothing and bills it. `CODE` is every message's code."""

    def __init__(self, bill: Callable[[int], None]) -> None:
        self._bill = bill

    def candidates(self, to: PhoneNumber, channel: Channel) -> tuple[str, ...]:
        """See `ports.Providers`."""
        del to, channel
        return ("silent",)

    def ends_a_code(self, holding: Collection[str]) -> frozenset[str]:
        """None: a new code leaves the earlier ones valid."""
        del holding
        return frozenset()

    def send(
        self, order: Order, deadline: Deadline, on_failure: OnFailure, reserve_again: ReserveAgain
    ) -> tuple[str, Sent]:
        """See `ports.Providers`."""
        del deadline, on_failure, reserve_again
        self._bill(PRICES.of(order.to.country, order.channel))
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
        """See `ports.Providers`."""
        del holder, ref
        return self.send(order, deadline, on_failure, reserve_again)

    def turns(self, holder: str, order: Order) -> tuple[str, ...]:
        """As `Router.turns`: only the holder."""
        del order
        return (holder,)

    def check(self, name: str, ref: str, otp: str, *, channel: Channel, deadline: Deadline) -> Check:
        """See `ports.Providers`."""
        del name, ref, channel, deadline
        return Check.CORRECT if otp == CODE else Check.WRONG


Act = Callable[[], "Followed"]
Followed = Iterable[tuple[float, Act]]
"""The acts that follow, each after so many seconds."""


@dataclass
class OpenVisit:
    """A visit whose code was sent."""

    visit: Visit
    verification_id: str
    is_verified: bool = False


class World:
    """One deployment and its table. A copy goes on independently."""

    def __init__(self, policy: Policy) -> None:
        self.policy, self.store, self.clock = policy, MemoryStore(), StepClock()
        self.history = History()
        self.tokens: dict[str, str] = {}
        """Number -> the newest device token of its app."""
        self.tally = Tally()
        """The tally of the side whose visit is being played."""
        self._ids = itertools.count()
        self._service = Service(
            policy=self.policy,
            store=self.store,
            providers=Silent(self._bill),
            peppers=lambda: PEPPERS,
            clock=self.clock,
            emit=self._note,
            history=self.history,
        )

    def decides_by(self, policy: Policy) -> None:
        """Switch the service to this policy."""
        self.policy, self._service = policy, replace(self._service, policy=policy)

    def copy(self) -> Self:
        """A world with the same state, without expired verifications."""
        twin = type(self)(self.policy)
        twin.clock.now, twin.tokens = self.clock.now, dict(self.tokens)
        twin.store.numbers = dict(self.store.numbers)
        twin.store.counters = {key: dict(counts) for key, counts in self.store.counters.items()}
        twin.store.verifications = {
            key: held for key, held in self.store.verifications.items() if held.expires_at > self.clock.now
        }
        twin.history.totals, twin.history.settled = dict(self.history.totals), set(self.history.settled)
        return twin

    def run(self, visits: Iterable[Visit]) -> dict[bool, Tally]:
        """Play the visits. Returns the tally of people's visits (False) and of attackers' (True)."""
        tallies = {False: Tally(), True: Tally()}
        queue: list[tuple[float, int, bool, Act]] = [
            (visit.at, next(self._ids), visit.is_hostile, partial(self._arrive, visit)) for visit in visits
        ]
        heapq.heapify(queue)
        while queue:
            self.clock.now, _, is_hostile, act = heapq.heappop(queue)
            self.tally = tallies[is_hostile]
            for seconds, then in act():
                heapq.heappush(queue, (self.clock.now + seconds, next(self._ids), is_hostile, then))
        self.store.verifications.clear()
        return tallies

    def request(self, visit: Visit, *, challenged: bool = False) -> str:
        """Request a code. Returns its verificationId. Raises an `OtpError`."""
        token = self.tokens.get(visit.number) if visit.has_token else None
        command = RequestOtp(
            visit.number,
            channel=visit.channel,
            client_ip=visit.network,
            device_token=token,
            is_challenged=challenged,
        )
        return request_code(self._service, command, self._caller()).verification_id

    def verify(self, verification_id: str, number: str, otp: str = CODE, *, token: bool = False) -> Verified:
        """Verify a code. Raises an `OtpError`."""
        device_token = self.tokens.get(number) if token else None
        command = VerifyOtp(verification_id, otp, device_token=device_token)
        verified = verify_code(self._service, command, self._caller())
        if verified.device_token:
            self.tokens[number] = verified.device_token
        return verified

    def _arrive(self, visit: Visit) -> Followed:
        self.tally.visits += 1
        try:
            verification_id = self._request_past_challenge(visit)
        except errors.OtpError as refused:
            self.tally.refused += 1
            self.tally.reasons[f"{refused.code} {refused.reason}"] += 1
            return
        open_visit = OpenVisit(visit, verification_id)
        if visit.resends_after:
            yield visit.resends_after, partial(self._resend, open_visit)
        if visit.types_after:
            yield visit.types_after, partial(self._type, open_visit)

    def _request_past_challenge(self, visit: Visit) -> str:
        try:
            return self.request(visit)
        except errors.ChallengeRequired:
            self.tally.challenged += 1
            if not visit.solves:
                raise
            return self.request(visit, challenged=True)

    def _resend(self, open_visit: OpenVisit) -> Followed:
        """Resend the code unless it is verified. After a refusal, the first code may still arrive."""
        if open_visit.is_verified:
            return ()
        for is_challenged in (False, True):
            command = ResendOtp(open_visit.verification_id, is_challenged=is_challenged)
            try:
                resend_code(self._service, command, self._caller())
            except errors.ChallengeRequired:
                if open_visit.visit.solves and not is_challenged:
                    continue
            except errors.OtpError:
                pass
            return ()
        return ()

    def _type(self, open_visit: OpenVisit) -> Followed:
        self.verify(open_visit.verification_id, open_visit.visit.number, token=open_visit.visit.has_token)
        open_visit.is_verified = True
        return ()

    def _note(self, event: str, **fields: Any) -> None:
        if event == "send_decided" and fields.get("budget"):
            self.tally.lanes[fields["budget"]] += 1

    def _bill(self, price: int) -> None:
        self.tally.codes += 1
        self.tally.money += price

    def _caller(self) -> Caller:
        return Caller(
            "tenant-a", f"request-{next(self._ids)}", Deadline(math.inf), "198.51.100.1", "https://api.test"
        )


@contextmanager
def quick() -> Iterator[None]:
    """Cache the parsing of numbers, which is pure and the slowest part."""
    with patch.object(phone, "parse", cache(phone.parse)):
        yield
