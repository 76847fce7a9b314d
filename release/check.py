"""Run the release checklist, then print the manual steps.

    python -m release.check

Stops at the first step that fails, and prints the remedy.
"""

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import yaml

from release import ROOT
from sms_otp import __version__

SEMANTIC = re.compile(r"\d+\.\d+\.\d+(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?")
"""semver.org, without build metadata, which tags do not use."""
HEADING = re.compile(r"^## \[(.+?)\](?: - (\S+))?$", re.MULTILINE)


class StepFailed(Exception):
    """A step of the checklist failed. The message is the remedy."""


@dataclass(frozen=True)
class Step:
    """One step of the checklist. `check` raises StepFailed."""

    title: str
    check: Callable[[], None]


def version_is_semantic() -> None:
    """The version follows Semantic Versioning."""
    if not SEMANTIC.fullmatch(__version__):
        raise StepFailed(f"sms_otp.__version__ is {__version__}: see semver.org")


def changelog_has_the_version() -> None:
    """The newest heading of CHANGELOG.md is this version with a date, today or earlier."""
    headings = HEADING.findall((ROOT / "CHANGELOG.md").read_text())
    version, date = headings[0] if headings else ("", "")
    if version != __version__:
        raise StepFailed(
            f"the newest heading of CHANGELOG.md is [{version}]: write ## [{__version__}] - date"
        )
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", date) or date > f"{datetime.now(UTC):%Y-%m-%d}":
        raise StepFailed(f"CHANGELOG.md has no date of today or earlier beside [{version}]")


def other_files_have_the_version() -> None:
    """openapi.yaml and CITATION.cff have this version."""
    written = {
        "openapi.yaml": yaml.safe_load((ROOT / "openapi.yaml").read_text())["info"]["version"],
        "CITATION.cff": yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"],
    }
    for name, version in written.items():
        if version != __version__:
            raise StepFailed(f"{name} has {version}, sms_otp.__version__ is {__version__}")


def everything_is_committed() -> None:
    """The work tree has no uncommitted changes."""
    if changed := _git("status", "--porcelain"):
        raise StepFailed(f"commit or remove first:\n{changed}")


def tag_is_free() -> None:
    """No earlier release has this version."""
    if _git("tag", "--list", _tag()):
        raise StepFailed(f"{_tag()} exists: choose the next version in layers/core/sms_otp/__init__.py")


def _git(*arguments: str) -> str:
    command = ["git", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603 - a command of our own
    return done.stdout.strip()


def _tag() -> str:
    return f"v{__version__}"


def made(target: str) -> Callable[[], None]:
    """A check that a make target succeeds and changes no committed file."""

    def check() -> None:
        command = ["make", "--no-print-directory", target]
        done = subprocess.run(command, cwd=ROOT, check=False)  # noqa: S603 - a command of our own
        if done.returncode:
            raise StepFailed(f"make {target} ended with {done.returncode}")
        everything_is_committed()

    return check


STEPS = (
    Step("the version is semantic", version_is_semantic),
    Step("CHANGELOG.md has it, with a date", changelog_has_the_version),
    Step("openapi.yaml and CITATION.cff have it", other_files_have_the_version),
    Step("everything is committed", everything_is_committed),
    Step("the tag is free", tag_is_free),
    Step("generated documents are up to date", made("docs")),
    Step("the site, and every link", made("site")),
    Step("style, types, template and security rules", made("lint")),
    Step("licences and advisories of what runs on Lambda; read its last line", made("audit")),
    Step("the tests", made("test")),
    Step("the proofs in full", made("prove")),
)

BY_HAND = f"""\
Left to do by hand:
  1. Read .local/sbom.cdx.json and what `make audit` could not look up.
  2. Deploy to a new stack in an AWS account, then `make smoke STACK=…`.
     Say in the release notes whether you did.
  3. git tag --sign {_tag()} --message 'sms-otp {__version__}' && git push origin {_tag()}
  4. Make the release from the tag, with its part of CHANGELOG.md and .local/sbom.cdx.json.
  5. For the first release: switch on private vulnerability reporting in the repository's settings.
     SECURITY.md sends reporters there."""


def walk(steps: tuple[Step, ...] = STEPS) -> bool:
    """Run and print each step. Returns False at the first that fails."""
    for number, step in enumerate(steps, 1):
        print(f"[{number}/{len(steps)}] {step.title}", flush=True)
        try:
            step.check()
        except StepFailed as failed:
            print(f"    FAILED: {failed}")
            return False
        print("    ok", flush=True)
    return True


def main() -> None:
    """Exits with 1 if a step fails."""
    if not walk():
        sys.exit(1)
    print(BY_HAND)


if __name__ == "__main__":
    main()
