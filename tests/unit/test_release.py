"""The release of the repository: its version, checklist, CI and pinned linters."""

import re
from importlib.metadata import distributions
from typing import Any

import pytest
import yaml
from packaging.utils import canonicalize_name

from local.template import ROOT
from release import check
from release.check import Step, StepFailed
from release.dependencies import pins
from sms_otp import __version__

PACKAGES = {"lint-imports": "import-linter"}
"""Packages of programs whose names differ."""
MAKEFILE = (ROOT / "Makefile").read_text()


def read_yaml(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text())


@pytest.mark.parametrize(
    "holds",
    [check.version_is_semantic, check.changelog_has_the_version, check.other_files_have_the_version],
)
def test_the_version_is_the_same_everywhere(holds: Any) -> None:
    holds()


@pytest.mark.parametrize("version", ["2.0.0", "1.0.0-rc.2"])
def test_a_version_that_the_other_files_lack_is_not_released(
    version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "__version__", version)
    for holds in (check.changelog_has_the_version, check.other_files_have_the_version):
        with pytest.raises(StepFailed, match=re.escape(version)):
            holds()


@pytest.mark.parametrize("version", ["1.0", "v1.0.0", "1.0.0+build", "1.0.0-rc 1"])
def test_a_version_that_is_not_semantic_is_not_released(
    version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "__version__", version)
    with pytest.raises(StepFailed):
        check.version_is_semantic()


def test_the_checklist_stops_at_the_first_step_that_fails(capsys: pytest.CaptureFixture[str]) -> None:
    done = []

    def fails() -> None:
        raise StepFailed("do this first")

    steps = (Step("a", lambda: done.append("a")), Step("b", fails), Step("c", lambda: done.append("c")))
    assert not check.walk(steps)
    assert done == ["a"]
    assert "do this first" in capsys.readouterr().out


def test_every_target_of_the_checklist_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    source = (ROOT / "release/check.py").read_text()
    assert set(re.findall(r'made\("([a-z-]+)"\)', source)) >= {"lint", "test", "prove", "audit"}
    assert set(re.findall(r'made\("([a-z-]+)"\)|make ([a-z-]+)', check.BY_HAND)) <= {
        ("", target) for target in targets
    }
    assert set(re.findall(r'made\("([a-z-]+)"\)', source)) <= targets


def test_pre_commit_runs_the_linters_of_make_lint_at_the_locked_versions() -> None:
    repositories = read_yaml(".pre-commit-config.yaml")["repos"]
    assert [repository["repo"] for repository in repositories] == ["local"]
    hooks = repositories[0]["hooks"]
    programs = [re.findall(r"(?:^|(?<= ))\.venv/bin/(\S+)", hook["entry"]) for hook in hooks]
    assert {hook["language"] for hook in hooks} == {"system"}
    assert all(len(found) == 1 for found in programs)
    recipe = MAKEFILE.partition("\nlint:")[2].partition("\n\n")[0]
    linters = {*re.findall(r"\$\(BIN\)/([\w-]+)", recipe)} - {"node", "python", "sam"}
    assert {name for (name,) in programs} == linters
    locked = pins(ROOT / "requirements-dev.txt")
    packages = {PACKAGES.get(name, name) for name in linters}
    installed = {canonicalize_name(found.name): found.version for found in distributions()}
    assert {name: installed[name] for name in packages} == {name: locked[name] for name in packages}


def test_pre_commit_runs_bandit_on_the_folders_of_make_lint() -> None:
    (bandit,) = (
        hook for hook in read_yaml(".pre-commit-config.yaml")["repos"][0]["hooks"] if hook["id"] == "bandit"
    )
    (searched,) = re.findall(r"--recursive (.+)", MAKEFILE)
    folders = re.fullmatch(r"\^\((.+)\)/\.\*\\\.py\$", bandit["files"])
    assert folders
    assert folders[1].split("|") == searched.split()


def test_the_ci_runs_the_one_script_and_the_oldest_and_newest_python() -> None:
    jobs = read_yaml(".github/workflows/ci.yml")["jobs"]
    assert {"run": "bash .ci/run"} in jobs["ci"]["steps"]
    assert jobs["pythons"]["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.14"]
    assert 'target-version = "py311"' in (ROOT / "pyproject.toml").read_text()


def test_each_action_of_the_ci_is_pinned_to_a_commit() -> None:
    used = re.findall(r"uses: (\S+)", (ROOT / ".github/workflows/ci.yml").read_text())
    assert used
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action) for action in used)


def test_dependabot_watches_every_lock() -> None:
    updates = read_yaml(".github/dependabot.yml")["updates"]
    watched = {
        (update["package-ecosystem"], folder)
        for update in updates
        for folder in update.get("directories", [update.get("directory")])
    }
    found = [*ROOT.rglob("*.in"), *ROOT.rglob("package-lock.json")]
    locks = [path for path in found if not re.search(r"(^|/)(\.|node_modules/)", str(path.relative_to(ROOT)))]
    kinds = {".in": "pip", ".json": "npm"}
    expected = {
        (kinds[lock.suffix], f"/{lock.parent.relative_to(ROOT)}".replace("/.", "/")) for lock in locks
    }
    assert watched - {("github-actions", "/")} == expected


def test_a_vulnerability_is_reported_without_an_address_and_in_private() -> None:
    for name in ("SECURITY.md", "CODE_OF_CONDUCT.md"):
        text = (ROOT / name).read_text()
        assert "Report a\nvulnerability" in text or "Report a vulnerability" in text
        assert "@" not in text
    assert read_yaml(".github/ISSUE_TEMPLATE/config.yml") == {"blank_issues_enabled": False}


def test_the_citation_names_no_person() -> None:
    citation = read_yaml("CITATION.cff")
    assert citation["version"] == __version__
    assert [set(author) for author in citation["authors"]] == [{"name"}]
    assert citation["license"] in (ROOT / "LICENSE").read_text()


def test_the_container_of_an_editor_forwards_the_ports_of_make_run() -> None:
    container = read_yaml(".devcontainer/devcontainer.json")
    ports = re.findall(r"^(?:SANDBOX_)?PORT \?= (\d+)$", MAKEFILE, re.MULTILINE)
    assert [str(port) for port in container["forwardPorts"]] == ports
