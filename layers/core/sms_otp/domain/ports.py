"""Ports: the interfaces that adapters implement, and the records that cross them."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from sms_otp.domain.budgets import Counts, ShardIncrement
from sms_otp.domain.circuit import Circuit
from sms_otp.domain.clock import NO_SECONDS, Deadline, Milliseconds, Seconds
from sms_otp.domain.idempotency import IdempotencyRecord
from sms_otp.domain.number import NOTHING_KNOWN, Lane, LanePolicy, ListedVerification, Number, Send
from sms_otp.domain.phone import PhoneNumber
from sms_otp.domain.provider import Channel, Check, OnFailure, Order, ReserveAgain, Sent
from sms_otp.domain.stops import NO_STOPS, Stop, Stops
from sms_otp.domain.users import User
from sms_otp.domain.verification import Guess, Verification

Result = TypeVar("Result")

EventSink = Callable[..., Any]
"""`emit(event, **fields)`: one structured log line for one decision. See `telemetry.events`."""


@dataclass(frozen=True, slots=True)
class AdmissionQuery:
    """The keys to read before deciding whether to send."""

    number_key: str
    tenant: str
    record_key: str | None = None
    counters: tuple[str, ...] = ()
    circuits: tuple[str, ...] = ()
    """The providers that may send. Not part of the decision, but this read has them at no further cost."""
    with_stops: bool = False
    """Whether to read the stops, too. Only a send depends on them."""
    previous: "AdmissionQuery | None" = None
    """The query by the previous pepper, while it rotates."""


@dataclass(frozen=True, slots=True)
class AdmissionSnapshot:
    """The items that were read, each strongly consistent. Missing items are empty.

    Not atomic: a transaction may have come between two of the items.
    """

    number: Number = NOTHING_KNOWN
    idempotency_record: IdempotencyRecord | None = None
    counters: Mapping[str, Counts] = field(default_factory=dict)
    circuits: Mapping[str, Circuit] = field(default_factory=dict)
    """By provider; closed circuits without failures are left out."""
    stops: Stops = NO_STOPS
    previous: "AdmissionSnapshot | None" = None
    """The answer to the query's `previous`."""

    @property
    def by_pepper(self) -> "tuple[AdmissionSnapshot, ...]":
        """This snapshot, then `previous` if set."""
        return (self,) if self.previous is None else (self, self.previous)


@dataclass(frozen=True, slots=True)
class NumberChange:
    """A reservation's changes to a number's item."""

    key: str
    before: Number
    """As it was read."""
    sends: tuple[Send, ...]
    """All sends within some window, the new one included."""
    send: Send | None
    """The new one; None where no limit counts it."""
    verifications: Mapping[str, ListedVerification]
    """All that may still exist, the new one included."""
    keep_until: Seconds
    """When the item may be deleted."""
    ended: tuple[tuple[str, Lane], ...] = ()
    """Tenants and lanes whose failures have ended."""
    forgotten: tuple[str, ...] = ()
    """Tenants whose last success is too old to be remembered."""
    expired: frozenset[str] = frozenset()
    """Those of the number's `over` that have expired."""
    carried: "Carried | None" = None


@dataclass(frozen=True, slots=True)
class Carried:
    """State of a number at a tenant, to migrate from the previous pepper's key to the current one's.

    Failures are moved, since a success clears only one item; the rest is copied.
    """

    tenant: str
    from_key: str
    found: Number
    """The item under `from_key`, as it was read."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """Everything to store, in one transaction, before a code is sent."""

    verification: Verification
    sent_at: Milliseconds
    """The send that `release` removes from the log."""
    number: NumberChange | None = None
    increments: tuple[ShardIncrement, ...] = ()
    idempotency_record: IdempotencyRecord | None = None
    resend: bool = False
    """Whether the verification exists already, and its code is sent again."""


@dataclass(frozen=True, slots=True)
class ProviderHandle:
    """The provider that holds a verification's code since the newest send, and its handle."""

    provider: str
    ref: str
    channel: str
    delivery: str
    message_id: str | None = None
    """The handle that delivery reports name, where it is not `ref`."""
    is_same_code: bool = False
    """Whether earlier messages carry this code, too."""


@dataclass(frozen=True, slots=True)
class OwnCode:
    """A send whose provider requests the code, and gets the verification's own."""

    key: str
    """Of the verification."""
    number: int
    """Of the send: 0 for the first one of the verification."""
    ref: str
    """The provider's handle for this send."""
    phone: str = field(repr=False)
    """The number that it goes to, in E.164."""
    now: Seconds


@dataclass(frozen=True, slots=True)
class NumberRecord:
    """All records of a number under one key."""

    number: Number = NOTHING_KNOWN
    verifications: tuple[Verification, ...] = ()
    users: tuple[User, ...] = ()


@dataclass(frozen=True, slots=True)
class Erased:
    """How many items of each kind were deleted."""

    counts: Mapping[str, int]
    retry_after: Seconds = NO_SECONDS
    """Seconds until erasing again; 0 if the erasure is complete."""


