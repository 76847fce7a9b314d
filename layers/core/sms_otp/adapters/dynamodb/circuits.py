"""Circuit breakers in DynamoDB: an item `K#<provider>` for each circuit that is open or has failures.

    openedAt, probeUntil    milliseconds; while it is open
    f_<number>              milliseconds; when the newest send to a number failed, by 8 digits of its key

Each failure is its own attribute, so that two environments can count at the same time.
"""

from typing import TYPE_CHECKING

from sms_otp.adapters.dynamodb.client import ConditionFailed, Item, Table, WriteRequest, delete, update
from sms_otp.domain.circuit import KEEP, PROBE_LEASE, Circuit
from sms_otp.domain.clock import Milliseconds, Seconds, to_seconds

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

IS_CLOSED = "attribute_not_exists(openedAt)"
IS_OPEN = "attribute_exists(openedAt)"
IS_AS_READ = "openedAt = :opened AND (attribute_not_exists(probeUntil) OR probeUntil <= :now)"
_FAILURE = "f_"


def circuit_pk(provider: str) -> str:
    return f"K#{provider}"


def circuit_of(item: Item) -> Circuit:
    """The circuit stored in an item."""
    return Circuit(
        failures={
            name.removeprefix(_FAILURE): Milliseconds(value["N"])
            for name, value in item.items()
            if name.startswith(_FAILURE)
        },
        opened_at=_moment(item, "openedAt"),
        probe_until=_moment(item, "probeUntil"),
    )


class DynamoCircuits:
    """Implements `ports.Circuits`. Safe to share between requests."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._table = Table(client, table)

    def read(self, providers: tuple[str, ...]) -> dict[str, Circuit]:
        """The circuits that have an item. Raises `StoreError`."""
        found = self._table.read(map(circuit_pk, providers))
        return {name: circuit_of(found[circuit_pk(name)]) for name in providers if circuit_pk(name) in found}

    def add_failure(self, provider: str, number: str, now: Milliseconds, stale: tuple[str, ...]) -> bool:
        """See `ports.Circuits`."""
        forget = ", ".join(f"{_FAILURE}{each}" for each in stale if each != number)
        return self._changes(
            update(
                circuit_pk(provider),
                f"SET {_FAILURE}{number} = :now, #ttl = :ttl" + (f" REMOVE {forget}" if forget else ""),
                now=now,
                ttl=_ttl(now),
            )
        )

    def open(self, provider: str, now: Milliseconds) -> bool:
        """See `ports.Circuits`."""
        return self._changes(
            update(
                circuit_pk(provider), "SET openedAt = :now, #ttl = :ttl", IS_CLOSED, now=now, ttl=_ttl(now)
            )
        )

    def elect(self, provider: str, read: Circuit, now: Milliseconds) -> bool:
        """See `ports.Circuits`."""
        return self._changes(
            update(
                circuit_pk(provider),
                "SET probeUntil = :until, #ttl = :ttl",
                IS_AS_READ,
                until=now + PROBE_LEASE,
                ttl=_ttl(now),
                opened=read.opened_at,
                now=now,
            )
        )

    def hand_on(self, provider: str) -> bool:
        """See `ports.Circuits`."""
        return self._changes(update(circuit_pk(provider), "REMOVE probeUntil", IS_OPEN))

    def reopen(self, provider: str, now: Milliseconds) -> bool:
        """See `ports.Circuits`."""
        return self._changes(
            update(
                circuit_pk(provider),
                "SET openedAt = :now, #ttl = :ttl REMOVE probeUntil",
                IS_OPEN,
                now=now,
                ttl=_ttl(now),
            )
        )

    def close(self, provider: str) -> bool:
        """See `ports.Circuits`."""
        try:
            return self._table.remove(delete(circuit_pk(provider), IS_OPEN)) is not None
        except ConditionFailed:
            return False

    def _changes(self, change: WriteRequest) -> bool:
        try:
            self._table.update(change)
        except ConditionFailed:
            return False
        return True


def _moment(item: Item, attribute: str) -> Milliseconds | None:
    return Milliseconds(item[attribute]["N"]) if attribute in item else None


def _ttl(now: Milliseconds) -> Seconds:
    return to_seconds(now + KEEP)
