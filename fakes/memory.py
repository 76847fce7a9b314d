"""In-memory implementations of the ports; they pass the same contract suites as the real ones."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sms_otp.domain import errors, keys
from sms_otp.domain.budgets import Counts, OpenCount, changes_of_success, dumped
from sms_otp.domain.circuit import PROBE_LEASE, Circuit
from sms_otp.domain.clock import NO_MILLISECONDS, Deadline, Milliseconds, Seconds, to_milliseconds
from sms_otp.domain.idempotency import IdempotencyRecord
from sms_otp.domain.limits import Failures
from sms_otp.domain.number import Lane, Number, cleared, guess_lane, hour_old, lock, verified_from
from sms_otp.domain.phone import PhoneNumber
from sms_otp.domain.ports import (
    AdmissionQuery,
    AdmissionSnapshot,
    CountedGuess,
    NumberChange,
    NumberGuess,
    OwnCode,
    ProviderHandle,
    Reservation,
    WriteConflict,
)
from sms_otp.domain.provider import Channel, Check, OnFailure, Order, ReserveAgain, Sent
from sms_otp.domain.stops import NO_STOPS, Stop, Stops
from sms_otp.domain.verification import (
    DELIVERY_BEFORE,
    Guess,
    State,
    Verification,
    cancel_error,
    consume_error,
    guess_error,
)

Result = TypeVar("Result")
START = 1_800_000_000.0
PEPPER = "a-pepper-for-tests-that-is-long-enough"
PEPPERS = keys.Peppers(PEPPER)
MOST_REFUSED = 22
"""The most refusals that a number's item keeps."""


class StepClock:
    """A clock that moves only by `step`."""

    def __init__(self, now: float = START) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def step(self, seconds: float) -> None:
        self.now += seconds


class NoBreaker:
    """`ports.Breaker` that is always closed."""

    def call(
        self,
        provider: str,
        read: Mapping[str, Circuit],
        number_key: str,
        act: Callable[[], Result],
        *,
        has_next: Callable[[], bool],
    ) -> Result:
        del provider, read, number_key, has_next
        return act()


class MemoryCircuits:
    """`ports.Circuits` in memory."""

    def __init__(self) -> None:
        self.held: dict[str, Circuit] = {}
        self.lock = Lock()

    def read(self, providers: tuple[str, ...]) -> dict[str, Circuit]:
        return {name: self.held[name] for name in providers if name in self.held}

    def add_failure(self, provider: str, number: str, now: Milliseconds, stale: tuple[str, ...]) -> bool:
        with self.lock:
            found = self.held.get(provider, Circuit())
            failures = {name: at for name, at in found.failures.items() if name not in stale}
            self.held[provider] = replace(found, failures={**failures, number: now})
            return True

    def open(self, provider: str, now: Milliseconds) -> bool:
        with self.lock:
            found = self.held.get(provider, Circuit())
            if found.opened_at is not None:
                return False
            self.held[provider] = replace(found, opened_at=now)
            return True

    def elect(self, provider: str, read: Circuit, now: Milliseconds) -> bool:
        with self.lock:
            found = self.held.get(provider, Circuit())
            if found.opened_at != read.opened_at or (found.probe_until or NO_MILLISECONDS) > now:
                return False
            self.held[provider] = replace(found, probe_until=now + PROBE_LEASE)
            return True

    def hand_on(self, provider: str) -> bool:
        return self._if_open(provider, probe_until=None)

    def reopen(self, provider: str, now: Milliseconds) -> bool:
        return self._if_open(provider, opened_at=now, probe_until=None)

    def close(self, provider: str) -> bool:
        with self.lock:
            if self.held.get(provider, Circuit()).opened_at is None:
                return False
            del self.held[provider]
            return True

    def _if_open(self, provider: str, **changes: int | None) -> bool:
        with self.lock:
            found = self.held.get(provider, Circuit())
            if found.opened_at is None:
                return False
            self.held[provider] = replace(found, **changes)  # type: ignore[arg-type] # the names are a circuit's moments
            return True


class MemoryStops:
    """`ports.SendingStops` in memory."""

    def __init__(self) -> None:
        self.held: dict[Stop, Seconds] = {}
        self.lock = Lock()

    def stop(self, stops: Collection[Stop], until: Seconds, now: Seconds) -> Stops:
        del now
        with self.lock:
            self.held |= dict.fromkeys(stops, until)
            return Stops(dict(self.held))

    def resume(self, stops: Collection[Stop]) -> Stops:
        with self.lock:
            self.held = {stop: end for stop, end in self.held.items() if stop not in stops}
            return Stops(dict(self.held))