@dataclass(frozen=True, slots=True)
class NumberGuess:
    """A guess at a number's code, counted in one of its lanes before the code is checked."""

    number_key: str
    tenant: str
    now: Milliseconds
    moment: int
    """As `number.moment`; unique to this guess."""
    policy: LanePolicy
    lane: Lane = Lane.STRANGER
    """The verification's."""
    token_issued_at: Seconds | None = None
    """Of a genuine device token that came with the guess; the number's item decides whether it is valid."""


@dataclass(frozen=True, slots=True)
class CountedGuess:
    """A counted guess, its lane, and the number after it."""

    lane: Lane
    number: Number
    guess: NumberGuess


class WriteConflict(Exception):
    """Optimistic lock failed on the number, a client, a shard or a record. Re-read and decide again."""


class StoreError(Exception):
    """A read or write failed, or its outcome is unknown. `reason` is safe to log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TokenError(Exception):
    """Signing, or reading a public key, failed. `reason` is safe to log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class IssueToken(Protocol):
    """See `tokens.TokenIssuer`."""

    def __call__(self, verification: Verification, api_url: str, verified_at: Seconds) -> str: ...


class Circuits(Protocol):
    """The shared state of the providers' circuit breakers. Each method is one conditional write.

    All raise `StoreError` where the write failed or its outcome is unknown.
    """

    def add_failure(self, provider: str, number: str, now: Milliseconds, stale: tuple[str, ...]) -> bool:
        """Count a failed send to this number, and delete the failures of the `stale` ones. Returns True."""
        ...

    def open(self, provider: str, now: Milliseconds) -> bool:
        """Open a closed circuit. Returns whether this call opened it."""
        ...

    def elect(self, provider: str, read: Circuit, now: Milliseconds) -> bool:
        """Elect the caller to probe, if nothing changed since `read`. Returns whether it was elected."""
        ...

    def hand_on(self, provider: str) -> bool:
        """End a probe without a result for the provider: the next request may probe at once."""
        ...

    def reopen(self, provider: str, now: Milliseconds) -> bool:
        """End a probe that failed: the circuit stays open for its full time again."""
        ...

    def close(self, provider: str) -> bool:
        """Close an open circuit. Returns whether this call closed it."""
        ...


class SendingStops(Protocol):
    """The stops of a deployment. Each method is one atomic write, and returns all stops after it.

    Both raise `StoreError` where the write failed, its outcome is unknown, or another stop cannot be read.
    """

    def stop(self, stops: Collection[Stop], until: Seconds, now: Seconds) -> Stops:
        """Set each of these stops, new or standing, to end at `until`."""
        ...

    def resume(self, stops: Collection[Stop]) -> Stops:
        """End these stops; others stay."""
        ...


class Numbers(Protocol):
    """All records of a number, by its key."""

    def record_of(self, number_key: str, now: Seconds) -> NumberRecord:
        """Read the number's records, each strongly consistent, without users that have ended by `now`."""
        ...

    def unlock(self, number_key: str, now: Seconds) -> int:
        """Delete its failures, and refuse device tokens issued before `now`.

        Returns the number of tenants at which it had failures.
        """
        ...

    def erase(self, number_key: str, now: Seconds, deadline: Deadline) -> Erased:
        """Delete everything, until the deadline.

        Incomplete if the deadline passes, or if a verification was under way: a guess that is being checked
        can add a failure until its request has ended.
        """
        ...


