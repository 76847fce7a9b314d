"""Decides whether a code may be sent, and what to reserve before it is sent.

Checks, in order: the answer to an earlier request with the same Idempotency-Key, administrators' stops, the
lane's lock on guesses and its send limits; then the budgets of `spending`: network, day, country and block.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from sms_otp.domain import device_token, keys, number
from sms_otp.domain.budgets import ShardIncrement
from sms_otp.domain.clock import NO_SECONDS, Milliseconds, Seconds, to_seconds
from sms_otp.domain.countries import History
from sms_otp.domain.guard import NumberFacts
from sms_otp.domain.idempotency import IdempotencyRecord, StoredAnswer, earlier_answer
from sms_otp.domain.keys import Peppers
from sms_otp.domain.limits import whole_seconds
from sms_otp.domain.number import Approach, Lane, LanePolicy, ListedVerification, Number, Send
from sms_otp.domain.phone import PhoneNumber
from sms_otp.domain.ports import AdmissionQuery, AdmissionSnapshot, FailureMigration, NumberChange
from sms_otp.domain.prices import EVERYWHERE
from sms_otp.domain.provider import Channel
from sms_otp.domain.spending import Payment, Spending, SpendPolicy
from sms_otp.domain.verification import Verification

BLOCK_KEY = 32
"""Hex digits of a block's key: 128 bits are unique enough, and each verification stores one."""
MOST_LISTED_TESTS = 50
"""Verifications that a test number lists: no limit bounds its sends, and only the newest can matter."""


EarlierAnswer = tuple[StoredAnswer, IdempotencyRecord]
"""The answer to an earlier request with the same Idempotency-Key, and its record."""


@dataclass(frozen=True, slots=True)
class AdmissionPolicy:
    """The limits on sends and guesses."""

    limits_by_country: Mapping[str, LanePolicy]
    """Limits of each number, by ISO 3166-1 alpha-2 country code; `*` is every other country."""
    spend: SpendPolicy

    def number_limits(self, country: str) -> LanePolicy:
        """The limits of a number of this country."""
        return self.limits_by_country.get(country, self.limits_by_country[EVERYWHERE])


@dataclass(frozen=True, slots=True)
class Requester:
    """The caller's identity: client network, device token, challenge passed."""

    approach: Approach
    client_keys: tuple[str, ...] = ()
    """Keys of the client whose sends are counted, by the current pepper first; empty without a network."""

    @classmethod
    def of_request(
        cls,
        peppers: Peppers,
        to: PhoneNumber,
        tenant: str,
        network: str | None,
        token: str | None,
        now: Seconds,
        *,
        is_challenged: bool = False,
    ) -> "Requester":
        """The identity in a request for a new verification. `network` as returned by `clients.network_of`."""
        approach = Approach(
            tenant,
            device_token.issued_at(token, peppers, tenant, to.e164, now),
            _hashes(peppers, to, network),
            is_challenged,
        )
        if network is None:
            return cls(approach)
        return cls(approach, tuple(keys.keyed(pepper, "client", network) for pepper in peppers.all))

    @classmethod
    def of_resend(
        cls,
        peppers: Peppers,
        to: PhoneNumber,
        first: Verification,
        token: str | None,
        now: Seconds,
        *,
        is_challenged: bool = False,
    ) -> "Requester":
        """The identity in a request to resend, which is counted where the first code was."""
        approach = Approach(
            first.tenant,
            device_token.issued_at(token, peppers, first.tenant, to.e164, now),
            first.networks,
            is_challenged,
        )
        return cls(approach, () if first.client_key is None else (first.client_key,))


def _hashes(peppers: Peppers, to: PhoneNumber, network: str | None) -> tuple[str, ...]:
    if network is None:
        return ()
    return tuple(keys.network_hash(pepper, to.e164, network) for pepper in peppers.all)


