"""The third-party packages that run on Lambda: the dependency layer's, and the runtime's own."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from release import ROOT

LAYER_LOCK = ROOT / "layers/dependencies/requirements.txt"
RUN_LOCK = ROOT / "requirements-run.txt"
OF_THE_RUNTIME = ("boto3", "snapshot-restore-py")
"""What Lambda's Python brings, at a version of AWS's choice. Here: the version that the tests run with."""

PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s\\;]+)", re.MULTILINE)
DOCUMENTED = {
    "python-dateutil": "Apache-2.0 OR BSD-3-Clause",
    "s3transfer": "Apache-2.0",
    "snapshot-restore-py": "Apache-2.0",
}
"""SPDX expressions of packages whose metadata has another wording."""


class MissingPackageError(Exception):
    """A locked package is not installed here at the locked version, so nothing is known of its licence."""


@dataclass(frozen=True)
class Dependency:
    """One package. `requires` names the others of the list that it needs."""

    name: str
    version: str
    licence: str
    """SPDX, as the package's own metadata has it; empty where it has none."""
    brought_by: str
    """`layer` or `runtime`."""
    requires: tuple[str, ...]


def pins(lock: Path) -> dict[str, str]:
    """Versions by name, as a lock has them."""
    return {canonicalize_name(name): version for name, version in PIN.findall(lock.read_text())}


def run_time() -> list[Dependency]:
    """Everything that runs on Lambda beside our own code and Python, by name.

    Raises MissingPackageError where `.venv` is not that of the locks.
    """
    layer, locked = pins(LAYER_LOCK), pins(RUN_LOCK)
    found = {name: _dependency(name, version, "layer") for name, version in layer.items()}
    waiting = [*OF_THE_RUNTIME]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = _dependency(name, locked[name], "runtime")
            waiting += found[name].requires
    return [found[name] for name in sorted(found)]


def _dependency(name: str, version: str, brought_by: str) -> Dependency:
    installed = distribution(name)
    if installed.version != version:
        raise MissingPackageError(f"{name} is {installed.version} in .venv and {version} in the lock")
    return Dependency(name, version, _licence(name), brought_by, tuple(sorted(_required(name))))


def _required(name: str) -> Iterator[str]:
    """Without the extras, none of which is installed on Lambda."""
    for line in distribution(name).requires or ():
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": "", "python_version": "3.13"}):
            yield canonicalize_name(requirement.name)


def _licence(name: str) -> str:
    metadata = distribution(name).metadata
    (expression, *_) = metadata.get_all("License-Expression") or [""]
    (licence, *_) = metadata.get_all("License") or [""]
    return expression or DOCUMENTED.get(name) or licence
