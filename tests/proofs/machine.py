"""The service as a state machine on which Hypothesis tries any steps. See `test_state_machine`."""

import itertools
from collections import Counter
from collections.abc import Callable
from typing import Any, cast

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fakes.memory import PEPPERS, StepClock, number_key
from local.template import environment
from sms_otp.adapters.config import Settings
from sms_otp.domain import keys
from sms_otp.domain.clock import DAY, Deadline
from sms_otp.domain.commands import Caller, RequestOtp, ResendOtp, VerifyOtp
from sms_otp.domain.errors import OtpError
from sms_otp.domain.limits import LAST_SECONDS, SECOND, Failures
from sms_otp.domain.number import Lane, Number
from sms_otp.domain.ports import AdmissionQuery, Store, StoreError
from sms_otp.domain.provider import Check
from sms_otp.domain.verification import State, Verification
from sms_otp.entry_points.bootstrap import policy
from sms_otp.use_cases.request import request_code
from sms_otp.use_cases.resend import resend_code
from sms_otp.use_cases.service import Service
from sms_otp.use_cases.status import Lifecycle
from sms_otp.use_cases.verify import verify_code
from tests.proofs.model import MONTH, TEMPLATE, TIGHT, Answered, Issued, Model, Rules, room
from tests.proofs.outside import CERTAINLY_NOT_SENT, FAULTS, Carrier, FailingStore, Shelf

NUMBERS = tuple(f"+1415555010{line}" for line in range(8))
TENANTS = ("tenant-a", "tenant-b")
SESSIONS = (None, "one browser", "another browser")
CLIENTS = (None, "192.0.2.1", "192.0.2.2")
KEYS = (None, None, "key-1", "key-2")
PAUSES = (0, 1, 9, 10, 11, 29, 30, 31, 59, 60, 61, 240, 299, 300, 301, 899, 900, 3599, 3600, 7200, DAY)
MEANWHILE = (None, None, None, None, "cancel", "time passes", "resend", "right guess", "wrong guess")

an_issued = st.integers(0, 5)
a_fault = st.sampled_from([None, None, None, None, None, None, *FAULTS])
some_issued = precondition(lambda machine: machine.issued)

_requests = itertools.count()


