"""The tables of docs/scaling.md match the simulation."""

import pytest

from bench import scale
from tests.proofs.scale import PROVE


@pytest.mark.skipif(not PROVE, reason="the whole simulation takes a quarter of a minute; see make prove")
def test_the_documented_tables_match_the_simulation() -> None:
    page = scale.PAGE.read_text()
    assert scale.written(page, scale.tables(scale.runs())) == page
