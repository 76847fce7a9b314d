"""The pumping drill's table in docs/security.md is what the drill says."""

import pytest

from bench import drill
from local.template import ROOT
from tests.proofs.scale import PROVE


@pytest.mark.skipif(not PROVE, reason="the whole drill takes a minute or two; see make prove")
def test_the_documented_drill_is_the_drills_own() -> None:
    table = drill.documented(drill.rows(drill.HOSTILE, drill.USERS))
    assert table in (ROOT / "docs/security.md").read_text()
