"""One DynamoDB table: batch reads, single writes, transactions.

No ClientError leaves this module, only its error code: an error's message can hold values.
"""

import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from sms_otp.domain.clock import Deadline
from sms_otp.domain.limits import SECOND
from sms_otp.domain.ports import StoreError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Item = dict[str, Any]
WriteRequest = dict[str, Any]
"""One write, for a transaction or by itself. The table's own name may be left out."""

MOST_KEYS = 100
"""The limit of one BatchGetItem."""

CONFLICT_PAUSES = (10, 20, 40, 80)
"""Milliseconds, at most doubled at random, between tries at an item that a transaction holds."""

CONFLICT_SECONDS = 0.5
"""No try starts later than this after the first: a request's time is short."""

LEFT_PAUSE = 50
"""Milliseconds, at most doubled at random, before a read requests its unprocessed keys again."""

_RESERVED = {"#state": "state", "#ttl": "ttl"}
"""Placeholders in expressions, for attributes whose names are reserved words in DynamoDB."""


class ConditionFailed(StoreError):
    """A condition failed and nothing was written. `item` is the existing item, or None."""

    def __init__(self, item: Item | None, at: int) -> None:
        super().__init__("condition failed")
        self.item = item
        self.at = at
        """Index of the first write in the transaction whose condition failed."""


class Conflict(StoreError):
    """Another transaction held an item through all tries. Nothing was written."""


def update(pk: str, expression: str, condition: str | None = None, **values: Any) -> WriteRequest:
    """Build an update of one item. `:name` in the expressions stands for the value `name`."""
    return {
        "Update": {"Key": key(pk), "UpdateExpression": expression, **_options(expression, condition, values)}
    }


def put(item: Item, condition: str | None = None, **values: Any) -> WriteRequest:
    """Build a put of one whole item."""
    return {"Put": {"Item": item, **_options("", condition, values)}}


def delete(pk: str, condition: str | None = None, **values: Any) -> WriteRequest:
    """Build a delete of one item. Without a condition, a missing item is no error."""
    return {"Delete": {"Key": key(pk), **_options("", condition, values)}}


def key(pk: str) -> Item:
    """The key of an item."""
    return {"pk": {"S": pk}}


def typed(value: Any) -> Item:
    """An attribute value for DynamoDB: from int, text, frozenset of either, tuple of texts, mapping."""
    if isinstance(value, int):
        return {"N": str(value)}
    if isinstance(value, frozenset):
        is_text = any(isinstance(member, str) for member in value)
        return {"SS" if is_text else "NS": [str(member) for member in value]}
    if isinstance(value, Mapping):
        return {"M": {name: typed(member) for name, member in value.items()}}
    if isinstance(value, tuple):
        return {"L": [{"S": text} for text in value]}
    return {"S": str(value)}


