"""The diagrams of docs/architecture.md name every function."""

import re

from local.template import ROOT


def test_every_function_is_among_the_components() -> None:
    text = (ROOT / "docs/architecture.md").read_text().partition("\n## A code is requested\n")[0]
    functions = {path.parent.name for path in (ROOT / "functions").glob("*/app.py")}
    assert functions <= set(re.findall(r"[a-z_]+", text))
