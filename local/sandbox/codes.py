"""Code generation for the fake providers."""

import secrets
import string

NUMERIC = "NUMERIC"
ALPHABETS = {
    NUMERIC: string.digits,
    "ALPHA": string.ascii_uppercase,
    "HEX": string.digits + "ABCDEF",
    "ALPHANUMERIC": string.digits + string.ascii_uppercase,
}
"""By Infobip's `pinType`. Sinch's `codeType` has these names capitalized, without HEX."""


def new_code(length: int, kind: str = NUMERIC) -> str:
    """A uniformly random code from the system's random source."""
    return "".join(secrets.choice(ALPHABETS[kind]) for _ in range(length))