def _options(expression: str, condition: str | None, values: Mapping[str, Any]) -> Item:
    written: Item = {}
    if condition:
        written |= {"ConditionExpression": condition, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    if values:
        written["ExpressionAttributeValues"] = {f":{name}": typed(value) for name, value in values.items()}
    used = {alias: name for alias, name in _RESERVED.items() if alias in f"{expression} {condition}"}
    if used:
        written["ExpressionAttributeNames"] = used
    return written


class Table:
    """Safe to share between requests. Raises `StoreError` if AWS refuses or the outcome is unknown."""

    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self._client = client
        self._name = name

    def read(self, pks: Iterable[str]) -> dict[str, Item]:
        """The existing items by key, strongly consistent. At most `MOST_KEYS` keys.

        Requests unprocessed keys once more, as botocore does if DynamoDB processed none.
        """
        found, left = self._read_once([key(pk) for pk in pks])
        if left:
            time.sleep((LEFT_PAUSE + secrets.randbelow(LEFT_PAUSE)) / SECOND)
            retried, left = self._read_once(left)
            found |= retried
        if left:
            raise StoreError("BatchGetItem: throttled")
        return found

    def read_many(self, pks: Iterable[str]) -> dict[str, Item]:
        """As `read`, for any number of keys: one request for each `MOST_KEYS`."""
        left, found = iter(pks), dict[str, Item]()
        while batch := [*islice(left, MOST_KEYS)]:
            found |= self.read(batch)
        return found

    def _read_once(self, keys: list[Item]) -> tuple[dict[str, Item], list[Item]]:
        """The existing items, and the unprocessed keys: DynamoDB throttles busy items one by one."""
        request: Any = {self._name: {"Keys": keys, "ConsistentRead": True}}
        answer = self._ask("BatchGetItem", lambda: self._client.batch_get_item(RequestItems=request))
        found = {item["pk"]["S"]: item for item in answer["Responses"].get(self._name, [])}
        left = answer.get("UnprocessedKeys")
        return found, left[self._name]["Keys"] if left else []

    def update(self, write_request: WriteRequest) -> Item:
        """Update one item; return it whole, as updated. Raises `ConditionFailed`."""
        request: Any = {"TableName": self._name, "ReturnValues": "ALL_NEW", **write_request["Update"]}

        def write() -> Item:
            return dict(self._client.update_item(**request)["Attributes"])

        return self._write("UpdateItem", write)

    def remove(self, write_request: WriteRequest) -> Item | None:
        """Delete one item; return its old content, or None if it did not exist. Raises `ConditionFailed`."""
        request: Any = {"TableName": self._name, "ReturnValues": "ALL_OLD", **write_request["Delete"]}

        def write() -> Item:
            return dict(self._client.delete_item(**request).get("Attributes", {}))

        return self._write("DeleteItem", write) or None

    def partition(self, attribute: str, value: str) -> Iterator[Item]:
        """Every item with this partition key, strongly consistent, a page at a time."""
        request: Any = {
            "TableName": self._name,
            "KeyConditionExpression": "#partition = :value",
            "ExpressionAttributeNames": {"#partition": attribute},
            "ExpressionAttributeValues": {":value": typed(value)},
            "ConsistentRead": True,
        }
        while True:
            page = self._ask("Query", lambda: self._client.query(**request))
            yield from page["Items"]
            if "LastEvaluatedKey" not in page:
                return
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def transact(self, writes: Iterable[WriteRequest]) -> None:
        """Make all writes or none. A write may name another table. Raises `ConditionFailed`."""
        items: Any = [
            {kind: {"TableName": self._name, **content} for kind, content in write_request.items()}
            for write_request in writes
        ]

        def write() -> Item:
            self._client.transact_write_items(TransactItems=items)
            return {}

        self._write("TransactWriteItems", write)

    def _ask(self, operation: str, ask: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
        try:
            return ask()
        except ClientError as error:
            raise StoreError(f"{operation}: {error.response['Error']['Code']}") from None
        except BotoCoreError as error:
            raise StoreError(f"{operation}: {type(error).__name__}") from None

    def _write(self, operation: str, write: Callable[[], Item]) -> Item:
        """Try again while another transaction holds an item: a conflict wrote nothing. Raises `Conflict`."""
        patience = Deadline(CONFLICT_SECONDS)
        for pause in CONFLICT_PAUSES:
            try:
                return write()
            except ClientError as error:
                translated = _translated(operation, error)
            except BotoCoreError as error:
                raise StoreError(f"{operation}: {type(error).__name__}") from None
            if not isinstance(translated, Conflict):
                raise translated
            time.sleep((pause + secrets.randbelow(pause)) / SECOND)
            if not patience.remaining():
                break
        raise Conflict(f"{operation}: conflict")


def _translated(operation: str, error: ClientError) -> Exception:
    response: Mapping[str, Any] = error.response
    code = response["Error"]["Code"]
    if code == "ConditionalCheckFailedException":
        return ConditionFailed(response.get("Item"), at=0)
    if code == "TransactionConflictException":
        return Conflict(f"{operation}: conflict")
    if code == "TransactionCanceledException":
        return _cancelled(operation, response.get("CancellationReasons", []))
    return StoreError(f"{operation}: {code}")


def _cancelled(operation: str, reasons: list[Mapping[str, Any]]) -> Exception:
    codes = [reason.get("Code") for reason in reasons]
    if "ConditionalCheckFailed" in codes:
        at = codes.index("ConditionalCheckFailed")
        return ConditionFailed(reasons[at].get("Item"), at)
    if "TransactionConflict" in codes:
        return Conflict(f"{operation}: conflict")
    return StoreError(f"{operation}: cancelled")
