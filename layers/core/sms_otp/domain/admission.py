"""Whether a code may be sent, and what must be reserved before it is. Decides; sends nothing.

In this order: the answer to an earlier request with the same key, the lock on guesses, the number's
sends, the client's, the whole service's day, the country's and the block's unverified sends.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import zip_longest

from sms_otp.domain import errors, keys, limits
from sms_otp.domain.budgets import Counter, CounterWindow, ShardIncrement
from sms_otp.domain.guard import Guard, GuardPolicy, History, Mode, Verdict
from sms_otp.domain.idempotency import IdempotencyRecord, StoredAnswer, earlier_answer
from sms_otp.domain.keys import Peppers
from sms_otp.domain.limits import SECOND, GuessPolicy, SendPolicy, whole_seconds
from sms_otp.domain.phone import PhoneNumber
from sms_otp.domain.ports import AdmissionQuery, AdmissionSnapshot, FailureMigration, LogAppend, SendLog

DAY = 24 * 3600
KEEP_SERVICE_DAY = DAY


@dataclass(frozen=True, slots=True)
class AdmissionPolicy:
    """The limits on sends."""

    number: SendPolicy
    client: SendPolicy
    guesses: GuessPolicy
    sends_per_day: int
    """Of the whole service."""
    guard: GuardPolicy


@dataclass(frozen=True, slots=True)
class Admitted:
    """A send that may go, once these are reserved."""

    number: LogAppend | None
    client: LogAppend | None
    sent_at: int
    """Milliseconds; unlike that of any other send in either log, so that each is counted."""
    increments: tuple[ShardIncrement, ...]
    over: tuple[str, ...]
    """The guard's limits that this send is over, where it only records."""
    resend_after: int
    """Seconds until the number's next send."""
    cap_used: float | None = None
    """Percent of the whole service's day that is spent with this send, estimated from a few shards."""
    unverified: int | None = None
    """As in `guard.Verdict`; None where the guard is off."""
    failure_migration: FailureMigration | None = None


