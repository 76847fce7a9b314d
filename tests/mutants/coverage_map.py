"""Which test files run which line of the code, and how long each takes; kept until code or tests change.

`python -m pytest -p tests.mutants.coverage_map` measures one run: coverage.py counts lines by context, and
the context is the test's file.
"""

import ast
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from local.template import ROOT

CODE = ("layers/core/sms_otp", "functions")
SUITES = ("tests/unit", "tests/functional", "tests/contract")
LEFT_OUT = (
    "tests/contract/test_examples",
    "tests/contract/test_providers",
    "tests/contract/test_sandbox_",
    "tests/functional/faults/",
    "tests/functional/test_canaries",
    "tests/functional/test_fuzz",
    "tests/functional/test_openapi_examples",
    "tests/functional/test_snapstart",
)
"""Tests that take minutes, or test the sandbox alone. Quicker tests must notice the same mutants."""
CACHE = ROOT / ".local" / "mutants"
RESULT = "MUTANTS_MEASURED"
"""The variable that names the file which a measured run writes."""

Lines = dict[str, dict[str, list[int]]]
"""By test file: by module, the lines that it runs. Modules by their path from the root."""


@dataclass
class CoverageMap:
    """The measurements of every test file."""

    lines: Lines = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    imports: dict[str, set[str]] = field(default_factory=dict)
    """By test file, the modules that it names: it may look at what they define without running a line."""

    def covering(self, module: str, first: int, last: int) -> list[str]:
        """The test files to try on a change of these lines, the likely and the quick ones first.

        Code that runs at import belongs to no test; each file that runs anything of the module may notice it.
        """
        touched = set(range(first, last + 1))
        found = {name for name, lines in self.lines.items() if touched & {*lines.get(module, ())}}
        found = found or {name for name, lines in self.lines.items() if module in lines}
        found |= {name for name, modules in self.imports.items() if module in modules}
        return sorted(found, key=lambda name: (not _is_named_after(name, module), self.seconds[name], name))


def _is_named_after(test: str, module: str) -> bool:
    return Path(test).stem == f"test_{Path(module).stem}"


def sources(root: Path = ROOT) -> Iterator[str]:
    """Every module of the code, by its path from the root."""
    for directory in CODE:
        for path in sorted((root / directory).rglob("*.py")):
            yield str(path.relative_to(root))


def suites() -> list[str]:
    """Every test file that may notice a change."""
    every = [path for suite in SUITES for path in (ROOT / suite).rglob("test_*.py")]
    found = [path for path in every if "sms_otp" in path.read_text()]
    names = sorted(str(path.relative_to(ROOT)) for path in found)
    return [name for name in names if not name.startswith(LEFT_OUT)]


def load() -> CoverageMap:
    """The map of the code and tests as they are: from the cache, or measured now."""
    cached = CACHE / f"{_fingerprint()}.json"
    if not cached.exists():
        made = _measure()
        CACHE.mkdir(parents=True, exist_ok=True)
        for stale in CACHE.glob("*.json"):
            stale.unlink()
        cached.write_text(json.dumps({"lines": made.lines, "seconds": made.seconds}))
    kept = json.loads(cached.read_text())
    imports = {name: {*_imported_by(name)} for name in kept["seconds"]}
    return CoverageMap(kept["lines"], kept["seconds"], imports)


def _imported_by(name: str) -> Iterator[str]:
    """The modules that a test file imports itself."""
    for node in ast.walk(ast.parse((ROOT / name).read_text())):
        dotted = [each.name for each in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            dotted = [node.module, *(f"{node.module}.{each}" for each in dotted)]
        for place in ("layers/core", "functions"):
            for path in (f"{place}/{each.replace('.', '/')}" for each in dotted):
                yield from (path + end for end in (".py", "/__init__.py") if (ROOT / (path + end)).exists())


def _fingerprint() -> str:
    """A hash of the code and tests that the map depends on."""
    content = hashlib.sha256()
    tests = (str(path.relative_to(ROOT)) for path in sorted((ROOT / "tests").rglob("*.py")))
    for path in (*sources(), *tests):
        if not path.startswith("tests/mutants/"):
            content.update(path.encode() + (ROOT / path).read_bytes())
    return content.hexdigest()[:16]


def _measure() -> CoverageMap:
    """Run every test file once, spread over as many processes as there are processors."""
    made = CoverageMap()
    CACHE.mkdir(parents=True, exist_ok=True)
    count = os.cpu_count() or 1
    files = suites()
    with ThreadPoolExecutor(count) as pool:
        for measured in pool.map(_measured, [files[index::count] for index in range(count)], range(count)):
            made.lines |= measured["lines"]
            made.seconds |= measured["seconds"]
    return made


def _measured(files: list[str], index: int) -> dict[str, Any]:
    result = CACHE / f"measured-{index}"
    done = subprocess.run(  # noqa: S603 - a command of our own, no shell
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-m",
            "not long",
            "-p",
            __name__,
            "-p",
            "no:cacheprovider",
            *files,
        ],
        cwd=ROOT,
        env={**os.environ, RESULT: str(result), "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    if not result.exists():
        raise SystemExit(f"the tests could not be run:\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
    measured: dict[str, Any] = json.loads(result.read_text())
    result.unlink()
    return measured


class _Measuring:
    """The pytest plugin of a measured run."""

    def __init__(self) -> None:
        import coverage

        self.seconds: dict[str, float] = {}
        self.failed: set[str] = set()
        self._coverage = coverage.Coverage(data_file=None, source=[str(ROOT / part) for part in CODE])
        self._coverage.start()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[Any]:
        name = str(item.path.relative_to(ROOT))
        self._coverage.switch_context(name)
        started = time.monotonic()
        result = yield
        self.seconds[name] = self.seconds.get(name, 0) + time.monotonic() - started
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.add(report.nodeid.partition("::")[0])

    def pytest_sessionfinish(self) -> None:
        self._coverage.stop()
        data, lines = self._coverage.get_data(), Lines()
        for file in data.measured_files():
            module = str(Path(file).relative_to(ROOT))
            for line, contexts in data.contexts_by_lineno(file).items():
                # A file that fails by itself says nothing of a mutant.
                for name in {*contexts} - self.failed - {""}:
                    lines.setdefault(name, {}).setdefault(module, []).append(line)
        for name in self.failed:
            self.seconds.pop(name, None)
        Path(os.environ[RESULT]).write_text(json.dumps({"lines": lines, "seconds": self.seconds}))


def pytest_configure(config: pytest.Config) -> None:
    """Measure the run that names this module as its plugin."""
    if RESULT in os.environ:
        config.pluginmanager.register(_Measuring())
