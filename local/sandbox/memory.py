"""Bounded memory: however long the sandbox runs, it keeps the newest of everything."""

from collections import OrderedDict
from typing import TypeVar

NEWEST_KEPT = 20_000

Key = TypeVar("Key")
Value = TypeVar("Value")


class Newest(OrderedDict[Key, Value]):
    """A mapping that forgets its least recently set entry beyond `NEWEST_KEPT`."""

    def __setitem__(self, key: Key, value: Value) -> None:
        super().__setitem__(key, value)
        self.move_to_end(key)
        if len(self) > NEWEST_KEPT:
            self.popitem(last=False)
