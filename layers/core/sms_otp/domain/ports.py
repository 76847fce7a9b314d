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
    """The providers that may send. They decide nothing here, but are read at no further cost."""
    with_stops: bool = False
    """Whether the stops are read too: for a send. Nothing else ever depends on them."""
    previous: "AdmissionQuery | None" = None
    """The same under the other pepper, while one is being rotated."""


@dataclass(frozen=True, slots=True)
class AdmissionSnapshot:
    """What was found, each item strongly consistent. What is not there is empty.

    No snapshot: a transaction may have come between two of the items.
    """

    number: Number = NOTHING_KNOWN
    idempotency_record: IdempotencyRecord | None = None
    counters: Mapping[str, Counts] = field(default_factory=dict)
    circuits: Mapping[str, Circuit] = field(default_factory=dict)
    """By provider; a circuit that is closed, with nothing counted against it, is not there."""
    stops: Stops = NO_STOPS
    previous: "AdmissionSnapshot | None" = None
    """The same under the other pepper, where the query had it."""

    @property
    def by_pepper(self) -> "tuple[AdmissionSnapshot, ...]":
        """This one, and `previous` where there is one."""
        return (self,) if self.previous is None else (self, self.previous)


@dataclass(frozen=True, slots=True)
class NumberChange:
    """What a reservation changes in a number's item."""

    key: str
    before: Number
    """As it was read."""
    sends: tuple[Send, ...]
    """All that some window remembers, the new one included."""
    send: Send | None
    """The new one; None where no limit counts it."""
    verifications: Mapping[str, ListedVerification]
    """All that there may be, the new one included."""
    keep_until: Seconds
    """When the item may be forgotten."""
    ended: tuple[tuple[str, Lane], ...] = ()
    """Tenants and lanes whose failures have ended."""
    forgotten: tuple[str, ...] = ()
    """Tenants at which it was verified too long ago to be remembered."""
    expired: frozenset[str] = frozenset()
    """Those of the number's `over` that have expired."""
    carried: "Carried | None" = None


@dataclass(frozen=True, slots=True)
class Carried:
    """What stands of a number at a tenant under the other pepper's key, to stand under the current one's.

    Failures are moved, for a success clears one item; the rest is copied.
    """

    tenant: str
    from_key: str
    found: Number
    """Under `from_key`, as it was read."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """Everything that must be stored, in one step, before a code is sent."""

    verification: Verification
    sent_at: Milliseconds
    """What `release` takes out of the logs again."""
    number: NumberChange | None = None
    increments: tuple[ShardIncrement, ...] = ()
    idempotency_record: IdempotencyRecord | None = None
    resend: bool = False
    """Whether the verification is there already and is sent for once more."""


@dataclass(frozen=True, slots=True)
class ProviderHandle:
    """Who holds a verification's code since the newest send."""

    provider: str
    ref: str
    channel: str
    delivery: str
    message_id: str | None = None
    """The handle that delivery reports name, where it is not `ref`."""
    is_same_code: bool = False
    """Whether the messages that were sent before it carry this code, too."""


@dataclass(frozen=True, slots=True)
class OwnCode:
    """A send whose provider requests its code, to be given the verification's own."""

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
    """What there is about a number, under one key of it."""

    number: Number = NOTHING_KNOWN
    verifications: tuple[Verification, ...] = ()
    users: tuple[User, ...] = ()


@dataclass(frozen=True, slots=True)
class Erased:
    """How many items of each kind were deleted."""

    counts: Mapping[str, int]
    retry_after: Seconds = NO_SECONDS
    """After what time to erase again; 0 where nothing can be left."""


@dataclass(frozen=True, slots=True)
class NumberGuess:
    """A guess at a number, to be counted in one of its lanes before the code is checked."""

    number_key: str
    tenant: str
    now: Milliseconds
    moment: int
    """As `number.moment`; no other guess's."""
    policy: LanePolicy
    lane: Lane = Lane.STRANGER
    """The verification's."""
    token_issued_at: Seconds | None = None
    """Of a genuine device token that came with the guess: it opens the token's lane, if the number's item
    says so.
    """


@dataclass(frozen=True, slots=True)
class CountedGuess:
    """A guess that was counted: where, and the number with it."""

    lane: Lane
    number: Number
    guess: NumberGuess


