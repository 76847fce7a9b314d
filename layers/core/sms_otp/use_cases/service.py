"""The use cases. They know no HTTP and no boto3; what they need of the outside, they are handed."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from sms_otp.domain import errors, guard, idempotency, keys, phone
from sms_otp.domain.admission import Admission, Admitted
from sms_otp.domain.clients import network_of
from sms_otp.domain.clock import Clock, Deadline
from sms_otp.domain.commands import Caller, Policy, Requested, RequestOtp, ResendOtp, Verified, VerifyOtp
from sms_otp.domain.guard import History
from sms_otp.domain.idempotency import IdempotencyRecord, StoredAnswer
from sms_otp.domain.keys import Peppers
from sms_otp.domain.limits import SECOND
from sms_otp.domain.phone import PhoneNumber
from sms_otp.domain.ports import (
    AdmissionSnapshot,
    IssueToken,
    NumberConflict,
    Reservation,
    Store,
    TokenError,
    WriteConflict,
)
from sms_otp.domain.provider import Channel, Check, ProviderError
from sms_otp.domain.refusals import Refusals
from sms_otp.domain.verification import Guess, Verification, guess_error
from sms_otp.use_cases.delivery import (
    RETRY_AFTER,
    CodeSender,
    EventSink,
    Providers,
    event_fields,
    failure,
    unavailable,
)
from sms_otp.use_cases.failover import Order

RESERVE_TRIES = 5
"""How often a send is decided anew because a client's log, a shard or a claim moved meanwhile."""
TEST_COUNTRY = "ZZ"
"""ISO 3166-1's user-assigned code for a country that is none: that of a number whose code is fixed."""


