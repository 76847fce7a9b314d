"""List every run-time package with its licence and known advisories, and write an SBOM.

    python -m release.audit

A package that no advisory service knows or answers for counts as not looked up, not as clear: its row and
the last line say so. Exits with 1 if there is an advisory.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from release import ROOT, sbom
from release.dependencies import Dependency, run_time

SERVICES = ("pypi", "osv")
"""pip-audit's sources, in this order; the second for packages that the first does not know."""
TIMEOUT_SECONDS = 120
SBOM = ROOT / ".local/sbom.cdx.json"


@dataclass(frozen=True)
class Advisories:
    """Known advisories of one package. `looked_up` is false if no service answered for it."""

    looked_up: bool
    ids: tuple[str, ...] = ()

    def __str__(self) -> str:
        if not self.looked_up:
            return "not looked up"
        return ", ".join(self.ids) or "none known"


NOT_LOOKED_UP = Advisories(looked_up=False)


def advisories(dependencies: Iterable[Dependency]) -> dict[str, Advisories]:
    """Look up advisories by package name, from the first service that answers for it."""
    found: dict[str, Advisories] = {}
    missing = {one.name: one.version for one in dependencies}
    for service in SERVICES:
        if missing:
            found |= {name: known for name, known in _query(service, missing).items() if known.looked_up}
            missing = {name: version for name, version in missing.items() if name not in found}
    return found | dict.fromkeys(missing, NOT_LOOKED_UP)


def _query(service: str, versions: Mapping[str, str]) -> dict[str, Advisories]:
    with tempfile.TemporaryDirectory() as folder:
        pinned = Path(folder) / "requirements.txt"
        pinned.write_text("".join(f"{name}=={version}\n" for name, version in versions.items()))
        command = [sys.executable, "-m", "pip_audit", "--vulnerability-service", service]
        command += ["--format", "json", "--progress-spinner", "off", "--no-deps", "--disable-pip", "-r"]
        try:
            done = subprocess.run(  # noqa: S603 - a command of our own
                [*command, str(pinned)],
                capture_output=True,
                text=True,
                timeout=TIMEOUT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return {}
    return parse(done.stdout)


def parse(report: str) -> dict[str, Advisories]:
    """Parse pip-audit's JSON. Empty if it aborted, as it does if its service cannot be reached.

    A package with `skip_reason` is unknown to the service, and so not looked up.
    """
    try:
        rows: list[dict[str, Any]] = json.loads(report)["dependencies"]
    except (json.JSONDecodeError, KeyError):
        return {}
    return {
        row["name"]: NOT_LOOKED_UP
        if "skip_reason" in row
        else Advisories(looked_up=True, ids=tuple(found["id"] for found in row["vulns"]))
        for row in rows
    }


def table(dependencies: Iterable[Dependency], known: Mapping[str, Advisories]) -> Table:
    """One row for each package."""
    drawn = Table("package", "version", "licence", "brought by", "advisories", box=None)
    for one in dependencies:
        licence = one.licence or "not in its metadata"
        drawn.add_row(one.name, one.version, licence, one.brought_by, str(known[one.name]))
    return drawn


def summary(known: Mapping[str, Advisories]) -> str:
    """The last line of the report."""
    affected = sum(bool(found.ids) for found in known.values())
    unknown = sum(not found.looked_up for found in known.values())
    clear = len(known) - affected - unknown
    counts = (
        f"{len(known)} packages: {affected} with a known advisory, {clear} without one, "
        f"{unknown} not looked up"
    )
    if not unknown:
        return counts
    return f"{counts}. Neither PyPI nor OSV answered for the latter. Run this again."


def main() -> None:
    """Print the table and write the SBOM; exits with 1 if there is an advisory."""
    dependencies = run_time()
    known = advisories(dependencies)
    Console(width=110).print(table(dependencies, known))
    print()
    print(
        "AWS chooses the versions of runtime packages; the versions here are those that the tests run with."
    )
    SBOM.parent.mkdir(exist_ok=True)
    SBOM.write_text(sbom.document(dependencies))
    print(f"SBOM (CycloneDX 1.6): {SBOM.relative_to(ROOT)}")
    print(summary(known))
    sys.exit(any(found.ids for found in known.values()))


if __name__ == "__main__":
    main()