class WriteConflict(Exception):
    """Something moved since it was read: the number, a client's log, a shard, a record. Decide again."""


class StoreError(Exception):
    """A write or read failed, or its outcome is unknown. `reason` is safe to log."""

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
        """Count a failed send to this number, and forget those of the `stale` ones. True."""
        ...

    def open(self, provider: str, now: Milliseconds) -> bool:
        """Open a closed circuit; whether this call did."""
        ...

    def elect(self, provider: str, read: Circuit, now: Milliseconds) -> bool:
        """Make the caller the one that probes, if nothing changed since `read`; whether it is."""
        ...

    def hand_on(self, provider: str) -> bool:
        """End a probe that said nothing about the provider: the next request may probe at once."""
        ...

    def reopen(self, provider: str, now: Milliseconds) -> bool:
        """End a probe that failed: the circuit is open for its whole time again."""
        ...

    def close(self, provider: str) -> bool:
        """Close an open circuit; whether this call did."""
        ...


class SendingStops(Protocol):
    """The stops of a deployment. Each method is one atomic write, and answers all stops as they are then.

    Both raise `StoreError` where the write failed, its outcome is unknown, or another stop cannot be read.
    """

    def stop(self, stops: Collection[Stop], until: Seconds, now: Seconds) -> Stops:
        """Let each of these stops end at `until`, whether or not it stands already."""
        ...

    def resume(self, stops: Collection[Stop]) -> Stops:
        """End these stops, as far as they stand, and no other one."""
        ...


class Numbers(Protocol):
    """All that is kept about a number, by its key."""

    def record_of(self, number_key: str, now: Seconds) -> NumberRecord:
        """What there is. Strongly consistent, item by item. A user ends by `now`."""
        ...

    def unlock(self, number_key: str, now: Seconds) -> int:
        """Delete its failures, and take no device token that was issued before `now`.

        Answers at how many tenants it had any failures.
        """
        ...

    def erase(self, number_key: str, now: Seconds, deadline: Deadline) -> Erased:
        """Delete everything, until the deadline.

        Not complete where it comes to the deadline, and where a verification was under way: a guess that
        was being checked can leave a failure behind until its request has ended.
        """
        ...


