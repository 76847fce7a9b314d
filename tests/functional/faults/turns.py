"""Which faults are tried, and with which provider: all with both in `make prove`, a share otherwise."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.functional.faults.world import ProviderFault
from tests.proofs.scale import scaled

PROVIDERS = ("infobip", "sinch")
AT_ONE = pytest.mark.parametrize("provider", ["infobip"], indirect=True)
"""Where the provider makes no difference."""


def rows(table: list[tuple[str, ProviderFault, Any, Any]]) -> pytest.MarkDecorator:
    """One test for each row and provider; outside of `make prove`, of the two in turn."""
    every = scaled(quick=2, full=1)
    return pytest.mark.parametrize(
        ("provider", "fault", "expected"),
        [
            pytest.param(provider, fault, expected, id=f"{provider}: {name}")
            for row, (name, fault, *both) in enumerate(table)
            for provider, expected in list(zip(PROVIDERS, both, strict=True))[row % every :: every]
        ],
        indirect=["provider"],
    )


def kinds(table: Mapping[str, object], turn: int, of: int) -> pytest.MarkDecorator:
    """All of a table's faults in `make prove`; otherwise a share of them, so that all turns see them all."""
    every = scaled(quick=of, full=1)
    return pytest.mark.parametrize("kind", list(table)[turn % every :: every])
