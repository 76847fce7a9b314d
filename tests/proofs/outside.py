"""What surrounds the service in the state machine: a provider and stores that fail when told to."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, cast

from mypy_boto3_dynamodb import DynamoDBClient

from sms_otp.clock import Clock, Deadline
from sms_otp.items import failures_of, verification_of, verification_pk
from sms_otp.limits import Failures
from sms_otp.phone import PhoneNumber
from sms_otp.ports import Store, StoreError
from sms_otp.providers.base import (
    Ambiguous,
    Channel,
    Check,
    Misconfigured,
    ProviderError,
    Refused,
    Sent,
    Throttled,
    Unavailable,
)
from sms_otp.store import DynamoStore
from sms_otp.verification import State, Verification
from tests.fakes import MemoryStore

FAULTS: dict[str, type[ProviderError]] = {
    "refused": Refused,
    "throttled": Throttled,
    "unavailable": Unavailable,
    "misconfigured": Misconfigured,
    "lost": Ambiguous,
    "lost after it acted": Ambiguous,
}
CERTAINLY_NOT_SENT = ("throttled", "unavailable", "misconfigured")


@dataclass
class Carrier:
    """A provider that gives each send a code of its own, and takes each code once."""

    clock: Clock
    about_to_send: Callable[[str, str], None]
    """Told number and reference before anything leaves."""
    about_to_check: Callable[[str], None]
    fault: str | None = None
    """Spoils the next call."""
    codes: dict[str, str] = field(default_factory=dict)
    """By handle; without those that were taken."""
    texts: list[tuple[int, str]] = field(default_factory=list)
    """(moment, number) of each message that may have reached a phone."""
    checks: list[tuple[int, str, Check | None]] = field(default_factory=list)
    """(moment, handle, verdict) of each guess that arrived."""
    made: int = 0

    def next_code(self) -> str:
        """The code of the next send. No two are alike."""
        return f"{(self.made * 7919 + 123) % 10**6:06d}"

    def send(
        self, to: PhoneNumber, *, channel: Channel, locale: str | None, reference: str, deadline: Deadline
    ) -> tuple[str, Sent]:
        """As `Router.send`."""
        del channel, locale, deadline
        self.about_to_send(to.e164, reference)
        fault, code = self._take_fault(), self.next_code()
        if fault is None or fault == "lost after it acted":
            self.texts.append((int(self.clock()), to.e164))
        if fault:
            raise FAULTS[fault]("carrier", fault)
        self.made += 1
        ref = f"ref-{self.made}"
        self.codes[ref] = code
        return "carrier", Sent(ref)

    def check(self, name: str, ref: str, otp: str, *, channel: Channel, deadline: Deadline) -> Check:
        """As `Router.check`."""
        del name, channel, deadline
        self.about_to_check(ref)
        fault = self._take_fault()
        verdict = self._verdict(ref, otp) if fault in (None, "lost after it acted") else None
        self.checks.append((int(self.clock()), ref, verdict if fault is None else None))
        if fault or verdict is None:
            raise FAULTS[str(fault)]("carrier", str(fault))
        return verdict

    def _verdict(self, ref: str, otp: str) -> Check:
        if ref not in self.codes:
            return Check.UNKNOWN
        if otp != self.codes[ref]:
            return Check.WRONG
        del self.codes[ref]
        return Check.CORRECT

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
    """All verifications and, by number's key and tenant, all failures that a store holds."""

    verifications: Iterable[Verification]
    failures: Mapping[tuple[str, str], Failures]


class Shelf(Protocol):
    """A store, and a way into it past its own methods."""

    @property
    def store(self) -> Store: ...

    def look(self) -> Seen: ...

    def cancel(self, key: str) -> None: ...


class MemoryShelf:
    """See `Shelf`."""

    def __init__(self) -> None:
        self._memory = MemoryStore()

    @property
    def store(self) -> Store:
        return self._memory

    def look(self) -> Seen:
        return Seen(self._memory.verifications.values(), self._memory.failures)

    def cancel(self, key: str) -> None:
        held = self._memory.verifications
        held[key] = replace(held[key], state=State.CANCELLED)


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
        failures: dict[tuple[str, str], Failures] = {}
        for item in cast("list[dict[str, Any]]", page["Items"]):
            kind, _, key = item["pk"]["S"].partition("#")
            if kind == "V":
                verifications.append(verification_of(item))
            elif kind == "F":
                number_key, _, tenant = key.partition("#")
                failures[number_key, tenant] = failures_of(item)
        return Seen(verifications, failures)

    def cancel(self, key: str) -> None:
        self._client.update_item(
            TableName=self._table,
            Key={"pk": {"S": verification_pk(key)}},
            UpdateExpression="SET #state = :cancelled",
            ExpressionAttributeNames={"#state": "state"},
            ExpressionAttributeValues={":cancelled": {"S": State.CANCELLED}},
        )
