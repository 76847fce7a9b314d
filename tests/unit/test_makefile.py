"""The make targets, as a shell runs them."""

import os
import re
import subprocess
import sys

import pytest

from local.template import ROOT

RUN = re.compile(
    r"(?P<path>PYTHONPATH=layers/core )?(?:exec )?\$\(BIN\)/python -m (?P<module>(?!pytest)[a-z_.]+)"
)
MAKEFILE = (ROOT / "Makefile").read_text()
MODULES = {(found["module"], bool(found["path"])) for found in RUN.finditer(MAKEFILE)}


@pytest.mark.parametrize("has_core", [False, True])
def test_each_module_that_a_target_runs_can_be_imported(has_core: bool) -> None:
    """pytest has our code on its path; a target has only what it names."""
    modules = sorted(
        module for module, given in MODULES if given is has_core and not module.startswith("pip")
    )
    assert modules
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    imported = subprocess.run(  # noqa: S603 - modules of our own
        [sys.executable, "-c", f"import {', '.join(modules)}"],
        cwd=ROOT,
        env=variables | ({"PYTHONPATH": "layers/core"} if has_core else {}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert imported.returncode == 0, imported.stderr
