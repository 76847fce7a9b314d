"""The surroundings of the service in the state machine: a provider and stores that fail on demand."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from mypy_boto3_dynamodb import DynamoDBClient

from fakes.memory import MemoryStore
from sms_otp.adapters.dynamodb.items import number_of, verification_of
from sms_otp.adapters.dynamodb.store import DynamoStore
from sms_otp.domain.clock import Clock, Deadline
from sms_otp.domain.limits import Failures
from sms_otp.domain.phone import PhoneNumber
from sms_otp.domain.ports import Store, StoreError
from sms_otp.domain.provider import (
    Ambiguous,
    Channel,
    Check,
    Misconfigured,
    NotSent,
    OnFailure,
    Order,
    ProviderError,
    Refused,
    ReserveAgain,
    Sent,
    Throttled,
)
from sms_otp.domain.verification import Verification

ACTED = "lost after it acted"
FAULTS: dict[str, type[ProviderError]] = {
    "refused": Refused,
    "throttled": Throttled,
    "unavailable": NotSent,
    "misconfigured": Misconfigured,
    "lost": Ambiguous,
    ACTED: Ambiguous,
}
CERTAINLY_NOT_SENT = ("throttled", "unavailable", "misconfigured")


@dataclass
class Carrier:
    """A provider that makes, delivers and checks codes, no two of them alike. Behaves as `Router` does."""

    clock: Clock
    about_to_send: Callable[[str, str], None]
    """Called with number and reference before a message leaves."""
    about_to_check: Callable[[str], None]
    renews: bool
    """Whether a resend makes a new code with a new handle, as Sinch does; Infobip sends the same again."""
    lenient: bool
    """Whether it accepts a right code every time, as Infobip does by default."""
    fault: str | None = None
    """The fault of the next call."""
    meanwhile: Callable[[], None] | None = None
    """Called while the next guess is checked."""
    codes: list[str] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)
    """The handles whose right code was accepted."""
    texts: list[tuple[int, str]] = field(default_factory=list)
    """(moment, number) of each message that may have reached a phone."""
    checks: list[tuple[int, str, Check | None]] = field(default_factory=list)
    """(moment, handle, verdict) of each guess that arrived; no verdict if none was answered."""

    def code_of(self, ref: str) -> str:
        return self.codes[int(ref.removeprefix("ref-"))]

    def candidates(self, to: PhoneNumber, channel: Channel) -> tuple[str, ...]:
        """Always this provider."""
        del to, channel
        return ("carrier",)

    def ends_a_code(self, holding: Collection[str]) -> frozenset[str]:
        """As `Router.ends_a_code`: a new code leaves the earlier ones right."""
        del holding
        return frozenset()

    def send(
        self, order: Order, deadline: Deadline, on_failure: OnFailure, reserve_again: ReserveAgain
    ) -> tuple[str, Sent]:
        """As `Router.send`."""
        del deadline, on_failure, reserve_again
        self._deliver(order)
        self.codes.append(f"{(len(self.codes) * 7919 + 123) % 10**6:06d}")
        return "carrier", Sent(f"ref-{len(self.codes) - 1}")

    def resend(
        self,
        holder: str,
        ref: str,
        order: Order,
        deadline: Deadline,
        on_failure: OnFailure,
        reserve_again: ReserveAgain,
    ) -> tuple[str, Sent]:
        """As `Router.resend`."""
        if self.renews:
            return self.send(order, deadline, on_failure, reserve_again)
        self._deliver(order)
        return holder, Sent(ref)

    def turns(self, holder: str, order: Order) -> tuple[str, ...]:
        """As `Router.turns`: only the holder."""
        del order
        return (holder,)

    def check(self, name: str, ref: str, otp: str, *, channel: Channel, deadline: Deadline) -> Check:
        """As `Router.check`."""
        del name, channel, deadline
        self.about_to_check(ref)
        meanwhile, self.meanwhile = self.meanwhile, None
        fault, said = self._take_fault(), self.verdict(ref, otp)
        if said is Check.CORRECT and fault in (None, ACTED):
            self.taken.add(ref)
        self.checks.append((int(self.clock()), ref, None if fault else said))
        if meanwhile:
            meanwhile()
        if fault:
            raise FAULTS[fault]("carrier", fault)
        return said

    def verdict(self, ref: str, otp: str) -> Check:
        """The verdict that it would give now."""
        if ref in self.taken and not self.lenient:
            return Check.UNKNOWN
        return Check.CORRECT if otp == self.code_of(ref) else Check.WRONG

    def _deliver(self, order: Order) -> None:
        self.about_to_send(order.to.e164, order.reference)
        fault = self._take_fault()
        if fault in (None, ACTED):
            self.texts.append((int(self.clock()), order.to.e164))
        if fault:
            raise FAULTS[fault]("carrier", fault)

    def _take_fault(self) -> str | None:
        fault, self.fault = self.fault, None
        return fault


class FailingStore:
    """A store of which one call fails, before it acts or after: as if the function had ended there."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._calls_left = -1
        self._acts = False
        self.failed = False

    def fail(self, calls: int, *, acts: bool) -> None:
        """Let this many more calls succeed, then fail one."""
        self._calls_left, self._acts, self.failed = calls, acts, False

    def heal(self) -> None:
        """Fail no call."""
        self._calls_left = -1

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method: Callable[..., Any] = getattr(self._store, name)

        def call(*arguments: Any) -> Any:
            self._calls_left -= 1
            if self._calls_left != -1:
                return method(*arguments)
            self.failed = True
            if self._acts:
                method(*arguments)
            raise StoreError("injected")

        return call


@dataclass(frozen=True)
class Seen:
    """All verifications and, by number's key, tenant and lane, all failures that a store holds."""

    verifications: Iterable[Verification]
    failures: Mapping[tuple[str, str, str], Failures]


class Shelf(Protocol):
    """A store, and a way to read all its items."""

    @property
    def store(self) -> Store: ...

    def look(self) -> Seen: ...


class MemoryShelf:
    """See `Shelf`."""

    def __init__(self) -> None:
        self._memory = MemoryStore()

    @property
    def store(self) -> Store:
        return self._memory

    def look(self) -> Seen:
        held = {(key, tenant, str(lane)): each for (key, tenant, lane), each in self._memory.failures.items()}
        return Seen(self._memory.verifications.values(), held)


class DynamoShelf:
    """See `Shelf`."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client, self._table = client, table
        self._store = DynamoStore(client, table)

    @property
    def store(self) -> Store:
        return self._store

    def look(self) -> Seen:
        page = self._client.scan(TableName=self._table)
        assert "LastEvaluatedKey" not in page
        verifications: list[Verification] = []
        failures: dict[tuple[str, str, str], Failures] = {}
        for item in cast("list[dict[str, Any]]", page["Items"]):
            kind, _, key = item["pk"]["S"].partition("#")
            if kind == "V":
                verifications.append(verification_of(item))
            elif kind == "N":
                failures |= {(key, *about): held for about, held in number_of(item).failures.items()}
        return Seen(verifications, failures)