@dataclass(frozen=True, slots=True)
class Admitted:
    """An admitted send, and what to reserve before it."""

    lane: Lane
    send: Send | None
    """None where no limit counts it."""
    sent_at: Milliseconds
    """Unique among the sends to the number, so that each is counted."""
    resend_after: Seconds
    """Seconds until the next send in the same lane."""
    requests: int = 1
    """Requests for the number within the hour, this one and refused ones included."""
    payment: Payment | None = None
    """None for a test number."""

    @property
    def increments(self) -> tuple[ShardIncrement, ...]:
        """The send's increments of shared counters."""
        return self.payment.increments if self.payment else ()


class Admission:
    """Decides one request against every limit."""

    def __init__(
        self,
        policy: AdmissionPolicy,
        history: History,
        peppers: Peppers,
        to: PhoneNumber,
        channel: Channel,
        providers: tuple[str, ...],
        requester: Requester,
        idempotency_records: Sequence[IdempotencyRecord],
        now: Milliseconds,
    ) -> None:
        """`providers`: the candidates, the preferred one first."""
        self._lanes = policy.number_limits(to.country)
        self._to, self._channel, self.providers = to, channel, providers
        self._now = now
        self._exempt = to.is_test
        self._peppers = peppers
        self._idempotency_records = idempotency_records
        self._requester = requester
        self._number_keys = keys.number_keys(peppers, to.e164)
        self.number_key = self._number_keys[0]
        blocks = tuple(keys.keyed(pepper, "block", to.e164[:-4])[:BLOCK_KEY] for pepper in peppers.all)
        self._spending = Spending(
            policy.spend, history, to.country, channel, blocks, requester.client_keys, to_seconds(now)
        )

    @property
    def query(self) -> AdmissionQuery:
        """The keys to read before `decide`."""
        query, *previous = (
            AdmissionQuery(number_key, self._requester.approach.tenant, record.key if record else None)
            for number_key, record in zip_longest(self._number_keys, self._idempotency_records)
        )
        counters = () if self._exempt else self._spending.keys
        return replace(
            query,
            counters=counters,
            circuits=self.providers,
            with_stops=not self._exempt,
            previous=previous[0] if previous else None,
        )

    def must_read_again(self, snapshot: AdmissionSnapshot) -> bool:
        """Whether today's counts are on more shards than were read: then make a new `Admission`."""
        return not self._exempt and self._spending.has_more_shards(snapshot.counters)

    @property
    def has_key(self) -> bool:
        """Whether the request has an Idempotency-Key."""
        return bool(self._idempotency_records)

    def repeated(self, snapshot: AdmissionSnapshot) -> EarlierAnswer | None:
        """The answer to an earlier request with this key and content, and its record.

        Raises `IdempotencyKeyReused` or `RequestInProgress`.
        """
        for mine, found in zip(self._idempotency_records, snapshot.by_pepper, strict=False):
            answer = earlier_answer(found.idempotency_record, mine)
            if found.idempotency_record is not None and answer is not None:
                return answer, found.idempotency_record
        return None

    def number(self, snapshot: AdmissionSnapshot) -> Number:
        """The number's record, merged over both peppers."""
        previous = snapshot.previous
        return snapshot.number if previous is None else snapshot.number.joined(previous.number)

    def verifications_of(self, snapshot: AdmissionSnapshot, session_id: str | None) -> frozenset[str]:
        """Keys of the number's verifications in this session, over both peppers.

        Empty without a session.
        """
        if session_id is None:
            return frozenset()
        tenant = self._requester.approach.tenant
        return frozenset(
            key
            for number_key, found in zip(self._number_keys, snapshot.by_pepper, strict=True)
            for key, listed in found.number.verifications.items()
            if listed.owner == keys.owner(number_key, tenant, session_id)
        )

    def lane(self, snapshot: AdmissionSnapshot) -> Lane:
        """The lane that the send is counted in."""
        return number.lane_of(
            self.number(snapshot), self._requester.approach, self._lanes, to_seconds(self._now)
        )

    def stopped(self, snapshot: AdmissionSnapshot) -> dict[str, Seconds]:
        """Seconds until each stopped provider may send again, by provider."""
        return snapshot.stops.waits(self.providers, to_seconds(self._now))

    def decide(self, snapshot: AdmissionSnapshot, *, ignore_gap: bool = False) -> Admitted:
        """Admit the send, or raise why not. `ignore_gap`: for the second send of one request.

        Raises `SendingStopped`, `NumberLocked`, `NumberDisabled`, `RateLimited` or `ChallengeRequired`.
        """
        stopped = snapshot.stops.send_error(
            self._to.country, self._channel, self.providers, to_seconds(self._now)
        )
        if stopped is not None:
            raise stopped
        known, lane = self.number(snapshot), self.lane(snapshot)
        approach, lanes = self._requester.approach, self._lanes
        limits_now = lanes.without_gap() if ignore_gap else lanes
        if self._exempt:
            if (locked := number.lock(known, approach.tenant, lane, lanes, self._now)) is not None:
                raise locked
            return Admitted(lane, None, self._now, NO_SECONDS)
        if (refused := number.send_error(known, lane, approach, limits_now, self._now)) is not None:
            raise refused
        payment = self._spending.decide(
            snapshot.counters, self._facts(known, lane), is_challenged=approach.is_challenged
        )
        sent_at = self._moment(known)
        send = Send(sent_at, lane, approach.network, approach.is_challenged)
        after = replace(known, sends=(*known.sends, send))
        return Admitted(
            lane=lane,
            send=send,
            sent_at=sent_at,
            resend_after=whole_seconds(
                number.next_send_at(after, lane, approach, lanes, self._now) - self._now
            ),
            requests=after.requests_within_hour(self._now),
            payment=payment,
        )

    def change(
        self,
        snapshot: AdmissionSnapshot,
        admitted: Admitted,
        verification: Verification,
        listed_as: ListedVerification | None = None,
    ) -> NumberChange:
        """The send's changes to the number's item; `listed_as` if its verification is new."""
        now, before = to_seconds(self._now), snapshot.number
        known, lanes = self.number(snapshot), self._lanes
        listed = number.still_listed(before, now)
        if listed_as is not None:
            listed[verification.key] = listed_as
        if self._exempt:
            listed = dict(list(listed.items())[-MOST_LISTED_TESTS:])
        recent = tuple(send for send in known.sends if send.at > self._now - lanes.memory)
        return NumberChange(
            key=self.number_key,
            before=before,
            sends=(*recent, admitted.send) if admitted.send else recent,
            send=admitted.send,
            verifications=listed,
            keep_until=number.keep_until(known, lanes, now),
            ended=number.ended_failures(before, lanes, self._now),
            forgotten=number.forgotten_tenants(before, now),
            expired=number.expired_over(before, now),
            migration=self._migration(snapshot) if listed_as is not None else None,
        )

    def _migration(self, snapshot: AdmissionSnapshot) -> FailureMigration | None:
        """Failures and own lanes to move to the current pepper's key, where new guesses are counted."""
        if snapshot.previous is None:
            return None
        tenant, found = self._requester.approach.tenant, snapshot.previous.number
        failing = any(found.failures_of(tenant, lane).count for lane in Lane)
        if not failing and tenant not in found.tokens_from and not found.networks:
            return None
        return FailureMigration(tenant, self._number_keys[1], found)

    def _moment(self, known: Number) -> Milliseconds:
        taken = {send.at for send in known.sends}
        moment = self._now
        while moment in taken:
            moment += Milliseconds(1)
        return moment

    def _facts(self, known: Number, lane: Lane) -> NumberFacts:
        """The number's input to the guard."""
        verified_at = known.verified_at
        return NumberFacts(
            is_own=lane is not Lane.STRANGER,
            is_known=verified_at is not None and verified_at > to_seconds(self._now) - number.REMEMBERED,
            ignored=known.unproven,
        )
