"""A row of the vendors' code tables: `infobip_codes`, `sinch_codes`, `aws_codes`.

Each table is data alone. `docs/providers.md` prints all three (`python -m generators.codes_doc`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sms_otp.domain.provider import (
    Ambiguous,
    Delivery,
    DestinationUnavailable,
    Doubtful,
    Misconfigured,
    NotSent,
    ProviderError,
    Refused,
    Throttled,
)

Kind = Literal[
    "Refused",
    "DestinationUnavailable",
    "Throttled",
    "NotSent",
    "Doubtful",
    "Ambiguous",
    "Misconfigured",
]
"""What a failure allows: see "Outcomes" in `docs/providers.md`."""

ERRORS: Mapping[Kind, type[ProviderError]] = {
    "Refused": Refused,
    "DestinationUnavailable": DestinationUnavailable,
    "Throttled": Throttled,
    "NotSent": NotSent,
    "Doubtful": Doubtful,
    "Ambiguous": Ambiguous,
    "Misconfigured": Misconfigured,
}
"""The exception of each kind."""


@dataclass(frozen=True, slots=True)
class Code:
    """One code that a vendor documents."""

    group: str
    """Where the code appears: a status group, a field of an answer, an exception."""
    id: str
    """The vendor's number for it, in decimal; empty where it has only a name."""
    name: str
    meaning: str
    delivery: Delivery
    """What a report with this code says about the message."""
    kind: Kind | None = None
    """The outcome of a send that fails with this code; None if the code is no failure of a send."""


def error_of(code: Code | None) -> type[ProviderError] | None:
    """The exception of a row; None without a row, or if it is no failure of a send."""
    return ERRORS[code.kind] if code and code.kind else None
