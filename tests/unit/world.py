"""One service with everything around it in memory."""

import itertools
from typing import Any

from fakes.memory import PEPPERS, FakeProvider, MemoryStore, StepClock, number_key, outcome
from sms_otp.domain import number
from sms_otp.domain.clock import Deadline, milliseconds
from sms_otp.domain.commands import Caller, Policy, RequestOtp, VerifyOtp
from sms_otp.domain.number import Lane, Number
from sms_otp.domain.ports import IssueToken, NumberGuess
from sms_otp.use_cases.request import request_code
from sms_otp.use_cases.service import Service
from sms_otp.use_cases.verify import verify_code

NUMBER = "+14155550123"
requests = itertools.count()


class World:
    """A service, its store, its provider, its clock and the events that it emitted."""

    def __init__(self, policy: Policy, clock: StepClock, issue_token: IssueToken | None = None) -> None:
        self.store, self.provider, self.clock = MemoryStore(), FakeProvider(), clock
        self.emitted: list[tuple[str, dict[str, Any]]] = []
        self.service = Service(
            policy=policy,
            store=self.store,
            providers=self.provider,
            peppers=lambda: PEPPERS,
            clock=clock,
            emit=lambda event, **fields: self.emitted.append((event, fields)),
            issue_token=issue_token,
        )

    def caller(self, tenant: str = "tenant-a") -> Caller:
        return Caller(tenant, f"request-{next(requests)}", Deadline(10), "198.51.100.1", "https://api.test")

    def request(self, number: str = NUMBER, tenant: str = "tenant-a", **fields: Any) -> str:
        command = RequestOtp(number, **fields)
        return request_code(self.service, command, self.caller(tenant)).verification_id

    def verify(
        self, verification_id: str, otp: str = "123456", tenant: str = "tenant-a", **fields: Any
    ) -> str:
        command = VerifyOtp(verification_id, otp, **fields)
        return outcome(lambda: verify_code(self.service, command, self.caller(tenant)))

    def fail(self, times: int, tenant: str = "tenant-a", lane: Lane = Lane.STRANGER) -> None:
        """Record this many wrong guesses at the number in one lane, all at the same time."""
        now = milliseconds(self.clock)
        lanes = self.service.policy.number_limits("US")
        for _ in range(times):
            moment = number.moment(now, next(requests))
            guess = NumberGuess(number_key(NUMBER), tenant, now, moment, lanes, lane)
            self.store.spend_number_guess(guess)

    def number(self) -> Number:
        """The state of the number in the store."""
        return self.store.numbers.get(number_key(NUMBER), Number())

    def sends(self) -> int:
        return len(self.provider.sent)

    def guesses(self) -> int:
        return len(self.provider.checked)