def _message_ids(found: Verification, holder: ProviderHandle) -> tuple[str, ...]:
    before = found.message_ids if holder.is_same_code else ()
    return tuple(sorted({*before, holder.message_id})) if holder.message_id else before


class MemoryStore:
    """`ports.Store` in dictionaries under one lock: every method is atomic, as in DynamoDB."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.verifications: dict[str, Verification] = {}
        self.numbers: dict[str, Number] = {}
        self.idempotency_records: dict[str, IdempotencyRecord] = {}
        self.counters: dict[str, dict[str, int]] = {}
        self.guesses_ended: set[str] = set()
        self.circuits = MemoryCircuits()
        self.stops = MemoryStops()

    @property
    def failures(self) -> dict[tuple[str, str, Lane], Failures]:
        """The failures by number key, tenant and lane."""
        return {
            (key, *pair): failures
            for key, number in self.numbers.items()
            for pair, failures in number.failures.items()
        }

    def read(self, query: AdmissionQuery) -> AdmissionSnapshot:
        with self.lock:
            previous = self._snapshot(query.previous) if query.previous else None
            return replace(self._snapshot(query), previous=previous)

    def _snapshot(self, query: AdmissionQuery) -> AdmissionSnapshot:
        return AdmissionSnapshot(
            number=self._number(query.number_key),
            idempotency_record=self.idempotency_records.get(query.record_key or ""),
            counters={key: dict(self.counters[key]) for key in query.counters if key in self.counters},
            circuits={
                name: self.circuits.held[name] for name in query.circuits if name in self.circuits.held
            },
            stops=Stops(dict(self.stops.held)) if query.with_stops else NO_STOPS,
        )

    def _number(self, key: str) -> Number:
        return self.numbers.get(key, Number())

    def reserve(self, reservation: Reservation) -> None:
        verification, number = reservation.verification, reservation.number
        with self.lock:
            if number and self._conflicts(number):
                raise WriteConflict
            if reservation.resend and not self._can_resend(verification, reservation.sent_at):
                raise WriteConflict
            if reservation.idempotency_record and self._is_claimed(reservation.idempotency_record):
                raise WriteConflict
            for increment in reservation.increments:
                counts = self.counters.get(increment.key, {})
                if any(counts.get(name, 0) > most for name, most in increment.limits.items()):
                    raise WriteConflict
            if number:
                self._apply(number)
            for increment in reservation.increments:
                self._count(increment.key, increment.added)
                for name in increment.expired:
                    self.counters[increment.key].pop(name, None)
            if reservation.idempotency_record:
                self._keep(reservation.idempotency_record)
            if reservation.resend:
                held, record = self.verifications[verification.key], reservation.idempotency_record
                self._change(
                    verification.key,
                    sends=held.sends + 1,
                    resends_counted_on=held.resends_counted_on + dumped(reservation.increments),
                    idempotency_records=held.idempotency_records + (record.keys if record else ()),
                )
            else:
                self.verifications[verification.key] = verification

    def release(self, reservation: Reservation) -> None:
        with self.lock:
            if number := reservation.number:
                held = self.numbers[number.key]
                listed = dict(held.verifications)
                if not reservation.resend:
                    listed.pop(reservation.verification.key, None)
                self.numbers[number.key] = replace(
                    held,
                    sends=tuple(send for send in held.sends if send != number.send),
                    version=held.version + 1,
                    verifications=listed,
                    unproven=max(0, held.unproven - (number.send is not None)),
                )
            for increment in reservation.increments:
                self._count(increment.key, {name: -amount for name, amount in increment.added.items()})
            if reservation.idempotency_record:
                self._free(reservation.idempotency_record)
            before = reservation.verification
            if reservation.resend:
                self._change(before.key, resends_counted_on=before.resends_counted_on)
            else:
                del self.verifications[before.key]

    def find(self, key: str) -> Verification | None:
        return self.verifications.get(key)

    def cancel(self, key: str, tenant: str) -> Verification:
        with self.lock:
            found = self.verifications.get(key)
            if (refused := cancel_error(found, tenant)) is not None:
                raise refused
            if found and found.state is State.PENDING:
                self._change(key, state=State.CANCELLED)
            return self.verifications[key]

    def end_code(self, number_key: str, key: str) -> None:
        with self.lock:
            found = self._number(number_key)
            if key in found.verifications:
                self.numbers[number_key] = replace(found, over=found.over | {key})

    def record_sent(
        self,
        key: str,
        holder: ProviderHandle,
        idempotency_record: IdempotencyRecord | None = None,
        number: NumberChange | None = None,
    ) -> None:
        found = self.verifications[key]
        if found.state is not State.PENDING:
            raise consume_error(found)
        self._change(
            key,
            provider=holder.provider,
            provider_ref=holder.ref,
            channel=holder.channel,
            delivery=holder.delivery,
            message_ids=_message_ids(found, holder),
        )
        if number and (listed := number.verifications.get(key)):
            held = self.numbers[number.key]
            entry = replace(listed, provider=holder.provider)
            self.numbers[number.key] = replace(held, verifications={**held.verifications, key: entry})
        if idempotency_record:
            self._keep(idempotency_record)

    def record_failed(self, key: str, idempotency_record: IdempotencyRecord | None = None) -> None:
        self._change(key, state=State.FAILED)
        if idempotency_record:
            self._keep(idempotency_record)

    def record_answer(self, idempotency_record: IdempotencyRecord) -> None:
        self._keep(idempotency_record)

    def claim(self, idempotency_record: IdempotencyRecord) -> IdempotencyRecord | None:
        with self.lock:
            if self._is_claimed(idempotency_record):
                return self.idempotency_records[idempotency_record.key]
            self._keep(idempotency_record)
            return None

    def unclaim(self, idempotency_record: IdempotencyRecord) -> None:
        with self.lock:
            self._free(idempotency_record)

    def note_own_code(self, request: OwnCode) -> Verification | None:
        with self.lock:
            found = self.verifications.get(request.key)
            is_under_way = (
                found is not None
                and found.state is State.PENDING
                and request.now < found.expires_at
                and found.phone == request.phone
                and found.sends - 1 == request.number
                and found.provider_ref != request.ref
            )
            if found is None or not is_under_way:
                return None
            refs = tuple(sorted({*found.own_code_refs, request.ref}))
            self._change(request.key, own_code_refs=refs)
            return self.verifications[request.key]

    def record_delivery(self, key: str, delivery: str) -> bool:
        with self.lock:
            found = self.verifications.get(key)
            if found is None or found.provider_ref is None:
                return False
            if found.delivery not in DELIVERY_BEFORE[delivery]:
                return False
            self._change(key, delivery=delivery)
            return True

    def find_listed(self, number_keys: Collection[str], now: Seconds) -> frozenset[str]:
        found = (self.numbers[key] for key in number_keys if key in self.numbers)
        return frozenset(key for number in found for key in number.kept(now))

    def find_each(self, keys: Collection[str]) -> dict[str, Verification]:
        return {key: self.verifications[key] for key in keys if key in self.verifications}

    def spend_guess(self, guess: Guess) -> Verification:
        with self.lock:
            found = self.verifications.get(guess.key)
            if (refused := guess_error(found, guess)) is not None:
                raise refused
            assert found is not None
            record = guess.idempotency_record
            claims = found.idempotency_records + (record.keys if record else ())
            spent = replace(found, attempts=found.attempts + 1, idempotency_records=claims)
            self.verifications[guess.key] = spent
            return spent

    def return_guess(self, key: str) -> None:
        with self.lock:
            found = self.verifications.get(key)
            if found and found.state is State.PENDING and found.attempts and key not in self.guesses_ended:
                self._change(key, attempts=found.attempts - 1)

    def end_guesses(self, key: str, max_attempts: int) -> bool:
        with self.lock:
            found = self.verifications.get(key)
            if found is None or found.state is not State.PENDING or found.attempts < max_attempts:
                return False
            self.guesses_ended.add(key)
            return True

    def spend_number_guess(self, guess: NumberGuess) -> CountedGuess:
        with self.lock:
            found, tenant = self._number(guess.number_key), guess.tenant
            lane = guess_lane(found, tenant, guess.lane, guess.token_issued_at, guess.policy)
            if (locked := lock(found, tenant, lane, guess.policy, guess.now)) is not None:
                raise locked
            failures = Failures(found.failures_of(tenant, lane).count + 1, guess.now)
            counted = replace(
                found,
                failures={**found.failures, (tenant, lane): failures},
                totals={**found.totals, tenant: found.totals.get(tenant, 0) + 1},
                failed=found.failed | {guess.moment},
            )
            self.numbers[guess.number_key] = counted
            return CountedGuess(lane, counted, guess)

    def consume(
        self, verification: Verification, counted: CountedGuess, attempt: str, now: Seconds, code_hash: str
    ) -> None:
        with self.lock:
            held = self.verifications.get(verification.key)
            if held and held.state is State.VERIFIED and held.verified_by == attempt:
                return
            if held is None or held.state is not State.PENDING or now >= held.expires_at:
                raise consume_error(held)
            if held.provider_ref != verification.provider_ref:
                raise consume_error(held)
            self.verifications[verification.key] = replace(
                held, state=State.VERIFIED, verified_at=now, verified_by=attempt, code_hash=code_hash
            )
            tenant, known = verification.tenant, self._number(verification.number_key)
            networks = known.networks
            if verification.network is not None:
                networks = verified_from(counted.number, verification.network, now)
            self.numbers[verification.number_key] = replace(
                cleared(known, tenant, counted.lane),
                verified={**known.verified, tenant: now},
                tokens_from={tenant: now, **known.tokens_from},
                networks=networks,
                unproven=0,
                failed=known.failed - {counted.guess.moment},
            )
            sends = (map(OpenCount.load, held.counted_on), map(OpenCount.load, held.resends_counted_on))
            for key, amounts in changes_of_success(*sends).items():
                self._count(key, amounts)

    def note_refused(self, number_key: str, now: Milliseconds, moment: int) -> None:
        with self.lock:
            found = self._number(number_key)
            refused = found.refused
            if len(refused) >= MOST_REFUSED:
                refused -= hour_old(refused, now)
            if len(refused) < MOST_REFUSED:
                self.numbers[number_key] = replace(found, refused=refused | {moment})

    def _can_resend(self, verification: Verification, sent_at: Milliseconds) -> bool:
        held = self.verifications[verification.key]
        return (
            held.state is State.PENDING
            and held.sends == verification.sends
            and to_milliseconds(held.expires_at) > sent_at
            and held.provider_ref == verification.provider_ref
        )

    def _conflicts(self, change: NumberChange) -> bool:
        """Whether another reservation, or a failure that the change resets or migrates, came in between."""
        held, before = self._number(change.key), change.before
        pairs = list(change.ended)
        if migration := change.migration:
            failing = [
                (migration.tenant, lane)
                for lane in Lane
                if (migration.tenant, lane) in migration.found.failures
            ]
            source = self._number(migration.from_key)
            if any(source.failures_of(*each) != migration.found.failures_of(*each) for each in failing):
                return True
            pairs += failing
        return held.version != before.version or any(
            held.failures_of(*each) != before.failures_of(*each) for each in pairs
        )

    def _apply(self, change: NumberChange) -> None:
        held = self._number(change.key)
        if migration := change.migration:
            tenant, found = migration.tenant, migration.found
            of_tenant = replace(
                found,
                sends=(),
                verifications={},
                over=frozenset(),
                failures={pair: each for pair, each in found.failures.items() if pair[0] == tenant},
                totals={each: total for each, total in found.totals.items() if each == tenant},
                verified={each: at for each, at in found.verified.items() if each == tenant},
                tokens_from={each: at for each, at in found.tokens_from.items() if each == tenant},
                unproven=0,
                refused=frozenset(),
                failed=frozenset(),
            )
            held = held.joined(of_tenant)
            source = self._number(migration.from_key)
            self.numbers[migration.from_key] = replace(
                source,
                failures={pair: each for pair, each in source.failures.items() if pair[0] != tenant},
                totals={each: total for each, total in source.totals.items() if each != tenant},
            )
        failures = {pair: each for pair, each in held.failures.items() if pair not in change.ended}
        before = change.before.verifications
        listed = {key: each for key, each in held.verifications.items() if key in change.verifications}
        listed |= {key: each for key, each in change.verifications.items() if each != before.get(key)}
        failing = {tenant for tenant, _ in failures} | {*held.totals} - {tenant for tenant, _ in change.ended}
        self.numbers[change.key] = replace(
            held,
            sends=change.sends if change.send else held.sends,
            version=change.before.version + 1,
            verifications=listed,
            over=held.over - change.expired,
            failures=failures,
            totals={tenant: total for tenant, total in held.totals.items() if tenant in failing},
            verified={each: at for each, at in held.verified.items() if each not in change.forgotten},
            tokens_from={each: at for each, at in held.tokens_from.items() if each not in change.forgotten},
            unproven=held.unproven + (change.send is not None),
        )

    def _is_claimed(self, idempotency_record: IdempotencyRecord) -> bool:
        held = (self.idempotency_records.get(key) for key in idempotency_record.keys)
        return any(each is not None and each.expires_at > idempotency_record.started_at for each in held)

    def _keep(self, record: IdempotencyRecord) -> None:
        for each in (record, record.twin):
            if each is not None:
                self.idempotency_records[each.key] = replace(each, twin=None)

    def _free(self, record: IdempotencyRecord) -> None:
        for key in record.keys:
            self.idempotency_records.pop(key, None)

    def _count(self, key: str, amounts: Counts) -> None:
        counts = self.counters.setdefault(key, {})
        for name, amount in amounts.items():
            counts[name] = counts.get(name, 0) + amount

    def _change(self, key: str, **changes: Any) -> None:
        self.verifications[key] = replace(self.verifications[key], **changes)


@dataclass
class FakeProvider:
    """A provider with one code. While `fails_with` is set, every call raises its exception."""

    name: str = "fake"
    code: str = "123456"
    fails_with: Callable[[], Exception] | None = None
    sent: list[tuple[str, str]] = field(default_factory=list)
    checked: list[tuple[str, str]] = field(default_factory=list)

    def candidates(self, to: PhoneNumber, channel: Channel) -> tuple[str, ...]:
        """As `Router.candidates`."""
        del to, channel
        return (self.name,)

    def ends_a_code(self, holding: Collection[str]) -> frozenset[str]:
        """As `Router.ends_a_code`: a new code ends no earlier one."""
        del holding
        return frozenset()

    def send(
        self, order: Order, deadline: Deadline, on_failure: OnFailure, reserve_again: ReserveAgain
    ) -> tuple[str, Sent]:
        """As `Router.send`."""
        del deadline, on_failure, reserve_again
        self.sent.append((order.to.e164, order.reference))
        if self.fails_with:
            raise self.fails_with()
        return self.name, Sent(ref=f"ref-{len(self.sent)}")

    def resend(
        self,
        holder: str,
        ref: str,
        order: Order,
        deadline: Deadline,
        on_failure: OnFailure,
        reserve_again: ReserveAgain,
    ) -> tuple[str, Sent]:
        """As `Router.resend`: repeats the code, as Infobip does."""
        self.send(order, deadline, on_failure, reserve_again)
        return holder, Sent(ref=ref, is_same_code=True)

    def turns(self, holder: str, order: Order) -> tuple[str, ...]:
        """As `Router.turns`: only the holder."""
        del order
        return (holder,)

    def check(self, name: str, ref: str, otp: str, *, channel: Channel, deadline: Deadline) -> Check:
        """As `Router.check`."""
        del name, channel, deadline
        self.checked.append((ref, otp))
        if self.fails_with:
            raise self.fails_with()
        return Check.CORRECT if otp == self.code else Check.WRONG


class Ed25519Kms:
    """The KMS calls that `kms` uses, with a real Ed25519 key in memory."""

    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.generate()
        self.calls: list[str] = []

    def sign(self, **request: Any) -> dict[str, Any]:
        """Sign the message by plain Ed25519, which KMS calls `ED25519_SHA_512`."""
        assert (request["SigningAlgorithm"], request["MessageType"]) == ("ED25519_SHA_512", "RAW")
        self.calls.append("Sign")
        return {"Signature": self._key.sign(request["Message"])}

    def get_public_key(self, **request: Any) -> dict[str, Any]:
        """The public key as SubjectPublicKeyInfo, DER."""
        del request
        self.calls.append("GetPublicKey")
        der, spki = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        return {"PublicKey": self._key.public_key().public_bytes(der, spki)}


def number_key(e164: str) -> str:
    """The key of a number under `PEPPER`."""
    return keys.keyed(PEPPER, "number", e164)


def a_verification(**changes: Any) -> Verification:
    """A pending verification with a provider's ref, created at `START`."""
    whole: dict[str, Any] = {
        "key": keys.verification_key("an-id"),
        "tenant": "tenant-a",
        "phone": "+14155550123",
        "country": "US",
        "number_key": number_key("+14155550123"),
        "channel": "sms",
        "created_at": int(START),
        "expires_at": int(START) + 300,
        "provider": "infobip",
        "provider_ref": "ref-1",
    }
    return Verification(**whole | changes)


def outcome(act: Callable[[], Any]) -> str:
    """Call `act`. Returns `ok`, or the errorCode of its `OtpError`."""
    try:
        act()
    except errors.OtpError as error:
        return error.code
    return "ok"
