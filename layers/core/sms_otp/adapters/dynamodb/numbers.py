"""Reads, unlocks and erases everything that the tables hold about one number.

A number's own item (`N#`) holds its sends and failures and lists its verifications; each verification lists
its idempotency records. The list is written in the transactions that create verifications, so it is never
behind. It is deleted last, if its version is the one that was read, so nothing created meanwhile is left
over. See docs/decisions/0027.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sms_otp.adapters.dynamodb.client import MOST_KEYS, ConditionFailed, Item, Table, delete, put, typed
from sms_otp.adapters.dynamodb.items import (
    idempotency_pk,
    number_of,
    number_pk,
    verification_of,
    verification_pk,
)
from sms_otp.adapters.dynamodb.number_writes import unlock_number
from sms_otp.adapters.dynamodb.writes import HAS_NO_VERSION, IS_VERSION
from sms_otp.domain.clock import NO_SECONDS, SECOND, Deadline, Seconds
from sms_otp.domain.idempotency import RUNNING_SECONDS
from sms_otp.domain.limits import KEEP_LOG
from sms_otp.domain.number import LATE_DELETION, Number
from sms_otp.domain.ports import Erased, NumberRecord, StoreError
from sms_otp.domain.verification import Verification

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from sms_otp.adapters.dynamodb.users import UsersTable

IS_ITS = "verification = :key"

UNLOCK_TRIES = 5
"""Tries to unlock a number, each of which fails if a code is sent to it meanwhile."""


@dataclass(frozen=True, slots=True)
class _Listed:
    """A number's own item, as it was read."""

    number: Number
    quiet_at: Seconds
    """When no running request can know an erased verification any more."""


class DynamoNumbers:
    """Implements `ports.Numbers`. Safe to share between requests."""

    def __init__(self, client: "DynamoDBClient", table: str, users: "UsersTable | None") -> None:
        self._table = Table(client, table)
        self._users = users

    def record_of(self, number_key: str, now: Seconds) -> NumberRecord:
        """See `ports.Numbers`."""
        listed = self._listed(number_key)
        stored = self._users.of(number_key) if self._users else []
        users = tuple(user for user in stored if user.is_kept(now))
        if listed is None:
            return NumberRecord(users=users)
        found = self._verifications(tuple(listed.number.verifications))
        return NumberRecord(listed.number, tuple(found), users)

    def unlock(self, number_key: str, now: Seconds) -> int:
        """See `ports.Numbers`."""
        for _ in range(UNLOCK_TRIES):
            listed = self._listed(number_key)
            if listed is None:
                return 0
            try:
                self._table.update(unlock_number(number_key, listed.number, now))
            except ConditionFailed:
                continue
            return len({tenant for tenant, _ in listed.number.failures})
        raise StoreError("UpdateItem: contended")

    def erase(self, number_key: str, now: Seconds, deadline: Deadline) -> Erased:
        """See `ports.Numbers`."""
        counts: Counter[str] = Counter()
        while deadline.remaining():
            listed = self._listed(number_key)
            counts["users"] += self._users.erase(number_key) if self._users else 0
            if listed is None:
                return Erased(+counts)
            runs_until = self._erase_verifications(listed, now, deadline, counts)
            quiet_at = max(runs_until, listed.quiet_at)
            if not deadline.remaining():
                break
            if quiet_at > now:
                if self._empty(number_key, listed, quiet_at):
                    return Erased(+counts, retry_after=quiet_at - now)
            elif self._drop(number_key, listed):
                counts["numbers"] += 1
                return Erased(+counts)
        return Erased(+counts, retry_after=SECOND)

    def _erase_verifications(
        self, listed: _Listed, now: Seconds, deadline: Deadline, counts: Counter[str]
    ) -> Seconds:
        """Delete the verifications; return until when a running request may know one of them, or 0."""
        runs_until = NO_SECONDS
        for item in self._items([verification_pk(key) for key in listed.number.verifications]):
            if Seconds(item["expiresAt"]["N"]) + RUNNING_SECONDS > now:
                runs_until = now + RUNNING_SECONDS
            if deadline.remaining():
                self._erase_verification(item, counts)
        return runs_until

    def _erase_verification(self, item: Item, counts: Counter[str]) -> None:
        """Delete a verification's idempotency records, then the verification."""
        key = item["pk"]["S"].removeprefix("V#")
        for claim in item.get("claims", {"SS": []})["SS"]:
            counts["idempotencyKeys"] += self._remove_if(idempotency_pk(claim), key)
        counts["verifications"] += self._table.remove(delete(item["pk"]["S"])) is not None

    def _remove_if(self, pk: str, verification: str) -> bool:
        """Delete an idempotency record, if it is still this verification's; return whether."""
        try:
            return self._table.remove(delete(pk, IS_ITS, key=verification)) is not None
        except ConditionFailed:
            return False

    def _empty(self, number_key: str, listed: _Listed, quiet_at: Seconds) -> bool:
        """Replace the item by `quietAt` alone, if nothing was added to its list; return whether.

        The item is kept as long as a late failure may be, so that the next call finds and deletes it.
        """
        left = {
            "pk": typed(number_pk(number_key)),
            "version": typed(listed.number.version + 1),
            "quietAt": typed(quiet_at),
            "ttl": typed(quiet_at + KEEP_LOG + LATE_DELETION),
        }
        condition, values = _as_read(listed)
        try:
            self._table.transact([put(left, condition, **values)])
        except ConditionFailed:
            return False
        return True

    def _drop(self, number_key: str, listed: _Listed) -> bool:
        """Delete the item, if nothing was added to its list; return whether."""
        condition, values = _as_read(listed)
        try:
            self._table.remove(delete(number_pk(number_key), condition, **values))
        except ConditionFailed:
            return False
        return True

    def _listed(self, number_key: str) -> _Listed | None:
        pk = number_pk(number_key)
        item = self._table.read([pk]).get(pk)
        if item is None:
            return None
        return _Listed(number_of(item), Seconds(item.get("quietAt", {"N": "0"})["N"]))

    def _verifications(self, keys: Sequence[str]) -> Iterator[Verification]:
        for item in self._items([verification_pk(key) for key in keys]):
            yield verification_of(item)

    def _items(self, pks: Sequence[str]) -> Iterator[Item]:
        """Yield the existing items, read a page at a time."""
        for start in range(0, len(pks), MOST_KEYS):
            yield from self._table.read(pks[start : start + MOST_KEYS]).values()


def _as_read(listed: _Listed) -> tuple[str, dict[str, int]]:
    """The condition that no reservation came since: a failure counted meanwhile goes with the rest."""
    version = listed.number.version
    return (IS_VERSION, {"version": version}) if version else (HAS_NO_VERSION, {})