@dataclass(frozen=True, slots=True)
class Service:
    """The use cases over one deployment's policy, store and providers."""

    policy: Policy
    store: Store
    providers: Providers
    peppers: Callable[[], Peppers]
    clock: Clock
    emit: EventSink
    history: History = field(default_factory=History)
    refusals: Refusals = field(default_factory=Refusals)
    issue_token: IssueToken | None = None
    """Makes the token that says so of a verification; None where this deployment issues none."""

    def request(self, command: RequestOtp, caller: Caller) -> Requested:
        """Send a code to a number. Raises an `OtpError`; then no code can be verified.

        Nothing is sent before its reservation is stored, and a send whose outcome is unknown stays
        reserved, so no retry of the caller's can send twice within the number's limits.
        """
        self._check_consent(command)
        to = self._destination(command.phone_number)
        client = self._client(command, caller)
        for _ in range(RESERVE_TRIES):
            _check_time(caller)
            now = int(self.clock() * SECOND)
            # Once for each decision: what is claimed and what is counted must be under the same ones.
            peppers = self.peppers()
            idempotency_records = _idempotency_records(peppers, command, caller, now // SECOND)
            idempotency_record = idempotency_records[0] if idempotency_records else None
            admission = self._admission(peppers, to, caller, client, idempotency_records, now)
            snapshot = self._read(admission, to)
            if (repeated := admission.repeated(snapshot)) is not None:
                return self._repeat(command, *repeated)
            try:
                admitted = admission.decide(snapshot)
            except errors.OtpError as refused:
                # One batch is no snapshot: the record may have been read before the first request's
                # reservation, and the number after it. A refusal saw that reservation, so this read does too.
                if idempotency_record and (repeated := admission.repeated(self._read(admission, to))):
                    return self._repeat(command, *repeated)
                raise self._refused(refused, admission, snapshot, to) from None
            verification_id = _new_id(peppers, idempotency_record)
            reservation = self._reservation(
                command, caller, to, admission.number_key, verification_id, admitted, idempotency_record, now
            )
            if not self._reserve(reservation, admitted, caller):
                continue
            order = Order(
                to,
                command.channel,
                command.locale,
                reservation.verification.key,
                self.policy.code_ttl_seconds,
            )
            return self._deliver(verification_id, reservation, order, admitted, caller)
        raise errors.RateLimited(reason="contended", retry_after=1)

    def _read(self, admission: Admission, to: PhoneNumber) -> AdmissionSnapshot:
        """What decides about the send and, in the same read, which providers are to be left alone."""
        snapshot = self.store.read(replace(admission.query, circuits=self.providers.circuits(to)))
        self.providers.prime(snapshot.circuits)
        return snapshot

    def _admit(self, admission: Admission, snapshot: AdmissionSnapshot, to: PhoneNumber) -> Admitted:
        try:
            return admission.decide(snapshot)
        except errors.OtpError as refused:
            raise self._refused(refused, admission, snapshot, to) from None

    def _refused(
        self, refused: errors.OtpError, admission: Admission, snapshot: AdmissionSnapshot, to: PhoneNumber
    ) -> errors.OtpError:
        """The refusal of a send, noted."""
        about = {"number": to, "number_key": admission.number_key}
        refused.about = about
        if refused.reason in guard.LIMITS:
            self.emit("send_suspect", **about, limit=refused.reason)
        self._note_refused(to, admission.number_key, snapshot.number.sends)
        return refused

    def _note_refused(self, to: PhoneNumber, number_key: str, sends: tuple[int, ...]) -> None:
        now = int(self.clock() * SECOND)
        self.refusals.note(number_key, now)
        asked = self.refusals.asked(number_key, sends, now)
        self.emit("otp_asked", number=to, number_key=number_key, asked=asked)

    def _emit_admitted(self, reservation: Reservation, to: PhoneNumber, admitted: Admitted) -> None:
        fields, now = event_fields(reservation.verification, to), admitted.sent_at
        for over in admitted.over:
            self.emit("send_suspect", **fields, limit=over)
        sends = (*admitted.number.log.sends, now) if admitted.number else (now,)
        asked = self.refusals.asked(reservation.verification.number_key, sends, now)
        self.emit(
            "otp_asked", **fields, asked=asked, cap_used=admitted.cap_used, unverified=admitted.unverified
        )

    def _destination(self, number: str) -> PhoneNumber:
        """The number, if it is one that is sent to. Raises as `phone.parse` does."""
        spelled = phone.canonical(number)
        if spelled in self.policy.test_numbers and self.clock() < self.policy.test_numbers_end:
            return PhoneNumber(spelled, TEST_COUNTRY, is_test=True)
        to = phone.parse(spelled)
        if self.policy.countries is not None and to.country not in self.policy.countries:
            refused = errors.DestinationNotAllowed(reason="country")
            refused.about = {"number": to}
            raise refused
        return to

    def _check_consent(self, command: RequestOtp) -> None:
        """Where nothing keeps a consent, none may seem to be kept. Raises `InvalidRequest`."""
        if command.consent is not None and not self.policy.keeps_users:
            detail = "this deployment keeps no users"
            raise errors.InvalidRequest(errors=[{"pointer": "/consent", "detail": detail}])

    def _client(self, command: RequestOtp, caller: Caller) -> str | None:
        """Whose sends the limit per client counts; None where a trusted backend names nobody."""
        named = None if command.client_ip is None else network_of(command.client_ip)
        return named if self.policy.trust_client_ip else network_of(caller.source_ip)

    def _repeat(self, command: RequestOtp, answer: StoredAnswer, verification_id: str) -> Requested:
        answer.raise_error()
        return Requested(verification_id, command.channel, answer.expires_at, answer.resend_after)

    def _reservation(
        self,
        command: RequestOtp,
        caller: Caller,
        to: PhoneNumber,
        number_key: str,
        verification_id: str,
        admitted: Admitted,
        idempotency_record: IdempotencyRecord | None,
        now: int,
    ) -> Reservation:
        key, session = keys.verification_key(verification_id), command.session_id
        verification = Verification(
            key=key,
            tenant=caller.tenant,
            phone=to.e164,
            country=to.country,
            number_key=number_key,
            channel=command.channel,
            created_at=now // SECOND,
            expires_at=now // SECOND + self.policy.code_ttl_seconds,
            purpose=command.purpose,
            locale=command.locale,
            consent=command.consent,
            idempotency_record=None if idempotency_record is None else idempotency_record.key,
            session_hash=None if session is None else keys.session_hash(key, session),
            counter_keys=tuple(increment.key for increment in admitted.increments[1:]),
        )
        return Reservation(
            verification=verification,
            sent_at=admitted.sent_at,
            number=admitted.number,
            client=admitted.client,
            increments=admitted.increments,
            idempotency_record=idempotency_record,
            failure_migration=admitted.failure_migration,
            find_by_number=not self.policy.require_verification_id,
        )

    def _deliver(
        self,
        verification_id: str,
        reservation: Reservation,
        order: Order,
        admitted: Admitted,
        caller: Caller,
    ) -> Requested:
        self._emit_admitted(reservation, order.to, admitted)
        price = None if order.to.is_test else self.policy.price(order.to.country)
        delivery = CodeSender(self.store, self.providers, self.emit, price)
        delivery.deliver(reservation, order, admitted.resend_after, caller.deadline)
        expires_at = reservation.verification.expires_at
        return Requested(verification_id, order.channel, expires_at, admitted.resend_after)

    def resend(self, command: ResendOtp, caller: Caller) -> Requested:
        """Send once more for a verification that goes on: same verificationId, expiry and guesses.

        Raises an `OtpError`. The number's limits count it like any send. Where the provider can, it is
        the same code, so that an earlier message that arrives late is still right.
        """
        key, session = keys.verification_key(command.verification_id), command.session_id
        session_hash = None if session is None else keys.session_hash(key, session)
        for _ in range(RESERVE_TRIES):
            _check_time(caller)
            now = int(self.clock() * SECOND)
            guess = Guess(key, caller.tenant, now // SECOND, self.policy.max_attempts, session_hash)
            found = self.store.find(key)
            if (refused := guess_error(found, guess)) is not None:
                raise refused
            assert found is not None  # noqa: S101 # `guess_error` has refused what is not there
            _check_time(caller)
            to = PhoneNumber(found.phone, found.country, is_test=found.country == TEST_COUNTRY)
            client = None if self.policy.trust_client_ip else network_of(caller.source_ip)
            admission = self._admission(self.peppers(), to, caller, client, [], now)
            admitted = self._admit(admission, self._read(admission, to), to)
            reservation = self._again(found, admitted)
            if not self._reserve(reservation, admitted, caller):
                continue
            order = Order(
                to=to,
                channel=command.channel or Channel(found.channel),
                locale=found.locale,
                reference=f"{key}-{found.sends}",
                ttl_seconds=found.expires_at - now // SECOND,
            )
            return self._deliver(command.verification_id, reservation, order, admitted, caller)
        raise errors.RateLimited(reason="contended", retry_after=1)

    def _again(self, found: Verification, admitted: Admitted) -> Reservation:
        return Reservation(
            verification=found,
            sent_at=admitted.sent_at,
            number=admitted.number,
            client=admitted.client,
            increments=admitted.increments,
            resend=True,
        )

    def _reserve(self, reservation: Reservation, admitted: Admitted, caller: Caller) -> bool:
        """Whether it is reserved; if not, something moved and the send is to be decided anew."""
        _check_time(caller)
        try:
            self.store.reserve(reservation)
        except NumberConflict:
            if reservation.idempotency_record is None:
                raise self._lost(reservation, admitted) from None
            return False  # the rival may be this request's own repetition, and has an answer for it then
        except WriteConflict:
            return False
        return True

    def _lost(self, reservation: Reservation, admitted: Admitted) -> errors.RateLimited:
        verification = reservation.verification
        to = PhoneNumber(verification.phone, verification.country)
        self._note_refused(to, verification.number_key, admitted.number.log.sends if admitted.number else ())
        refused = errors.RateLimited(reason="lost race", retry_after=admitted.resend_after)
        refused.about = {"number": to, "number_key": verification.number_key}
        return refused

    def _admission(
        self,
        peppers: Peppers,
        to: PhoneNumber,
        caller: Caller,
        client: str | None,
        idempotency_records: list[IdempotencyRecord],
        now: int,
    ) -> Admission:
        return Admission(
            self.policy.admission,
            self.history,
            peppers,
            to,
            caller.tenant,
            client,
            idempotency_records,
            now,
            exempt=to.is_test,
        )

    def verify(self, command: VerifyOtp, caller: Caller) -> Verified:
        """Decide whether a code is right. Raises an `OtpError`; then nobody is verified.

        The guess is counted before the provider is asked, and stays counted whatever happens after.
        """
        if not self._is_code(command.otp):
            raise errors.InvalidOtpFormat
        key = self._key_of(command, caller)
        try:
            return self._verify(key, command, caller)
        except errors.OtpError as refused:
            refused.about = {"verification": key}
            raise

    def _verify(self, key: str, command: VerifyOtp, caller: Caller) -> Verified:
        session = command.session_id
        guess = Guess(
            key=key,
            tenant=caller.tenant,
            now=int(self.clock()),
            max_attempts=self.policy.max_attempts,
            session_hash=None if session is None else keys.session_hash(key, session),
            phone=None if command.phone_number is None else phone.canonical(command.phone_number),
        )
        _check_time(caller)
        verification = self.store.spend_guess(guess)
        _check_time(caller)
        now = int(self.clock() * SECOND)
        failures = self.store.spend_number_guess(
            verification.number_key, caller.tenant, now, self.policy.admission.guesses
        )
        check = self._check(verification, command.otp, caller.deadline)
        if check is not Check.CORRECT:
            raise self._wrong(check, verification, failures)
        verified_at = int(self.clock())
        self.store.consume(verification, caller.request_id, verified_at)
        self.emit(
            "otp_verified",
            **event_fields(verification),
            seconds=verified_at - verification.created_at,
            attempts=verification.attempts,
        )
        issue_token = self.issue_token if command.with_token else None
        token = None if issue_token is None else self._token(issue_token, verification, caller, verified_at)
        return Verified(
            command.verification_id,
            verification.phone,
            verification.purpose,
            verified_at,
            token,
            token_failed=token is None and issue_token is not None,
        )

    def _token(
        self, issue_token: IssueToken, verification: Verification, caller: Caller, verified_at: int
    ) -> str | None:
        """The proof. Made last, so that none says what is not so; without it, it is so all the same."""
        try:
            return issue_token(verification, caller.api_url, verified_at)
        except TokenError as failed:
            self.emit("token_failed", **event_fields(verification), reason=failed.reason)
            return None

    def _key_of(self, command: VerifyOtp, caller: Caller) -> str:
        """The verification that is meant. Naming it by number alone must be allowed by the deployment."""
        if command.verification_id is not None:
            return keys.verification_key(command.verification_id)
        if self.policy.require_verification_id or command.phone_number is None:
            raise errors.InvalidRequest(errors=[{"pointer": "/verificationId", "detail": "required"}])
        number = phone.canonical(command.phone_number)
        number_keys = tuple(keys.keyed(pepper, "number", number) for pepper in self.peppers().all)
        key = self.store.newest(number_keys, caller.tenant)
        if key is None:
            raise errors.VerificationNotFound
        return key

    def _is_code(self, otp: str) -> bool:
        return len(otp) == self.policy.code_length and otp.isascii() and otp.isdigit()

    def _check(self, verification: Verification, otp: str, deadline: Deadline) -> Check:
        holder, ref = str(verification.provider), str(verification.provider_ref)
        try:
            return self.providers.check(
                holder, ref, otp, channel=Channel(verification.channel), deadline=deadline
            )
        except ProviderError as failed:
            self.emit("provider_failed", **event_fields(verification) | failure(failed))
            raise unavailable(failed) from failed

    def _wrong(self, check: Check, verification: Verification, failures: int) -> errors.OtpError:
        # Of a code that has ended the refusal is measured, as where the table says so.
        event = "otp_incorrect" if check is Check.WRONG else "otp_ended"
        fields = event_fields(verification) | {"check": check, "attempts": verification.attempts}
        self.emit(event, **fields, failures=failures)
        if check is Check.WRONG:
            remaining = max(0, self.policy.max_attempts - verification.attempts)
            return errors.OtpIncorrect(attempts_remaining=remaining)
        if check is Check.EXHAUSTED:
            left = max(1, verification.expires_at - int(self.clock()))
            return errors.TooManyAttempts(attempts_remaining=0, retry_after=left)
        return errors.OtpExpired()


def _check_time(caller: Caller) -> None:
    """Nothing is begun after the deadline. Raises `ProviderUnavailable`."""
    if not caller.deadline.remaining():
        raise errors.ProviderUnavailable(reason="deadline", retry_after=RETRY_AFTER)


def _idempotency_records(
    peppers: Peppers, command: RequestOtp, caller: Caller, now: int
) -> list[IdempotencyRecord]:
    """What this request claims, and what it would have claimed under the other pepper."""
    key = command.idempotency_key
    if key is None:
        return []
    return [
        idempotency.idempotency_record(pepper, caller.tenant, key, command.body, now)
        for pepper in peppers.all
    ]


def _new_id(peppers: Peppers, idempotency_record: IdempotencyRecord | None) -> str:
    if idempotency_record is None:
        return keys.new_verification_id()
    return keys.derived_verification_id(peppers.current, idempotency_record.nonce)
