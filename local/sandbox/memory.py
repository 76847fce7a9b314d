"""Bounded memory: the sandbox keeps only the newest entries, however long it runs."""

from collections import OrderedDict
from typing import TypeVar

NEWEST_KEPT = 20_000

Key = TypeVar("Key")
Value = TypeVar("Value")


class Newest(OrderedDict[Key, Value]):
    """A mapping of at most `NEWEST_KEPT` entries; drops the least recently set one."""

    def __setitem__(self, key: Key, value: Value) -> None:
        super().__setitem__(key, value)
        self.move_to_end(key)
        if len(self) > NEWEST_KEPT:
            self.popitem(last=False)
