"""The codes that the providers make."""

import secrets
import string

NUMERIC = "NUMERIC"
ALPHABETS = {
    NUMERIC: string.digits,
    "ALPHA": string.ascii_uppercase,
    "HEX": string.digits + "ABCDEF",
    "ALPHANUMERIC": string.digits + string.ascii_uppercase,
}
"""By Infobip's `pinType`; Sinch's `codeType` has the same names in other letters, and no HEX."""


def new_code(length: int, kind: str = NUMERIC) -> str:
    """From the system's random source, each code as likely as any other."""
    return "".join(secrets.choice(ALPHABETS[kind]) for _ in range(length))
