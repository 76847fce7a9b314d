"""Ports: the interfaces that adapters implement, and the records that cross them."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

from sms_otp.domain.budgets import Counter, ShardIncrement
from sms_otp.domain.circuit import Circuit
from sms_otp.domain.clock import Deadline, Seconds
from sms_otp.domain.idempotency import IdempotencyRecord
from sms_otp.domain.limits import Failures, GuessPolicy
from sms_otp.domain.phone import PhoneNumber
from sms_otp.domain.provider import Channel, Check, OnFailure, Order, ReserveAgain, Sent
from sms_otp.domain.users import User
from sms_otp.domain.verification import Guess, Verification

Result = TypeVar("Result")

EventSink = Callable[..., Any]
"""`emit(event, **fields)`: one structured log line for one decision. See `telemetry.events`."""


@dataclass(frozen=True, slots=True)
class SendLog:
    """A number's or a client's sends, and the version that the next reservation is conditioned on."""

    sends: tuple[int, ...] = ()
    version: int = 0
    verifications: Mapping[str, int] = field(default_factory=dict)
    """Of a number: the keys of those that there may be under its key, and until when, in seconds."""
    endless: bool = False
    """Of a number: whether a lock without end is among what it lists."""

    def joined(self, other: "SendLog") -> "SendLog":
        """The sends of both. They are moments, so that one which stands in both counts once."""
        return replace(self, sends=tuple(sorted({*self.sends, *other.sends})))


NO_SENDS = SendLog()
NO_FAILURES = Failures()


@dataclass(frozen=True, slots=True)
class AdmissionQuery:
    """The keys to read before deciding whether to send."""

    number_key: str
    tenant: str
    client_key: str | None = None
    record_key: str | None = None
    counters: tuple[str, ...] = ()
    circuits: tuple[str, ...] = ()
    """The providers that may send. They decide nothing here, but are read at no further cost."""
    previous: "AdmissionQuery | None" = None
    """The same under the other pepper, while one is being rotated."""


@dataclass(frozen=True, slots=True)
class AdmissionSnapshot:
    """The items that were read, strongly consistent. A missing item is empty."""

    number: SendLog = NO_SENDS
    failures: Failures = NO_FAILURES
    client: SendLog = NO_SENDS
    idempotency_record: IdempotencyRecord | None = None
    counters: Mapping[str, Counter] = field(default_factory=dict)
    circuits: Mapping[str, Circuit] = field(default_factory=dict)
    """By provider; a circuit that is closed, with nothing counted against it, is not there."""
    previous: "AdmissionSnapshot | None" = None
    """The same under the other pepper, where the query had it."""


@dataclass(frozen=True, slots=True)
class LogAppend:
    """One more send in a log: `log` as it was read, less what no window remembers."""

    key: str
    log: SendLog
    keep_until: int
    """Seconds; when the log may be forgotten."""


@dataclass(frozen=True, slots=True)
class FailureMigration:
    """A number's failures under the other pepper's key, that are to stand under the current one's."""

    tenant: str
    from_key: str
    to_key: str
    found: Failures
    """Under `from_key`, as they were read."""
    before: Failures
    """The same under `to_key`."""

    @property
    def after(self) -> Failures:
        """What is to stand under `to_key`."""
        return self.before.joined(self.found)


@dataclass(frozen=True, slots=True)
class Reservation:
    """Everything that must be stored, in one step, before a code is sent."""

    verification: Verification
    sent_at: int
    """Milliseconds; what `release` takes out of the logs again."""
    number: LogAppend | None = None
    client: LogAppend | None = None
    increments: tuple[ShardIncrement, ...] = ()
    idempotency_record: IdempotencyRecord | None = None
    resend: bool = False
    """Whether the verification is there already and is sent for once more."""
    failure_migration: FailureMigration | None = None
    find_by_number: bool = False
    """Whether this becomes the number's newest verification at its tenant once it is sent."""


@dataclass(frozen=True, slots=True)
class ProviderHandle:
    """Who holds a verification's code since the newest send."""

    provider: str
    ref: str
    channel: str
    delivery: str
    message_id: str | None = None
    """The handle that delivery reports name, where it is not `ref`."""


@dataclass(frozen=True, slots=True)
class NumberRecord:
    """What there is about a number, under one key of it."""

    sends: tuple[int, ...] = ()
    failures: Mapping[str, Failures] = field(default_factory=dict)
    """By tenant."""
    verifications: tuple[Verification, ...] = ()
    users: tuple[User, ...] = ()


@dataclass(frozen=True, slots=True)
class Erased:
    """How many items of each kind were deleted."""

    counts: Mapping[str, int]
    retry_after: int = 0
    """Seconds after which to erase again; 0 where nothing can be left."""


