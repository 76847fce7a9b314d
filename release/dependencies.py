"""Third-party packages that run on Lambda: those of the dependency layer and of the runtime."""

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
"""Packages of Lambda's Python runtime. AWS chooses their versions; here: the version that tests run with."""

PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s\\;]+)", re.MULTILINE)
DOCUMENTED = {
    "python-dateutil": "Apache-2.0 OR BSD-3-Clause",
    "s3transfer": "Apache-2.0",
    "snapshot-restore-py": "Apache-2.0",
}
"""SPDX expressions of packages whose metadata has none."""


class MissingPackageError(Exception):
    """A package is not installed at its locked version, so its licence is unknown."""


@dataclass(frozen=True)
class Dependency:
    """One package. `requires` are the names of its dependencies."""

    name: str
    version: str
    licence: str
    """The licence in the package's metadata, or its SPDX expression of `DOCUMENTED`; may be empty."""
    brought_by: str
    """`layer` or `runtime`."""
    requires: tuple[str, ...]


def pins(lock: Path) -> dict[str, str]:
    """The versions in a lock, by canonical name."""
    return {canonicalize_name(name): version for name, version in PIN.findall(lock.read_text())}


def run_time() -> list[Dependency]:
    """All third-party packages that run on Lambda, by name.

    Raises MissingPackageError if `.venv` does not match the locks.
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
    """The requirements without extras, which are not installed on Lambda."""
    for line in distribution(name).requires or ():
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": "", "python_version": "3.13"}):
            yield canonicalize_name(requirement.name)


def _licence(name: str) -> str:
    metadata = distribution(name).metadata
    (expression, *_) = metadata.get_all("License-Expression") or [""]
    (licence, *_) = metadata.get_all("License") or [""]
    return expression or DOCUMENTED.get(name) or licence
