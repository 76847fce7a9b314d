"""DynamoDB request units, counted from recorded calls.

By DynamoDB's rules for on-demand tables: a strongly consistent read is 1 unit for each 4 KB of an item,
found or not; a write is 1 unit for each 1 KB of an item, and 2 within a transaction. A test compares the
writes with an emulator's `ReturnConsumedCapacity`, which has no value for items that are not found.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil
from typing import Any

OPERATIONS = ("BatchGetItem", "GetItem", "UpdateItem", "TransactWriteItems")
WRITE_BYTES = 1024
OF_A_TRANSACTION = 2


@dataclass(frozen=True)
class Units:
    """Read and write request units."""

    read: int = 0
    write: int = 0

    def __add__(self, other: "Units") -> "Units":
        return Units(self.read + other.read, self.write + other.write)


def total(calls: Iterable[dict[str, Any]]) -> Units:
    """The units of a list of `{operation, body}`."""
    spent = Units()
    for call in calls:
        spent += of_call(call["operation"], call["body"])
    return spent


def of_call(operation: str, body: dict[str, Any]) -> Units:
    """The units of one call; 0 for a call to another service."""
    if operation == "BatchGetItem":
        return Units(read=sum(len(table["Keys"]) for table in body["RequestItems"].values()))
    if operation == "GetItem":
        return Units(read=1)
    if operation == "UpdateItem":
        return Units(write=_writes(body))
    if operation == "TransactWriteItems":
        steps = [content for step in body["TransactItems"] for content in step.values()]
        return Units(write=sum(OF_A_TRANSACTION * _writes(step) for step in steps))
    return Units()


def _writes(step: dict[str, Any]) -> int:
    """Write units of a step. An update lacks its item; the largest, a verification, is under 1 KB."""
    return ceil(size(step.get("Item", {})) / WRITE_BYTES) or 1


def size(item: dict[str, Any]) -> int:
    """Bytes of an item: attribute names and values, by DynamoDB's developer guide."""
    return sum(len(name.encode()) + _size_of(value) for name, value in item.items())


def _size_of(value: dict[str, Any]) -> int:
    ((kind, content),) = value.items()
    if kind == "N":
        return len(content) // 2 + 2
    if kind in ("L", "NS", "SS"):
        each = [{"N" if kind == "NS" else "S": part} if isinstance(part, str) else part for part in content]
        return 3 + sum(1 + _size_of(part) for part in each)
    return len(str(content).encode())
