"""Whatever is asked, in whatever order, and whatever fails meanwhile: six things hold after every step.

1. A verification's guesses that reach a provider are at most its limit. A number's, at one tenant and
   without a success between, keep the growing wait and end at the limit.
2. A verification succeeds at most once: before its end, unlocked, for the tenant and session that asked,
   and on the provider's yes to its own handle in that very request.
3. No send exceeds a limit, and none leaves before it is on record.
4. A number's failures never decrease but by a success.
5. `verified`, `cancelled` and `failed` are final, and what is expired or locked never becomes verified.
6. Whatever ends in an exception has verified nobody; only an answer that is lost after the decision was
   stored leaves a verification verified that nobody was told of.

Beyond these, every answer is the one that `model` works out from the rules.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, cast

import boto3
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from moto import mock_aws
from mypy_boto3_dynamodb import DynamoDBClient

from sms_otp import keys
from sms_otp.clock import Deadline
from sms_otp.commands import Caller, RequestOtp, VerifyOtp
from sms_otp.config import Settings
from sms_otp.errors import OtpError
from sms_otp.limits import SECOND, Failures
from sms_otp.ports import Question, Store, StoreError
from sms_otp.providers.base import Check
from sms_otp.service import Service
from sms_otp.verification import State, Verification
from sms_otp.wiring import policy
from tests.fakes import PEPPER, StepClock, number_key
from tests.proofs.model import DAY, TEMPLATE, TIGHT, Answered, Issued, Model, Rules, room
from tests.proofs.outside import CERTAINLY_NOT_SENT, FAULTS, Carrier, DynamoShelf, FailingStore, MemoryShelf, Shelf
from tests.proofs.scale import scaled
from tests.races.servers import new_table
from tests.template import environment

NUMBERS = tuple(f"+1415555010{line}" for line in range(8))
TENANTS = ("tenant-a", "tenant-b")
SESSIONS = (None, "one browser", "another browser")
CLIENTS = (None, "192.0.2.1", "192.0.2.2")
KEYS = (None, None, "key-1", "key-2")
PAUSES = (0, 1, 9, 10, 11, 29, 30, 31, 59, 60, 61, 240, 299, 300, 301, 899, 900, 3599, 3600, 7200, DAY)

EVERY_ANSWER = {
    "ok",
    "VERIFICATION_NOT_FOUND",
    "OTP_INCORRECT",
    "OTP_EXPIRED",
    "ALREADY_VERIFIED",
    "VERIFICATION_CANCELLED",
    "TOO_MANY_ATTEMPTS",
    "NUMBER_LOCKED waiting",
    "NUMBER_LOCKED disabled",
    "RATE_LIMITED number",
    "RATE_LIMITED client",
    "RATE_LIMITED service day",
    "IDEMPOTENCY_KEY_REUSED",
    "PROVIDER_REJECTED refused",
    "PROVIDER_REJECTED replayed",
    *(f"PROVIDER_UNAVAILABLE {fault}" for fault in ("throttled", "unavailable", "misconfigured", "ambiguous")),
    "PROVIDER_UNAVAILABLE replayed",
    "StoreError",
}
"""What two thousand runs must have come across, or they have tried too little to prove anything."""
USUAL_ANSWERS = {"ok", "OTP_INCORRECT", "TOO_MANY_ATTEMPTS", "RATE_LIMITED number"}
"""The same of a few runs."""

_requests = itertools.count()


def told(act: Callable[[], Any]) -> tuple[str, str]:
    """`ok`, an errorCode, or that the store failed; and the reason. Nothing else may come out."""
    try:
        act()
    except OtpError as error:
        return error.code, f"{error.code} {error.reason or ''}".strip()
    except StoreError:
        return "StoreError", "StoreError"
    return "ok", "ok"


class Machine(RuleBasedStateMachine):
    """One deployment from its first request on. `open_shelf` and `came_across` are set by the test."""

    open_shelf: Callable[[], Shelf]
    came_across: Counter[str]

    @initialize(rules=st.sampled_from([TEMPLATE, TIGHT]))
    def deploy(self, rules: Rules) -> None:
        self.rules, self.model, self.clock = rules, Model(rules), StepClock()
        self.policy = policy(Settings.from_environment(environment(PumpingGuard="off", **rules.parameters)))
        self.shelf = type(self).open_shelf()
        self.failing = FailingStore(self.shelf.store)
        self.carrier = Carrier(self.clock, self._about_to_send, self._about_to_check)
        self.issued: list[Issued] = []
        self.by_ref: dict[str, Issued] = {}
        self.successes: Counter[str] = Counter()
        self.stored: dict[str, Verification] = {}
        self.counts: dict[tuple[str, str], int] = {}
        self.checks_seen = 0
        self.is_told = True
        self.restart()

    @rule()
    def restart(self) -> None:
        """A new execution environment: nothing is kept but what the store has."""
        self.service = Service(
            policy=self.policy,
            store=cast("Store", self.failing),
            providers=self.carrier,
            pepper=lambda: PEPPER,
            clock=self.clock,
            tell=lambda *_, **__: None,
        )

    @rule(seconds=st.sampled_from(PAUSES) | st.integers(0, DAY))
    def wait(self, seconds: int) -> None:
        self.clock.step(seconds)

    @precondition(lambda self: self.model.failures)
    @rule(which=st.integers(0, 7), early=st.sampled_from([0, 0, 1]))
    def wait_for_the_next_guess(self, which: int, early: int) -> None:
        """At a number that failed, to the second: when it is allowed, or just before."""
        failures = [*self.model.failures.values()]
        count, last = failures[which % len(failures)]
        self.clock.step(max(0, last + self.rules.wait_after(count) - early - int(self.clock())))

    @rule(fault=st.sampled_from(sorted(FAULTS)))
    def the_next_provider_call_fails(self, fault: str) -> None:
        self.carrier.fault = fault

    @rule(
        number=st.sampled_from(NUMBERS),
        tenant=st.sampled_from(TENANTS),
        session=st.sampled_from(SESSIONS),
        client=st.sampled_from(CLIENTS),
        key=st.sampled_from(KEYS),
        fault=st.sampled_from([None, None, None, None, None, None, *FAULTS]),
        times=st.integers(1, 2),
    )
    def request(
        self,
        number: str,
        tenant: str,
        session: str | None,
        client: str | None,
        key: str | None,
        fault: str | None,
        times: int,
    ) -> None:
        self.carrier.fault = fault
        asked = RequestOtp(number, session_id=session, client_ip=client, idempotency_key=key)
        for _ in range(times):
            self._request(asked, tenant)
            self._check()

    @rule(
        numbers=st.permutations(NUMBERS),
        tenant=st.sampled_from(TENANTS),
        client=st.sampled_from(CLIENTS),
        times=st.integers(2, 8),
    )
    def request_for_many(self, numbers: list[str], tenant: str, client: str | None, times: int) -> None:
        for number in numbers[:times]:
            self._request(RequestOtp(number, client_ip=client), tenant)
            self._check()

    @precondition(lambda self: self.model.keys)
    @rule(which=st.integers(0, 3), back=st.integers(0, 1))
    def repeat_a_request_with_a_key(self, which: int, back: int) -> None:
        tenant, key = [*self.model.keys][which % len(self.model.keys)]
        number, session, client = self.model.keys[tenant, key].body
        asked = RequestOtp(number, session_id=session, client_ip=client, idempotency_key=key)
        self._request(asked, TENANTS[(TENANTS.index(tenant) + back) % 2])

    @precondition(lambda self: self.issued)
    @rule(back=st.integers(0, 5))
    def request_again(self, back: int) -> None:
        """For the same number, tenant and session as an earlier one: a resend, in all but name."""
        earlier = self._issued(back)
        self._request(RequestOtp(earlier.number, session_id=earlier.session), earlier.tenant)

    @precondition(lambda self: self.issued)
    @rule(
        back=st.integers(0, 5),
        code=st.sampled_from(["right", "right", "wrong", "wrong", "another's"]),
        by=st.sampled_from(["owner", "owner", "owner", "owner", "tenant", "session", "stranger"]),
    )
    def verify(self, back: int, code: str, by: str) -> None:
        self._guess(self._issued(back), code, by)

    @precondition(lambda self: self.issued)
    @rule(back=st.integers(0, 2), times=st.integers(2, 7))
    def guess_wrong_many_times(self, back: int, times: int) -> None:
        for _ in range(times):
            self._guess(self._issued(back), "wrong", "owner")
            self._check()

    @precondition(lambda self: self.issued)
    @rule(back=st.integers(0, 2), times=st.integers(2, 12))
    def guess_wrong_patiently(self, back: int, times: int) -> None:
        """As somebody who always waits, and asks for a new code when the old one is of no more use."""
        target = self._issued(back)
        for _ in range(times):
            count, last = self.model.failures.get((target.number, target.tenant), (0, 0))
            self.clock.step(max(0, last + self.rules.wait_after(count) - int(self.clock())))
            self._guess(target, "wrong", "owner")
            self._check()
            if target.guesses >= self.rules.guesses or self.clock() >= target.made_at + self.rules.life:
                self.clock.step(self.rules.gap_max)
                self._request(RequestOtp(target.number, session_id=target.session), target.tenant)
                target = self._issued(0)

    @precondition(lambda self: sum(issued.state == "pending" for issued in self.issued) > 1)
    @rule()
    def cancel_the_oldest(self) -> None:
        issued = next(issued for issued in self.issued if issued.state == "pending")
        self.shelf.cancel(keys.verification_key(issued.verification_id))
        issued.state = "cancelled"

    @rule(number=st.sampled_from(NUMBERS), calls=st.integers(0, 3), acts=st.booleans())
    def request_while_the_store_fails(self, number: str, calls: int, acts: bool) -> None:
        """Told or not, sent or not: a send is charged if its reservation was stored."""
        self.clock.step(1)
        now, code, texts = int(self.clock()), self.carrier.next_code(), len(self.carrier.texts)
        self.failing.fail(calls, acts=acts)
        issued = Issued(TENANTS[0], None, number, now, code)
        self._ask(RequestOtp(number), issued)
        self.failing.heal()
        self.is_told = not self.failing.failed
        if now * SECOND in self._read(number, TENANTS[0]).number.sends:
            self.model.charge(number, None, now)
        else:
            assert len(self.carrier.texts) == texts, "nothing is sent that is not reserved"

    @precondition(lambda self: self.issued)
    @rule(
        back=st.integers(0, 2),
        code=st.sampled_from(["right", "wrong"]),
        calls=st.integers(0, 2),
        acts=st.booleans(),
    )
    def verify_while_the_store_fails(self, back: int, code: str, calls: int, acts: bool) -> None:
        issued = self._issued(back)
        otp = self._code(issued, code)
        self.failing.fail(calls, acts=acts)
        answer = self._verify(issued.verification_id, otp, issued.tenant, issued.session)
        self.failing.heal()
        self.is_told = not self.failing.failed
        assert answer != "ok" or not self.failing.failed
        self._learn(issued)

    @invariant()
    def the_six_hold(self) -> None:
        self._check()

    def _check(self) -> None:
        seen = self.shelf.look()
        stored = {verification.key: verification for verification in seen.verifications}
        said_yes = {ref for _, ref, verdict in self.carrier.checks[self.checks_seen :] if verdict is Check.CORRECT}
        verified = set()
        for key, before in self.stored.items():
            after = stored[key]
            assert before.attempts <= after.attempts <= self.rules.guesses
            if before.state is not State.PENDING:
                assert after.state is before.state
            elif after.state is State.VERIFIED:
                assert before.provider_ref in said_yes
                assert self.clock() < before.created_at + self.rules.life
                assert before.attempts < self.rules.guesses
                assert self.successes[key] == 1 or not self.is_told
                verified.add((before.number_key, before.tenant))
        for key, count in self.counts.items():
            assert seen.failures.get(key, Failures()).count >= count or key in verified
        self.counts = {key: failures.count for key, failures in seen.failures.items()}
        assert {key: (held.count, held.last_at // SECOND) for key, held in seen.failures.items()} == {
            (number_key(number), tenant): held for (number, tenant), held in self.model.failures.items()
        }
        assert all(count == 1 for count in self.successes.values())
        self.stored, self.checks_seen, self.is_told = stored, len(self.carrier.checks), True

    def _request(self, asked: RequestOtp, tenant: str) -> None:
        self.clock.step(1)
        now, number, client = int(self.clock()), asked.phone_number, asked.client_ip
        body = (number, asked.session_id, client)
        issued = Issued(tenant, asked.session_id, number, now, self.carrier.next_code())
        if (earlier := self.model.earlier(tenant, asked.idempotency_key, now)) is not None:
            texts = len(self.carrier.texts)
            answer = self._ask(asked, issued, is_new=False)
            assert answer == (earlier.outcome if body == earlier.body else "IDEMPOTENCY_KEY_REUSED")
            assert issued.verification_id == (earlier.verification_id if answer == "ok" else "")
            assert len(self.carrier.texts) == texts
            return
        expected = self.model.refusal(number, tenant, client, now)
        fault = self.carrier.fault
        if expected is None:
            if fault not in CERTAINLY_NOT_SENT:
                self.model.charge(number, client, now)
            expected = {None: "ok", "refused": "PROVIDER_REJECTED"}.get(fault, "PROVIDER_UNAVAILABLE")
            answer = self._ask(asked, issued)
            if asked.idempotency_key and fault not in CERTAINLY_NOT_SENT:
                answered = Answered(body, now, expected, issued.verification_id)
                self.model.keys[tenant, asked.idempotency_key] = answered
        else:
            answer = self._ask(asked, issued)
            assert self.carrier.fault == fault, "no provider is asked"
        assert answer == expected

    def _ask(self, asked: RequestOtp, issued: Issued, *, is_new: bool = True) -> str:
        caller = Caller(issued.tenant, f"request-{next(_requests)}", Deadline(60))

        def act() -> None:
            issued.verification_id = self.service.request(asked, caller).verification_id

        answer = self._told(act)
        if answer == "ok" and is_new:
            issued.ref = f"ref-{self.carrier.made}"
            self.by_ref[issued.ref] = issued
            self.issued.append(issued)
        return answer

    def _guess(self, issued: Issued, code: str, by: str) -> None:
        otp = self._code(issued, code)
        tenant, session, verification_id = self._as(issued, by)
        expected = self._expect_verified(issued if by != "stranger" else None, tenant, session, otp)
        assert self._verify(verification_id, otp, tenant, session) == expected

    def _expect_verified(self, issued: Issued | None, tenant: str, session: str | None, otp: str) -> str:
        refused = self.model.guess(issued, tenant, session, int(self.clock()))
        if refused is not None or issued is None:
            return str(refused)
        if self.carrier.fault:
            return "PROVIDER_UNAVAILABLE"
        if issued.ref not in self.carrier.codes:
            return "OTP_EXPIRED"
        if otp != issued.code:
            return "OTP_INCORRECT"
        self.model.succeed(issued)
        return "ok"

    def _verify(self, verification_id: str, otp: str, tenant: str, session: str | None) -> str:
        caller = Caller(tenant, f"request-{next(_requests)}", Deadline(60))
        asked = VerifyOtp(verification_id, otp, session_id=session)
        answer = self._told(lambda: self.service.verify(asked, caller))
        if answer == "ok":
            self.successes[keys.verification_key(verification_id)] += 1
        return answer

    def _told(self, act: Callable[[], Any]) -> str:
        answer, why = told(act)
        type(self).came_across[why] += 1
        return answer

    def _learn(self, issued: Issued) -> None:
        """What a call that the store failed in has changed. That it may have is checked elsewhere."""
        key = keys.verification_key(issued.verification_id)
        (found,) = (held for held in self.shelf.look().verifications if held.key == key)
        issued.guesses, issued.state = found.attempts, str(found.state)
        failures = self._read(issued.number, issued.tenant).failures
        self.model.failures[issued.number, issued.tenant] = (failures.count, failures.last_at // SECOND)
        if not failures.count:
            del self.model.failures[issued.number, issued.tenant]

    def _about_to_send(self, number: str, reference: str) -> None:
        """What must be stored before anything leaves, and the limits as the phones see them."""
        now = int(self.clock())
        (reserved,) = (held for held in self.shelf.look().verifications if held.key.startswith(reference))
        assert (reserved.state, reserved.phone, reserved.created_at) == (State.PENDING, number, now)
        assert now * SECOND in self._read(number, reserved.tenant).number.sends
        earlier = [at for at, to in self.carrier.texts if to == number]
        assert room(self.rules.windows, earlier, now)
        assert not earlier or now - earlier[-1] >= self.rules.gap
        assert sum(at // DAY == now // DAY for at, _ in self.carrier.texts) < self.rules.day

    def _about_to_check(self, ref: str) -> None:
        """What must be counted before a provider is asked, and the limits as the provider sees them."""
        now, issued = int(self.clock()), self.by_ref[ref]
        (held,) = (held for held in self.shelf.look().verifications if held.provider_ref == ref)
        earlier = [at for at, other, _ in self.carrier.checks if other == ref]
        assert len(earlier) < held.attempts <= self.rules.guesses
        assert held.state is State.PENDING
        assert now < issued.made_at + self.rules.life
        row = self._failed_checks(issued)
        failures = self._read(issued.number, issued.tenant).failures
        assert len(row) < failures.count <= self.rules.disabled_at
        assert failures.last_at == now * SECOND
        assert not row or now - row[-1] >= self.rules.wait_after(len(row))

    def _failed_checks(self, issued: Issued) -> list[int]:
        """The moments of the provider's checks of this number for this tenant since the last success."""
        row: list[int] = []
        for at, ref, verdict in self.carrier.checks:
            about = self.by_ref[ref]
            if (about.number, about.tenant) == (issued.number, issued.tenant):
                row = [] if verdict is Check.CORRECT and about.state == "verified" else [*row, at]
        return row

    def _issued(self, back: int) -> Issued:
        return self.issued[-1 - back % len(self.issued)]

    def _code(self, issued: Issued, kind: str) -> str:
        if kind == "right":
            return issued.code
        others = [other.code for other in self.issued if other.code != issued.code]
        return others[-1] if kind == "another's" and others else "999999"

    def _as(self, issued: Issued, by: str) -> tuple[str, str | None, str]:
        """Tenant, session and verificationId of whoever guesses."""
        tenant, session, verification_id = issued.tenant, issued.session, issued.verification_id
        if by == "tenant":
            tenant = TENANTS[TENANTS[0] == tenant]
        elif by == "session":
            session = SESSIONS[(SESSIONS.index(session) + 1) % len(SESSIONS)]
        elif by == "stranger":
            verification_id = keys.new_verification_id()
        return tenant, session, verification_id

    def _read(self, number: str, tenant: str) -> Any:
        return self.shelf.store.read(Question(number_key(number), tenant))


def run(open_shelf: Callable[[], Shelf], runs: int) -> set[str]:
    """So many runs of fifty steps. What they were answered."""
    came_across: Counter[str] = Counter()

    class Deployed(Machine):
        pass

    Deployed.open_shelf = staticmethod(open_shelf)  # type: ignore[assignment] # a function, not a method
    Deployed.came_across = came_across
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Deployed,
        settings=settings(
            max_examples=runs,
            stateful_step_count=50,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
    return set(came_across)


@pytest.fixture(scope="module")
def dynamodb() -> Iterator[DynamoDBClient]:
    with mock_aws():
        yield boto3.client("dynamodb", region_name="eu-west-1")


def test_the_six_invariants_hold_over_a_store_in_memory() -> None:
    came_across = run(MemoryShelf, scaled(100, 2000))
    assert came_across >= scaled(USUAL_ANSWERS, EVERY_ANSWER)


def test_the_six_invariants_hold_over_dynamodb(dynamodb: DynamoDBClient) -> None:
    came_across = run(lambda: DynamoShelf(dynamodb, new_table(dynamodb)), scaled(3, 30))
    assert came_across >= USUAL_ANSWERS