class Machine(RuleBasedStateMachine):
    """One deployment from its first request on. `open_shelf` and `came_across` are set by the test."""

    open_shelf: Callable[[], Shelf]
    came_across: Counter[str]

    @initialize(rules=st.sampled_from([TEMPLATE, TIGHT]), renews=st.booleans(), lenient=st.booleans())
    def deploy(self, rules: Rules, renews: bool, lenient: bool) -> None:
        self.limits, self.model, self.clock = rules, Model(rules), StepClock()
        self.policy = policy(Settings.from_environment(environment(PumpingGuard="off", **rules.parameters)))
        self.shelf = type(self).open_shelf()
        self.failing = FailingStore(self.shelf.store)
        self.carrier = Carrier(self.clock, self._about_to_send, self._about_to_check, renews, lenient)
        self.issued: list[Issued] = []
        self.by_ref: dict[str, Issued] = {}
        self.successes: Counter[str] = Counter()
        self.stored: dict[str, Verification] = {}
        self.counts: dict[tuple[str, str, str], Failures] = {}
        self.tokens: dict[tuple[str, str], str] = {}
        self.checks_seen = 0
        self.cleared: dict[tuple[str, str], int] = {}
        self.is_answered = True
        self.restart()

    # The steps.

    @rule()
    def restart(self) -> None:
        """A new execution environment: nothing is kept but what the store has."""
        store = cast("Store", self.failing)
        self.service = Service(
            policy=self.policy,
            store=store,
            providers=self.carrier,
            peppers=lambda: PEPPERS,
            clock=self.clock,
            emit=lambda *_, **__: None,
        )
        self.lifecycle = Lifecycle(self.policy, store, self.clock, self.service.emit)

    @rule(seconds=st.sampled_from(PAUSES) | st.integers(0, DAY))
    def wait(self, seconds: int) -> None:
        self.clock.step(seconds)

    @precondition(lambda self: self.model.failures)
    @rule(which=st.integers(0, 7), early=st.sampled_from([0, 0, 1]))
    def wait_for_the_next_guess(self, which: int, early: int) -> None:
        """Wait at a number that failed: until its next guess is allowed, or until a second before."""
        failures = [*self.model.failures]
        self._wait_out(*failures[which % len(failures)], early=early)

    @rule(fault=st.sampled_from(sorted(FAULTS)))
    def the_next_provider_call_fails(self, fault: str) -> None:
        self.carrier.fault = fault

    @rule(
        number=st.sampled_from(NUMBERS),
        tenant=st.sampled_from(TENANTS),
        session=st.sampled_from(SESSIONS),
        client=st.sampled_from(CLIENTS),
        key=st.sampled_from(KEYS),
        fault=a_fault,
        times=st.integers(1, 2),
        token=st.booleans(),
        challenged=st.booleans(),
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
        token: bool,
        challenged: bool,
    ) -> None:
        self.carrier.fault = fault
        command = RequestOtp(
            number,
            session_id=session,
            client_ip=client,
            idempotency_key=key,
            device_token=self.tokens.get((number, tenant)) if token else None,
            is_challenged=challenged,
        )
        for _ in range(times):
            self._request(command, tenant)
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
    @rule(which=st.integers(0, 3), another=st.booleans())
    def repeat_a_request_with_a_key(self, which: int, another: bool) -> None:
        """By the tenant that used the key, or by another."""
        tenant, key = [*self.model.keys][which % len(self.model.keys)]
        number, session = self.model.keys[tenant, key].body
        command = RequestOtp(number, session_id=session, idempotency_key=key)
        self._request(command, _other(TENANTS, tenant) if another else tenant)

    @some_issued
    @rule(back=an_issued)
    def request_again(self, back: int) -> None:
        """A new verification for the number, tenant and session of an earlier one."""
        earlier = self._issued(back)
        command = RequestOtp(earlier.number, session_id=earlier.session, client_ip=earlier.client)
        self._request(command, earlier.tenant)

    @some_issued
    @rule(back=an_issued, by=st.sampled_from(["owner", "owner", "owner", "tenant", "session"]), fault=a_fault)
    def resend(self, back: int, by: str, fault: str | None) -> None:
        self.carrier.fault = fault
        self._resend(self._issued(back), by)

    @some_issued
    @rule(
        back=an_issued,
        code=st.sampled_from(["right", "right", "right", "wrong", "wrong", "another's", "former"]),
        by=st.sampled_from(["owner", "owner", "owner", "owner", "tenant", "session", "stranger"]),
        meanwhile=st.sampled_from(MEANWHILE),
        token=st.booleans(),
    )
    def verify(self, back: int, code: str, by: str, meanwhile: str | None, token: bool) -> None:
        issued = self._issued(back)
        acts: dict[str, Callable[[], object]] = {
            "cancel": lambda: self._cancel(issued, issued.tenant),
            "time passes": lambda: self.clock.step(self.limits.ttl_seconds),
            "resend": lambda: self._resend(issued, "owner"),
            "right guess": lambda: self._guess(issued, "right", "owner"),
            "wrong guess": lambda: self._guess(issued, "wrong", "owner"),
        }
        self._guess(issued, code, by, acts.get(meanwhile or ""), token=token)

    @some_issued
    @rule(back=st.integers(0, 2))
    def repeat_the_right_code(self, back: int) -> None:
        """As a client that lost the answer."""
        issued = self._issued(back)
        for _ in range(2):
            self._guess(issued, "right", "owner")
            self._check()

    @some_issued
    @rule(back=st.integers(0, 2), times=st.integers(2, 7), token=st.booleans())
    def guess_wrong_many_times(self, back: int, times: int, token: bool) -> None:
        for _ in range(times):
            self._guess(self._issued(back), "wrong", "owner", token=token)
            self._check()

    @some_issued
    @rule(back=st.integers(0, 2), times=st.integers(2, 12))
    def guess_wrong_patiently(self, back: int, times: int) -> None:
        """As an attacker who always waits, and requests a new code once the old one is of no use."""
        target = self._issued(back)
        for _ in range(times):
            self._wait_out(target.number, target.tenant, self.model.lane_of_a_guess(target, token=False))
            self._guess(target, "wrong", "owner")
            self._check()
            if self.model.status(target, int(self.clock())) != "pending":
                self.clock.step(self.limits.gap_max)
                command = RequestOtp(target.number, session_id=target.session, client_ip=target.client)
                self._request(command, target.tenant)
                target = self._issued(0)

    @some_issued
    @rule(back=st.integers(2, 7), by=st.sampled_from(["owner", "owner", "tenant"]))
    def cancel(self, back: int, by: str) -> None:
        issued = self._issued(back)
        self._cancel(issued, issued.tenant if by == "owner" else _other(TENANTS, issued.tenant))

    @some_issued
    @rule(back=an_issued, by=st.sampled_from(["owner", "tenant"]))
    def read_the_status(self, back: int, by: str) -> None:
        issued = self._issued(back)
        tenant = issued.tenant if by == "owner" else _other(TENANTS, issued.tenant)
        found: list[str] = []
        answer = self._outcome(
            lambda: found.append(self.lifecycle.status(issued.verification_id, _caller(tenant)).status)
        )
        assert answer == ("ok" if by == "owner" else "VERIFICATION_NOT_FOUND")
        assert found == ([self.model.status(issued, int(self.clock()))] if by == "owner" else [])

    @rule(number=st.sampled_from(NUMBERS), calls=st.integers(0, 3), acts=st.booleans())
    def request_while_the_store_fails(self, number: str, calls: int, acts: bool) -> None:
        self.clock.step(1)
        issued = Issued(TENANTS[0], None, number, int(self.clock()))

        def act() -> None:
            self._request_once(RequestOtp(number), issued)

        self._while_the_store_fails(issued, calls, acts, act)

    @some_issued
    @rule(back=st.integers(0, 2), calls=st.integers(0, 4), acts=st.booleans())
    def resend_while_the_store_fails(self, back: int, calls: int, acts: bool) -> None:
        self.clock.step(1)
        issued = self._issued(back)
        command = ResendOtp(issued.verification_id, session_id=issued.session)

        def act() -> None:
            self._outcome(lambda: resend_code(self.service, command, _caller(issued.tenant)))

        self._while_the_store_fails(issued, calls, acts, act)

    @some_issued
    @rule(
        back=st.integers(0, 2),
        code=st.sampled_from(["right", "wrong"]),
        calls=st.integers(0, 2),
        acts=st.booleans(),
    )
    def verify_while_the_store_fails(self, back: int, code: str, calls: int, acts: bool) -> None:
        issued = self._issued(back)
        otp = self._code(issued, code)

        def act() -> None:
            answer = self._verify(issued.verification_id, otp, issued.tenant, issued.session)
            assert answer != "ok" or not self.failing.failed

        self._while_the_store_fails(issued, calls, acts, act)

    # The invariants.

    @invariant()
    def the_six_hold(self) -> None:
        self._check()

    def _check(self) -> None:
        seen = self.shelf.look()
        stored = {verification.key: verification for verification in seen.verifications}
        fresh_checks = self.carrier.checks[self.checks_seen :]
        said_yes = {ref for _, ref, verdict in fresh_checks if verdict is Check.CORRECT}
        verified = set()
        for key, before in self.stored.items():
            after = stored[key]
            assert before.attempts <= after.attempts <= self.limits.guesses
            if before.state is not State.PENDING:
                assert after.state is before.state
            elif after.state is State.VERIFIED:
                assert after.provider_ref in said_yes
                assert before.attempts < self.limits.guesses
                assert after.verified_at is not None
                assert after.verified_at < before.created_at + self.limits.ttl_seconds
                assert self.successes[key] == 1 or not self.is_answered
                verified.add((before.number_key, before.tenant))
        now = int(self.clock()) * SECOND
        for about, failed in self.counts.items():
            is_ended = failed.last_at + MONTH * SECOND <= now
            kept = seen.failures.get(about, Failures()).count >= failed.count
            assert kept or about[:2] in verified or is_ended
        assert {about: (held.count, held.last_at // SECOND) for about, held in seen.failures.items()} == {
            (number_key(number), tenant, lane): held
            for (number, tenant, lane), held in self.model.failures.items()
        }
        for tenant, total in ((about[1], held.count) for about, held in seen.failures.items()):
            assert total <= self.limits.disabled_at, tenant
        for issued in self.issued:
            held = stored[keys.verification_key(issued.verification_id)]
            assert (held.state, held.attempts, held.sends, held.provider_ref) == (
                issued.state,
                issued.guesses,
                issued.sends,
                issued.ref,
            )
        assert all(count == 1 for count in self.successes.values())
        self.stored, self.checks_seen, self.is_answered = stored, len(self.carrier.checks), True
        self.counts = dict(seen.failures)

    def _about_to_send(self, number: str, reference: str) -> None:
        """Check that a send is stored before it leaves, and the limits as the phones see them."""
        now, key = int(self.clock()), reference.partition("-")[0]
        (reserved,) = (held for held in self.shelf.look().verifications if held.key == key)
        assert (reserved.state, reserved.phone) == (State.PENDING, number)
        assert now < reserved.created_at + self.limits.ttl_seconds
        assert now * SECOND in self._sends_on_record(number)
        earlier = [at for at, to in self.carrier.texts if to == number]
        assert sum(now - at < DAY for at in earlier) < 3 * self.limits.windows[-1][0]
        strangers = [send.at // SECOND for send in self._number(number).sends_of(Lane.STRANGER)]
        assert room(((self.limits.strangers[-1] + 1, DAY),), strangers, now)
        assert sum(at // DAY == now // DAY for at, _ in self.carrier.texts) < self.limits.day

    def _about_to_check(self, ref: str) -> None:
        """Check that a guess is counted before it reaches a provider, and the limits as it sees them."""
        now, issued = int(self.clock()), self.by_ref[ref]
        (held,) = (held for held in self.shelf.look().verifications if held.provider_ref == ref)
        earlier = [at for at, other, _ in self.carrier.checks if self.by_ref[other] is issued]
        assert len(earlier) < held.attempts <= self.limits.guesses
        assert now < issued.made_at + self.limits.ttl_seconds
        row = self._failed_checks(issued)
        number = self._number(issued.number)
        assert len(row) < number.totals[issued.tenant] <= self.limits.disabled_at or row[0] <= now - MONTH
        about = (number_key(issued.number), issued.tenant)
        counted = [lane for lane in Lane if number.failures_of(issued.tenant, lane).last_at == now * SECOND]
        assert counted
        for lane in counted:
            failures, before = number.failures_of(issued.tenant, lane), self.counts.get((*about, lane))
            if before and before.count + 1 == failures.count:
                assert (
                    failures.last_at - before.last_at >= self.limits.wait_after(before.count, lane) * SECOND
                )

    def _failed_checks(self, issued: Issued) -> list[int]:
        """The moments of the provider's checks of this number for this tenant since the last success."""
        about = (issued.number, issued.tenant)
        since = self.carrier.checks[self.cleared.get(about, 0) :]
        return [at for at, ref, _ in since if (self.by_ref[ref].number, self.by_ref[ref].tenant) == about]

    # Each step, compared with the model.

    def _request(self, command: RequestOtp, tenant: str) -> None:
        self.clock.step(1)
        now, number, client = int(self.clock()), command.phone_number, command.client_ip
        body = (number, command.session_id)
        lane = self.model.lane_of_a_send(number, tenant, client, token=command.device_token is not None)
        issued = Issued(tenant, command.session_id, number, now, lane=lane, client=client)
        if (earlier := self.model.earlier(tenant, command.idempotency_key, now)) is not None:
            texts = len(self.carrier.texts)
            answer = self._request_once(command, issued, is_new=False)
            assert answer == (
                self._as_it_stands(earlier) if body == earlier.body else "IDEMPOTENCY_KEY_REUSED"
            )
            assert issued.verification_id == (earlier.verification_id if answer == "ok" else "")
            assert len(self.carrier.texts) == texts
            return
        expected, fault = self._expect_sent(issued, lane, challenged=command.is_challenged)
        answer = self._request_once(command, issued)
        assert answer == expected
        if command.idempotency_key and fault not in CERTAINLY_NOT_SENT and answer in KEPT_ANSWERS:
            answered = Answered(body, now, answer, issued.verification_id)
            self.model.keys[tenant, command.idempotency_key] = answered

    def _as_it_stands(self, earlier: Answered) -> str:
        """The answer to a repeated key: the earlier one, or that its verification is over."""
        if earlier.outcome != "ok":
            return earlier.outcome
        (issued,) = (each for each in self.issued if each.verification_id == earlier.verification_id)
        return {
            "pending": "ok",
            "locked": "ok",
            "verified": "ALREADY_VERIFIED",
            "expired": "OTP_EXPIRED",
        }.get(self.model.status(issued, int(self.clock())), "VERIFICATION_CANCELLED")

    def _request_once(self, command: RequestOtp, issued: Issued, *, is_new: bool = True) -> str:
        def act() -> None:
            issued.verification_id = request_code(
                self.service, command, _caller(issued.tenant)
            ).verification_id

        answer = self._outcome(act)
        if answer == "ok" and is_new:
            self._held_by(issued)
            self.issued.append(issued)
        return answer

    def _resend(self, issued: Issued, by: str) -> None:
        self.clock.step(1)
        tenant, session, verification_id = self._as(issued, by)
        now = int(self.clock())
        expected = self.model.no_use(issued, tenant, session, now)
        if expected is None and issued.made_at + self.model.rules.ttl_seconds - now < LAST_SECONDS:
            expected = "RATE_LIMITED"
        elif expected is None:
            lane = self.model.lane_of_a_send(issued.number, tenant, issued.client, token=False)
            expected, fault = self._expect_sent(issued, lane)
            issued.sends += expected in ("ok", "PROVIDER_REJECTED", "PROVIDER_UNAVAILABLE")
            if expected == "PROVIDER_UNAVAILABLE" and fault in CERTAINLY_NOT_SENT:
                self.model.forget(issued.number, int(self.clock()))
        command = ResendOtp(verification_id, session_id=session)
        assert self._outcome(lambda: resend_code(self.service, command, _caller(tenant))) == expected
        if expected == "ok" and self.carrier.renews:
            self._held_by(issued)

    def _expect_sent(self, issued: Issued, lane: str, *, challenged: bool = False) -> tuple[str, str | None]:
        """The expected answer to a send, and the fault that hits it."""
        now, fault, number, client = int(self.clock()), self.carrier.fault, issued.number, issued.client
        refused = self.model.send_error(number, issued.tenant, lane, client, now, challenged=challenged)
        if refused is not None:
            return refused, None
        if fault not in CERTAINLY_NOT_SENT:
            self.model.charge(issued, lane, client, now, challenged=challenged)
        else:
            self.model.forget(number, now)
        return {None: "ok", "refused": "PROVIDER_REJECTED"}.get(fault, "PROVIDER_UNAVAILABLE"), fault

    def _held_by(self, issued: Issued) -> None:
        """The provider's newest code is this verification's."""
        issued.former_ref, issued.ref = issued.ref, f"ref-{len(self.carrier.codes) - 1}"
        self.by_ref[issued.ref] = issued

    def _guess(
        self,
        issued: Issued,
        code: str,
        by: str,
        meanwhile: Callable[[], object] | None = None,
        *,
        token: bool = False,
    ) -> None:
        otp, now, ref, fault = self._code(issued, code), int(self.clock()), issued.ref, self.carrier.fault
        tenant, session, verification_id = self._as(issued, by)
        target = issued if by != "stranger" else None
        device = self.tokens.get((issued.number, tenant)) if token else None
        if self.model.is_repeated(target, tenant, session, otp, now):
            assert self._outcome(lambda: self._verify_once(verification_id, otp, tenant, session)) == "ok"
            return
        refused, lane = self.model.no_use(target, tenant, session, now), ""
        if refused is None:
            lane = self.model.lane_of_a_guess(issued, token=device is not None)
            refused = self.model.guess(issued, lane, now)
        says = self.carrier.verdict(ref, otp)
        self.carrier.meanwhile = cast("Callable[[], None]", meanwhile)
        answer = self._verify(verification_id, otp, tenant, session, device)
        self.carrier.meanwhile = None
        if refused is not None:
            assert answer == refused
        elif fault:
            assert answer == "PROVIDER_UNAVAILABLE"
        elif says is Check.CORRECT:
            assert answer == self.model.succeed(issued, lane, ref, otp, int(self.clock()))
            if answer == "ok":
                self._cleared(issued)
        else:
            assert answer == {Check.WRONG: "OTP_INCORRECT"}.get(says, "OTP_EXPIRED")

    def _cleared(self, issued: Issued) -> None:
        """A success: the number's failures at this tenant begin anew."""
        self.cleared[issued.number, issued.tenant] = len(self.carrier.checks)

    def _verify(
        self, verification_id: str, otp: str, tenant: str, session: str | None, device: str | None = None
    ) -> str:
        answer = self._outcome(lambda: self._verify_once(verification_id, otp, tenant, session, device))
        if answer == "ok":
            self.successes[keys.verification_key(verification_id)] += 1
        return answer

    def _verify_once(
        self, verification_id: str, otp: str, tenant: str, session: str | None, device: str | None = None
    ) -> None:
        command = VerifyOtp(verification_id, otp, session_id=session, device_token=device)
        verified = verify_code(self.service, command, _caller(tenant))
        self.tokens[verified.phone_number, tenant] = str(verified.device_token)

    def _cancel(self, issued: Issued, tenant: str) -> None:
        answer = self._outcome(lambda: self.lifecycle.cancel(issued.verification_id, _caller(tenant)))
        if tenant != issued.tenant:
            assert answer == "VERIFICATION_NOT_FOUND"
        elif issued.state == "verified":
            assert answer == "ALREADY_VERIFIED"
        else:
            assert answer == "ok"
            issued.state = "cancelled" if issued.state == "pending" else issued.state

    def _while_the_store_fails(self, issued: Issued, calls: int, acts: bool, act: Callable[[], None]) -> None:
        """Act while a call of the store fails. The stored state decides, and every send is stored."""
        now, texts = int(self.clock()), len(self.carrier.texts)
        charged = now * SECOND in self._sends_on_record(issued.number)
        self.failing.fail(calls, acts=acts)
        act()
        self.failing.heal()
        self.is_answered = not self.failing.failed
        if now * SECOND in self._sends_on_record(issued.number) and not charged:
            send = self._number(issued.number).sends[-1]
            self.model.charge(issued, send.lane, issued.client, now)
        else:
            assert len(self.carrier.texts) == texts
        self._copy_stored_state(issued)

    def _copy_stored_state(self, issued: Issued) -> None:
        """Copy the stored state into the model after the store failed. `_check` checks that it is valid."""
        seen = self.shelf.look()
        key, about = keys.verification_key(issued.verification_id), (issued.number, issued.tenant)
        for found in seen.verifications:
            if found.key == key:
                if (issued.state, found.state) == ("pending", State.VERIFIED):
                    self._cleared(issued)
                    self.model.verified(issued, issued.lane, int(self.clock()))
                    issued.verified_at = int(found.verified_at or 0)
                    issued.right = self.carrier.code_of(issued.ref)
                issued.guesses, issued.state, issued.sends = found.attempts, str(found.state), found.sends
                if found.provider_ref != issued.ref:
                    self._held_by(issued)
        held = self._number(issued.number)
        for lane in Lane:
            self.model.failures.pop((*about, lane), None)
            failures = held.failures_of(issued.tenant, lane)
            if failures.count:
                self.model.failures[(*about, lane)] = (failures.count, failures.last_at // SECOND)
        self.model.totals[about] = held.totals.get(issued.tenant, 0)
        self.model.forget(issued.number, int(self.clock()))

    def _outcome(self, act: Callable[[], Any]) -> str:
        """`ok`, an errorCode or `StoreError`. The service may raise nothing else."""
        try:
            act()
            answer = reason = "ok"
        except OtpError as error:
            answer, reason = error.code, f"{error.code} {error.reason or ''}".strip()
        except StoreError:
            answer = reason = "StoreError"
        type(self).came_across[reason] += 1
        return answer

    def _wait_out(self, number: str, tenant: str, lane: str, early: int = 0) -> None:
        count, last = self.model.failures.get((number, tenant, lane), (0, 0))
        self.clock.step(max(0, last + self.limits.wait_after(count, lane) - early - int(self.clock())))

    def _issued(self, back: int) -> Issued:
        return self.issued[-1 - back % len(self.issued)]

    def _code(self, issued: Issued, kind: str) -> str:
        right = self.carrier.code_of(issued.ref)
        others = [code for code in self.carrier.codes if code != right]
        if kind == "right":
            return right
        if kind == "former" and issued.former_ref:
            return self.carrier.code_of(issued.former_ref)
        return others[-1] if kind == "another's" and others else "999999"

    def _as(self, issued: Issued, by: str) -> tuple[str, str | None, str]:
        """The tenant, session and verificationId that the caller sends."""
        if by == "tenant":
            return _other(TENANTS, issued.tenant), issued.session, issued.verification_id
        if by == "session":
            return issued.tenant, _other(SESSIONS, issued.session), issued.verification_id
        stranger = by == "stranger"
        return (
            issued.tenant,
            issued.session,
            keys.new_nonce() if stranger else issued.verification_id,
        )

    def _sends_on_record(self, number: str) -> tuple[int, ...]:
        return tuple(send.at for send in self._number(number).sends)

    def _number(self, number: str) -> Number:
        return self.shelf.store.read(AdmissionQuery(number_key(number), TENANTS[0])).number


KEPT_ANSWERS = ("ok", "PROVIDER_REJECTED", "PROVIDER_UNAVAILABLE")
"""The answers that a repeated Idempotency-Key gets again. A refusal by a limit leaves the key free."""


def _caller(tenant: str) -> Caller:
    return Caller(tenant, f"request-{next(_requests)}", Deadline(60), "198.51.100.1", "https://api.test")


def _other(values: tuple[Any, ...], value: Any) -> Any:
    return values[(values.index(value) + 1) % len(values)]
