"""Run the Makefile as if everything were installed, with a Python that only prints how it was started."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from local.template import ROOT

SAYS = """#!/bin/sh
echo "started: $*"
echo "region: $AWS_DEFAULT_REGION"
"""


def make(folder: Path, *arguments: str, **environment: str) -> str:
    """The output of `make` in an empty folder with that Python. Skips the test without make."""
    if not (program := shutil.which("make")):
        pytest.skip("make is missing")
    shutil.copy(ROOT / "Makefile", folder)
    shutil.copytree(ROOT / "web", folder / "web")
    for needed in ("requirements-run.txt", "requirements-dev.txt"):
        (folder / needed).touch()
    python = folder / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(SAYS)
    python.chmod(0o755)
    for installed in (".run", ".dev"):
        (folder / ".venv" / installed).touch()
    kept = {"PATH": os.environ["PATH"], **environment}
    done = subprocess.run(  # noqa: S603 - our own Makefile
        [program, *arguments], cwd=folder, env=kept, capture_output=True, text=True, check=True
    )
    return done.stdout
