"""The layers are reproducible: built at two places, times and hash seeds, they are equal to the byte."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from local.template import ROOT

LAYERS = (("core", "CoreLayer"), ("dependencies", "DependenciesLayer"))


def build(folder: str, layer: str, into: Path, seed: str) -> dict[str, tuple[str, int, float]]:
    """Digest, mode and time by path. With this Python in place of Lambda's, which is not everywhere."""
    variables = {
        **os.environ,
        "PYTHONHASHSEED": seed,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    command = ["make", "--silent", f"ARTIFACTS_DIR={into}", f"COMPILER={sys.executable}"]
    command += [f"PYTHON={sys.executable}", f"build-{layer}"]
    subprocess.run(command, cwd=ROOT / "layers" / folder, env=variables, check=True, timeout=300)  # noqa: S603 - a command of our own
    return {
        str(path.relative_to(into)): (
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
            path.stat().st_mode,
            path.stat().st_mtime,
        )
        for path in into.rglob("*")
    }


@pytest.mark.parametrize(("folder", "layer"), LAYERS)
def test_a_layer_built_twice_is_equal_to_the_byte(folder: str, layer: str, tmp_path: Path) -> None:
    first = build(folder, layer, tmp_path / "here", "1")
    second = build(folder, layer, tmp_path / "at another place", "2")
    assert any(name.endswith(".pyc") for name in first)
    assert first == second