class NumberConflict(Exception):
    """Optimistic lock failed on the number: another request reserved first. Do not retry."""


class WriteConflict(Exception):
    """Optimistic lock failed on a shared item, such as a shard or a client log. Re-read and retry."""


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

    All raise `StoreError` where the write failed or its outcome is unknown. `now` in milliseconds.
    """

    def add_failure(self, provider: str, number: str, now: int, stale: tuple[str, ...]) -> bool:
        """Count a failed send to this number, and forget those of the `stale` ones. True."""
        ...

    def open(self, provider: str, now: int) -> bool:
        """Open a closed circuit; whether this call did."""
        ...

    def elect(self, provider: str, read: Circuit, now: int) -> bool:
        """Make the caller the one that probes, if nothing changed since `read`; whether it is."""
        ...

    def hand_on(self, provider: str) -> bool:
        """End a probe that said nothing about the provider: the next request may probe at once."""
        ...

    def reopen(self, provider: str, now: int) -> bool:
        """End a probe that failed: the circuit is open for its whole time again."""
        ...

    def close(self, provider: str) -> bool:
        """Close an open circuit; whether this call did."""
        ...


class Numbers(Protocol):
    """All that is kept about a number, by its key."""

    def record_of(self, number_key: str, now: Seconds) -> NumberRecord:
        """What there is. Strongly consistent, item by item. A user ends by `now`."""
        ...

    def unlock(self, number_key: str, now: Seconds) -> int:
        """Delete its failures, and how many tenants it had any at."""
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

        Raises `NumberConflict` if the number's log changed, `WriteConflict` if anything else did. Nothing is
        stored then.
        """
        ...

    def release(self, reservation: Reservation) -> None:
        """Undo a reservation whose code was certainly not sent."""
        ...

    def find(self, key: str) -> Verification | None:
        """The verification with this key, of any tenant. Strongly consistent."""
        ...

    def cancel(self, key: str, tenant: str) -> None:
        """Make a pending verification a cancelled one. Raises `VerificationNotFound` or `AlreadyVerified`."""
        ...

    def record_sent(
        self,
        key: str,
        holder: ProviderHandle,
        idempotency_record: IdempotencyRecord | None = None,
        newest: Verification | None = None,
    ) -> None:
        """Name the provider that holds the code and its handle, and the answer to a repeated request.

        `newest` is the verification again, where its number's `newest` is to find it from now on.
        Raises `AlreadyVerified` or `VerificationCancelled` where that came first, as it may to a resend.
        """
        ...

    def record_failed(self, key: str, idempotency_record: IdempotencyRecord | None = None) -> None:
        """The provider refuses this number for good: the verification can never succeed."""
        ...

    def record_answer(self, idempotency_record: IdempotencyRecord) -> None:
        """Keep the answer for repetitions of a request whose send has an unknown outcome."""
        ...

    def record_delivery(self, key: str, delivery: str) -> bool:
        """Note what became of an accepted message, as `DELIVERY_BEFORE` allows; whether that was new.

        Changes nothing else, and nothing at all of a verification that is unknown or never accepted.
        """
        ...

    def find_messages(self, provider: str, message_ids: Collection[str]) -> dict[str, tuple[str, str]]:
        """By message, the key of the verification that it belongs to, and the `ref` of its code."""
        ...

    def find_each(self, keys: Collection[str]) -> dict[str, Verification]:
        """As `find`, for many: those that are there, by key."""
        ...

    def newest(self, number_keys: tuple[str, ...], tenant: str) -> str | None:
        """The key of the number's newest verification at this tenant, under the first key that has one."""
        ...

    def spend_guess(self, guess: Guess) -> Verification:
        """Count one guess, if one may be made, and answer the verification with it counted.

        Raises the `OtpError` that `verification.refusal` names otherwise; nothing is counted then.
        """
        ...

    def spend_number_guess(self, number_key: str, tenant: str, now: int, policy: GuessPolicy) -> int:
        """Count one failure of the number at this tenant, to be cleared by `consume`, and answer its failures
        in a row with this one. `now` in milliseconds.

        Raises `NumberLocked` while the number must wait or is disabled; nothing is counted then.
        """
        ...

    def consume(self, verification: Verification, request_id: str, now: Seconds) -> None:
        """Turn a pending, unexpired verification into a verified one, once.

        In the same step the number's failures are cleared and its send no longer counts as unverified.
        Recognises its own earlier success by `request_id`. Raises the refusal otherwise.
        """
        ...


class Providers(Protocol):
    """The providers, in their order. See `failover.Router`."""

    def candidates(self, to: PhoneNumber) -> tuple[str, ...]:
        """The providers that may send to this number, the preferred one first."""
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
        """Send again, through the holder of the code where it can. Otherwise as `send`."""
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
