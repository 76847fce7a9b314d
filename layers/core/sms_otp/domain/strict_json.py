"""Strict JSON: refuses what two parsers can read differently, or what cannot be written back.

The standard parser accepts duplicate keys, NaN, lone surrogates and integers of any length
(RFC 8259 §4, §8.2).
"""

import json
from typing import Any, NoReturn

LONGEST_NUMBER = 20
"""Characters of an integer. No real field comes near; int() of many digits is slow."""
LONGEST_FRACTION = 32
"""Characters of any other number. A double, such as a provider's price, has up to 24."""


def parse_object(data: bytes, *, limit: int) -> dict[str, Any]:
    """Parse a JSON object of UTF-8, at most `limit` bytes long. Raises ValueError for anything else.

    The error's text is for people and contains no value.
    """
    if len(data) > limit:
        raise ValueError(f"longer than {limit} bytes")
    try:
        document = json.loads(
            data.decode(),
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_int=_short_int,
            parse_float=_short_float,
        )
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeError:
        raise ValueError("not UTF-8 text") from None
    except RecursionError:
        raise ValueError("nested too deep") from None
    except json.JSONDecodeError:
        raise ValueError("not JSON") from None
    if not isinstance(document, dict):
        raise ValueError("not a JSON object")
    return document


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate key")
    return members


def _no_constant(_: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


def _short_int(digits: str) -> int:
    if len(digits) > LONGEST_NUMBER:
        raise ValueError("a number is too long")
    return int(digits)


def _short_float(digits: str) -> float:
    if len(digits) > LONGEST_FRACTION:
        raise ValueError("a number is too long")
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise ValueError("a number is too large")
    return number
