"""The lock-out drill's table in docs/security.md is what the drill says."""

import pytest

from bench import lockout
from local.template import ROOT
from tests.proofs.scale import PROVE


@pytest.mark.skipif(not PROVE, reason="the whole drill takes half a minute; see make prove")
def test_the_documented_lock_out_is_the_drills_own() -> None:
    assert lockout.documented(lockout.rows()) in (ROOT / "docs/security.md").read_text()
