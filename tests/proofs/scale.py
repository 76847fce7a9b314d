"""The size of a proof: a sample in `make test`, everything in `make prove`, which sets PROVE=1."""

import os
from typing import TypeVar

PROVE = os.environ.get("PROVE") == "1"

Amount = TypeVar("Amount")


def scaled(quick: Amount, full: Amount) -> Amount:
    """`full` in `make prove`, `quick` otherwise."""
    return full if PROVE else quick