class Admission:
    """One request's way through the limits. `now` in milliseconds."""

    def __init__(
        self,
        policy: AdmissionPolicy,
        history: History,
        peppers: Peppers,
        to: PhoneNumber,
        tenant: str,
        client: str | None,
        idempotency_records: Sequence[IdempotencyRecord],
        now: int,
        *,
        exempt: bool = False,
    ) -> None:
        self._policy = policy
        self._now = now
        self._exempt = exempt
        self._peppers = peppers
        self._idempotency_records = idempotency_records
        self._to = to
        self.number_key = keys.keyed(peppers.current, "number", to.e164)
        self._tenant = tenant
        self._client = client
        self._client_key = None if client is None else keys.keyed(peppers.current, "client", client)
        self._day = _service_day(now // SECOND, policy.guard.shards)
        self._day_sample = self._day.sample()
        self._guard = None
        if policy.guard.mode is not Mode.OFF:
            blocks = tuple(keys.keyed(pepper, "block", to.e164[:-4]) for pepper in peppers.all)
            self._guard = Guard(policy.guard, history, to.country, blocks, now // SECOND)

    @property
    def query(self) -> AdmissionQuery:
        """What must be read before `decide`."""
        query, *previous = (
            self._under(pepper, idempotency_record)
            for pepper, idempotency_record in zip_longest(self._peppers.all, self._idempotency_records)
        )
        counters = () if self._exempt else self._day_sample + (self._guard.keys if self._guard else ())
        return replace(query, counters=counters, previous=previous[0] if previous else None)

    def _under(self, pepper: str, idempotency_record: IdempotencyRecord | None) -> AdmissionQuery:
        number_key = keys.keyed(pepper, "number", self._to.e164)
        counts_client = self._client is not None and not self._exempt
        client_key = keys.keyed(pepper, "client", str(self._client)) if counts_client else None
        return AdmissionQuery(
            number_key, self._tenant, client_key, idempotency_record.key if idempotency_record else None
        )

    def repeated(self, snapshot: AdmissionSnapshot) -> tuple[StoredAnswer, str] | None:
        """The answer of the earlier request with this key and body, and the verificationId that it had.

        Raises as `idempotency` says.
        """
        snapshots = (snapshot, snapshot.previous) if snapshot.previous else (snapshot,)
        for pepper, idempotency_record, under in zip(
            self._peppers.all, self._idempotency_records, snapshots, strict=False
        ):
            answer = earlier_answer(under.idempotency_record, idempotency_record)
            if under.idempotency_record is not None and answer is not None:
                return answer, keys.derived_verification_id(pepper, under.idempotency_record.nonce)
        return None

    def decide(self, snapshot: AdmissionSnapshot, *, ignore_gap: bool = False) -> Admitted:
        """Raises `NumberLocked` or `RateLimited`. `ignore_gap` for the second send of one code request."""
        failure_migration, snapshot = self._failure_migration(snapshot), _together(snapshot)
        if (locked := limits.lock(snapshot.failures, self._policy.guesses, self._now)) is not None:
            raise locked
        if self._exempt:
            return Admitted(None, None, self._now, (), (), 0, failure_migration=failure_migration)
        policy = self._policy.number
        self._refuse_early(snapshot.number, replace(policy, gap=0) if ignore_gap else policy, "number")
        number = self._entry(self.number_key, snapshot.number, self._policy.number)
        client = None
        if self._client_key is not None:
            self._refuse_early(snapshot.client, self._policy.client, "client")
            client = self._entry(self._client_key, snapshot.client, self._policy.client)
        increment = self._service_increment(snapshot.counters)
        verdict = self._guarded(snapshot.counters)
        moments = (*number.log.sends, self._now)
        next_at = limits.next_send_at(moments, self._policy.number, self._now)
        resend_after = whole_seconds(next_at - self._now)
        return Admitted(
            number=number,
            client=client,
            sent_at=self._moment(number, client),
            increments=(increment, *(verdict.increments if verdict else ())),
            over=verdict.over if verdict else (),
            resend_after=resend_after,
            cap_used=self._cap_used(snapshot.counters),
            unverified=verdict.unverified if verdict else None,
            failure_migration=failure_migration,
        )

    def _failure_migration(self, snapshot: AdmissionSnapshot) -> FailureMigration | None:
        """Failures go where the guesses at this send's verification will be counted."""
        previous = self.query.previous
        if previous is None or snapshot.previous is None or not snapshot.previous.failures.count:
            return None
        return FailureMigration(
            self._tenant, previous.number_key, self.number_key, snapshot.previous.failures, snapshot.failures
        )

    def _moment(self, *entries: LogAppend | None) -> int:
        taken = {at for entry in entries if entry for at in entry.log.sends}
        moment = self._now
        while moment in taken:
            moment += 1
        return moment

    def _refuse_early(self, log: SendLog, policy: SendPolicy, reason: str) -> None:
        wait = limits.next_send_at(log.sends, policy, self._now) - self._now
        if wait > 0:
            raise errors.RateLimited(reason=reason, retry_after=whole_seconds(wait))

    def _entry(self, key: str, log: SendLog, policy: SendPolicy) -> LogAppend:
        kept = limits.remembered(log.sends, policy, self._now)
        return LogAppend(key, replace(log, sends=kept), self._now // SECOND + limits.KEEP_LOG)

    def _service_increment(self, read: Mapping[str, Counter]) -> ShardIncrement:
        increment = self._day.increment(read, self._day_sample, self._policy.sends_per_day, KEEP_SERVICE_DAY)
        if increment is None:
            wait = self._day.ends_at - self._now // SECOND
            raise errors.RateLimited(reason="service day", retry_after=wait)
        return increment

    def _cap_used(self, read: Mapping[str, Counter]) -> float:
        used = self._day.used(read, self._day_sample) + 1
        return round(100 * used / self._policy.sends_per_day, 1)

    def _guarded(self, read: Mapping[str, Counter]) -> Verdict | None:
        if self._guard is None:
            return None
        verdict = self._guard.decide(read)
        if verdict.over and self._policy.guard.mode is Mode.ENFORCE:
            raise errors.RateLimited(reason=verdict.over[0], retry_after=verdict.retry_after)
        return verdict


def _together(snapshot: AdmissionSnapshot) -> AdmissionSnapshot:
    """What is known of a number and of a client, under whichever pepper."""
    previous = snapshot.previous
    if previous is None:
        return snapshot
    return replace(
        snapshot,
        number=snapshot.number.joined(previous.number),
        client=snapshot.client.joined(previous.client),
        failures=snapshot.failures.joined(previous.failures),
    )


def _service_day(now: int, shards: int) -> CounterWindow:
    start = now - now % DAY
    return CounterWindow(f"D#{datetime.fromtimestamp(start, UTC):%Y-%m-%d}", shards, start + DAY)