class Store(Protocol):
    """The state of verifications and of numbers. Each method is one step that holds or does not."""

    def read(self, query: AdmissionQuery) -> AdmissionSnapshot:
        """Everything that has a say in a send."""
        ...

    def reserve(self, reservation: Reservation) -> None:
        """Store a send and its verification, if nothing moved since it was decided.

        Raises `WriteConflict` if anything did. Nothing is stored then.
        """
        ...

    def release(self, reservation: Reservation) -> None:
        """Undo a reservation whose code was certainly not sent."""
        ...

    def find(self, key: str) -> Verification | None:
        """The verification with this key, of any tenant. Strongly consistent."""
        ...

    def cancel(self, key: str, tenant: str) -> Verification:
        """Make a pending verification a cancelled one, and answer it; also one that was over already.

        Raises `VerificationNotFound` or `AlreadyVerified`.
        """
        ...

    def end_code(self, number_key: str, key: str) -> None:
        """Note at the number that its verification is over before it expires: its code is in nobody's hand.

        For good: only where no guess at it can be made any more. Does nothing where it is not listed.
        """
        ...

    def record_sent(
        self,
        key: str,
        holder: ProviderHandle,
        idempotency_record: IdempotencyRecord | None = None,
        number: NumberChange | None = None,
    ) -> None:
        """Name the provider that holds the code and its handle, and the answer to a repeated request.

        `number` as it was reserved: where its list has another provider for the code, it has the holder then.
        Raises `AlreadyVerified` or `VerificationCancelled` where that came first, as it may to a resend.
        """
        ...

    def record_failed(self, key: str, idempotency_record: IdempotencyRecord | None = None) -> None:
        """The provider refuses this number for good: the verification can never succeed."""
        ...

    def record_answer(self, idempotency_record: IdempotencyRecord) -> None:
        """Keep the answer for repetitions of a request whose send has an unknown outcome."""
        ...

    def note_own_code(self, request: OwnCode) -> Verification | None:
        """Note that this send's code is the verification's own, if it is its newest send and under way.

        Answers the verification then. None, and nothing is noted, where it is not pending, is another
        number's, or has this handle already: its provider has answered and requests no code any more.
        """
        ...

    def record_delivery(self, key: str, delivery: str) -> bool:
        """Note what became of an accepted message, as `DELIVERY_BEFORE` allows; whether that was new.

        Changes nothing else, and nothing at all of a verification that is unknown or never accepted.
        """
        ...

    def find_listed(self, number_keys: Collection[str], now: Seconds) -> frozenset[str]:
        """Keys of the verifications that these numbers list and that are still kept at `now`."""
        ...

    def find_each(self, keys: Collection[str]) -> dict[str, Verification]:
        """As `find`, for many: those that are there, by key."""
        ...

    def spend_guess(self, guess: Guess) -> Verification:
        """Count one guess, if one may be made, and answer the verification with it counted.

        Raises the `OtpError` that `verification.refusal` names otherwise; nothing is counted then.
        """
        ...

    def return_guess(self, key: str) -> None:
        """Give back a guess that its number's lock refused, unless the verification's guesses have ended."""
        ...

    def end_guesses(self, key: str, max_attempts: int) -> bool:
        """End the guesses at a verification that has none left, so that none is given back any more.

        False where one was given back meanwhile, or it is not pending: nothing has changed then.
        """
        ...

    def spend_number_guess(self, guess: NumberGuess) -> CountedGuess:
        """Count one failure of the number in the lane that the guess opens, to be cleared by `consume`.

        A token that the number's item knows nothing of, and an own lane that is used up, open nothing.
        Raises `NumberLocked` while the lane must wait, `NumberDisabled`; nothing is counted then.
        """
        ...

    def consume(
        self, verification: Verification, counted: CountedGuess, attempt: str, now: Seconds, code_hash: str
    ) -> None:
        """Turn a pending, unexpired verification into a verified one, once.

        In the same step the failures of the guess's lane and of strangers are cleared, the number is known as
        verified and its send no longer counts as unverified. Recognises its own earlier success by `attempt`.
        Raises the refusal otherwise.
        """
        ...

    def note_refused(self, number_key: str, now: Milliseconds, moment: int) -> None:
        """Count a refused request at its number, up to a bound."""
        ...

    def claim(self, idempotency_record: IdempotencyRecord) -> IdempotencyRecord | None:
        """Claim a key for a request that reserves nothing; the record that has it where that is another's."""
        ...

    def unclaim(self, idempotency_record: IdempotencyRecord) -> None:
        """Free a key whose request came to no answer that is to be given again."""
        ...


class Providers(Protocol):
    """The providers, in their order. See `failover.Router`."""

    def candidates(self, to: PhoneNumber, channel: Channel) -> tuple[str, ...]:
        """The providers that may send to this number by this channel, the preferred one first."""
        ...

    def ends_a_code(self, holding: Collection[str]) -> frozenset[str]:
        """Those of the providers that hold a code of a number which a new send to it would make wrong."""
        ...

    def send(
        self, order: Order, deadline: Deadline, on_failure: OnFailure, reserve_again: ReserveAgain
    ) -> tuple[str, Sent]:
        """Send a new code: the provider's name and its handle. Raises a `ProviderError`."""
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
        """The providers that are called for a resend of the holder's code, one after the other."""
        ...

    def check(self, name: str, ref: str, otp: str, *, channel: Channel, deadline: Deadline) -> Check:
        """Check a guess at the provider that holds the code. Raises a `ProviderError`."""
        ...


class CredentialSource(Protocol):
    """The providers' credentials. See `secrets.SecretCache`."""

    def credentials(self, provider: str) -> Mapping[str, str]: ...

    def forget_credentials(self) -> None: ...


class Breaker(Protocol):
    """Keeps requests away from a provider that fails. See `circuit_breaker.CircuitBreaker`."""

    def call(
        self,
        provider: str,
        read: Mapping[str, Circuit],
        number_key: str,
        act: Callable[[], Result],
        *,
        has_next: Callable[[], bool],
    ) -> Result:
        """The result of `act`. Raises `CircuitOpen` if the provider is to be left alone."""
        ...