class Store(Protocol):
    """The state of verifications and of numbers. Each method takes effect completely or not at all."""

    def read(self, query: AdmissionQuery) -> AdmissionSnapshot:
        """Read everything that decides a send."""
        ...

    def reserve(self, reservation: Reservation) -> None:
        """Store a send and its verification, if nothing changed since the decision.

        Otherwise stores nothing and raises `WriteConflict`.
        """
        ...

    def release(self, reservation: Reservation) -> None:
        """Undo a reservation whose code was certainly not sent."""
        ...

    def find(self, key: str) -> Verification | None:
        """The verification with this key, of any tenant. Strongly consistent."""
        ...

    def cancel(self, key: str, tenant: str) -> Verification:
        """Cancel a pending verification and return it; one that was over already is returned as it is.

        Raises `VerificationNotFound` or `AlreadyVerified`.
        """
        ...

    def end_code(self, number_key: str, key: str) -> None:
        """Mark a listed verification as over before it expires: no user still holds its code.

        Cannot be undone: call it only once no guess can be made. No-op if the number does not list it.
        """
        ...

    def record_sent(
        self,
        key: str,
        holder: ProviderHandle,
        idempotency_record: IdempotencyRecord | None = None,
        number: NumberChange | None = None,
    ) -> None:
        """Store the provider that holds the code and its handle, and the answer to a repeated request.

        `number` as reserved: if it lists another provider for the code, its list is corrected to the holder.
        Raises `AlreadyVerified` or `VerificationCancelled` if that came first, as it can during a resend.
        """
        ...

    def record_failed(self, key: str, idempotency_record: IdempotencyRecord | None = None) -> None:
        """Fail the verification: the provider refuses this number for good."""
        ...

    def record_answer(self, idempotency_record: IdempotencyRecord) -> None:
        """Store the answer for repetitions of a request whose send has an unknown outcome."""
        ...

    def note_own_code(self, request: OwnCode) -> Verification | None:
        """Record that this send carries the verification's own code, if it is its newest send and under way.

        Returns the verification. Returns None and records nothing if it is not pending, is another
        number's, or has this handle already: its provider has answered and requests no more codes.
        """
        ...

    def record_delivery(self, key: str, delivery: str) -> bool:
        """Store the delivery of an accepted message, as `DELIVERY_BEFORE` allows. Returns whether it was new.

        No-op for a verification that is unknown or was never accepted.
        """
        ...

    def find_listed(self, number_keys: Collection[str], now: Seconds) -> frozenset[str]:
        """Keys of the verifications that these numbers list and that are still kept at `now`."""
        ...

    def find_each(self, keys: Collection[str]) -> dict[str, Verification]:
        """As `find`, for many: the verifications found, by key."""
        ...

    def spend_guess(self, guess: Guess) -> Verification:
        """Count one guess, if one may be made, and return the verification after it.

        Otherwise counts nothing and raises the `OtpError` of `verification.guess_error`.
        """
        ...

    def return_guess(self, key: str) -> None:
        """Give back a guess that its number's lock refused, unless the verification's guesses have ended."""
        ...

    def end_guesses(self, key: str, max_attempts: int) -> bool:
        """End the guesses at a verification that has none left, so that no guess is given back later.

        Returns False and changes nothing if a guess was given back meanwhile, or it is not pending.
        """
        ...

    def spend_number_guess(self, guess: NumberGuess) -> CountedGuess:
        """Count one failure of the number in the guess's lane; `consume` clears it.

        A token that the number's item does not confirm, or an own lane that is used up, opens no lane.
        Raises `NumberLocked` while the lane must wait, or `NumberDisabled`; then nothing is counted.
        """
        ...

    def consume(
        self, verification: Verification, counted: CountedGuess, attempt: str, now: Seconds, code_hash: str
    ) -> None:
        """Turn a pending, unexpired verification into a verified one, once.

        The same transaction clears the failures of the guess's lane and of strangers, marks the number as
        verified and, unless a counter fails, uncounts its send. Recognises its own success by `attempt`.
        Otherwise raises the `OtpError` of `verification.consume_error`.
        """
        ...

    def note_refused(self, number_key: str, now: Milliseconds, moment: int) -> None:
        """Count a refused request at its number, up to a bound."""
        ...

    def claim(self, idempotency_record: IdempotencyRecord) -> IdempotencyRecord | None:
        """Claim a key for a request that reserves nothing. Returns the record of any earlier owner."""
        ...

    def unclaim(self, idempotency_record: IdempotencyRecord) -> None:
        """Free a key whose request ended without an answer to repeat."""
        ...


class Providers(Protocol):
    """The providers, in their order. See `failover.Router`."""

    def candidates(self, to: PhoneNumber, channel: Channel) -> tuple[str, ...]:
        """The providers that may send to this number by this channel, the preferred one first."""
        ...

    def ends_a_code(self, holding: Collection[str]) -> frozenset[str]:
        """The providers in `holding` at which a new send to the number invalidates the code they hold."""
        ...

    def send(
        self, order: Order, deadline: Deadline, on_failure: OnFailure, reserve_again: ReserveAgain
    ) -> tuple[str, Sent]:
        """Send a new code. Returns the provider's name and its handle. Raises a `ProviderError`."""
        ...

    def resend(
        self,
        holder: str,
        ref: str,
        order: Order,
        deadline: Deadline,
        on_failure: OnFailure,
        reserve_again: ReserveAgain,
    ) -> tuple[str, Sent]:
        """As `send`, by the providers of `turns`."""
        ...

    def turns(self, holder: str, order: Order) -> tuple[str, ...]:
        """The providers to call for a resend of the holder's code, in order."""
        ...

    def check(self, name: str, ref: str, otp: str, *, channel: Channel, deadline: Deadline) -> Check:
        """Check a guess at the provider that holds the code. Raises a `ProviderError`."""
        ...


class CredentialSource(Protocol):
    """The providers' credentials. See `secrets.SecretCache`."""

    def credentials(self, provider: str) -> Mapping[str, str]: ...

    def forget_credentials(self) -> None: ...


class Breaker(Protocol):
    """Stops requests to a failing provider. See `circuit_breaker.CircuitBreaker`."""

    def call(
        self,
        provider: str,
        read: Mapping[str, Circuit],
        number_key: str,
        act: Callable[[], Result],
        *,
        has_next: Callable[[], bool],
    ) -> Result:
        """Call `act` and return its result. Raises `CircuitOpen` instead while the circuit is open."""
        ...
