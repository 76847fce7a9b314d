"""The lock-out table in docs/security.md matches the drill."""

import pytest

from bench import lockout
from local.template import ROOT
from tests.proofs.scale import PROVE


@pytest.mark.skipif(not PROVE, reason="the whole drill takes half a minute; see make prove")
def test_the_documented_lockout_table_matches_the_drill() -> None:
    assert lockout.documented(lockout.rows()) in (ROOT / "docs/security.md").read_text()
