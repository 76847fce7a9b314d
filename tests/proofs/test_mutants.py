"""Each condition that the service's safety hangs on is tested: without it, a test fails.

Every mutant is a copy of the core with one thing changed, and a few fast tests are run on it in a
process of their own. `make prove` tries all of them, `make prove-ci` each twelfth. `make test` checks
that no mutant is stale.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from local.template import ROOT
from tests.proofs.mutants import MUTANTS, Mutant
from tests.proofs.only_core import OTHER_CORE
from tests.proofs.scale import scaled

CORE = ROOT / "layers" / "core"
TRIED = scaled(MUTANTS[::12], MUTANTS)
FILES = sorted({mutant.tests for mutant in TRIED})[: scaled(1, len(MUTANTS))]
SECONDS = 300
"""For one run of pytest, on a machine that is busy with others."""

Verdict = tuple[int, str]
"""Exit status and output."""


def run(directory: Path, tests: str, names: str, change: Mutant | None = None) -> Verdict:
    """Run tests on a copy of the core in `directory`, with one thing changed in it if anything."""
    core = directory / "core"
    shutil.copytree(CORE, core, ignore=shutil.ignore_patterns("__pycache__"))
    if change is not None:
        file = core / "sms_otp" / change.file
        file.write_text(file.read_text().replace(change.old, change.new))
    # pytest puts these before all else on the path, also before PYTHONPATH.
    paths = f"pythonpath=functions {core} ."
    # Schemathesis takes longer to import than such a run takes.
    plugins = ["-p", "tests.proofs.only_core", "-p", "no:cacheprovider", "-p", "no:schemathesis"]
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-o", paths, *plugins]
    variables = {**os.environ, "ONLY_CORE": str(core), "HYPOTHESIS_STORAGE_DIRECTORY": str(directory)}
    done = subprocess.run(  # noqa: S603 - a command of our own, no shell
        [*command, *shlex.split(tests), "-k", names],
        cwd=ROOT,
        # The options of the whole run do not apply here.
        env={**variables, "PROVE": "0", "PYTEST_ADDOPTS": "", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Verdict]]]:
    """The verdicts of the tests: by mutant's name, and for the unchanged core by test file.

    As many run at once as there are processors.
    """

    def begin(tests: str, names: str, change: Mutant | None = None) -> Future[Verdict]:
        return pool.submit(run, tmp_path_factory.mktemp("core"), tests, names, change)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield {
            **{mutant.name: begin(mutant.tests, mutant.names, mutant) for mutant in TRIED},
            **{tests: begin(tests, names_in(tests)) for tests in FILES},
        }


def names_in(tests: str) -> str:
    """The `-k` expression of all mutants that use these files."""
    names = {mutant.names for mutant in TRIED if mutant.tests == tests}
    return "" if "" in names else " or ".join(f"({name})" for name in sorted(names))


@pytest.mark.long
@pytest.mark.parametrize("mutant", TRIED, ids=lambda mutant: mutant.name)
def test_a_missing_condition_is_noticed(mutant: Mutant, verdicts: dict[str, Future[Verdict]]) -> None:
    status, output = verdicts[mutant.name].result()
    assert status == pytest.ExitCode.TESTS_FAILED, output
    assert " failed" in output.splitlines()[-1], output


@pytest.mark.long
@pytest.mark.parametrize("tests", FILES)
def test_the_tests_pass_on_an_unchanged_copy(tests: str, verdicts: dict[str, Future[Verdict]]) -> None:
    """So the tests notice the change, not the copying."""
    status, output = verdicts[tests].result()
    assert status == pytest.ExitCode.OK, output


def test_a_run_that_imports_another_core_has_its_own_exit_status(tmp_path: Path) -> None:
    paths = "-o 'pythonpath=functions layers/core .'"
    status, _ = run(tmp_path, f"{paths} tests/unit/test_verification.py", "")
    assert status == OTHER_CORE


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_code_that_a_mutant_replaces_occurs_once(mutant: Mutant) -> None:
    assert (CORE / "sms_otp" / mutant.file).read_text().count(mutant.old) == 1
    assert mutant.old != mutant.new


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_selects_tests_that_exist(mutant: Mutant) -> None:
    tests = "".join((ROOT / file).read_text() for file in mutant.tests.split())
    for word in set(re.findall(r"\w+", mutant.names)) - {"and", "or"}:
        assert word in tests, word


def test_the_names_of_mutants_are_unique() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
