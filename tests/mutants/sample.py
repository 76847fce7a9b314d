"""Mutants of a sample of the code are tried on the tests that run their lines; the survivors are printed.

Each is a copy of the code in a temporary directory with one change, and pytest runs on it in a process of its
own that has a time bound: a loop without end is noticed too.
"""

import argparse
import os
import queue
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path

from local.template import ROOT
from tests.mutants import coverage_map
from tests.mutants.coverage_map import CODE, CoverageMap
from tests.mutants.operators import Mutation, mutations

ACCEPTED = Path(__file__).with_name("accepted.toml")
KILLED_PERCENT = 95
"""Of those that are not accepted."""
QUICK_SECONDS = 4.0
"""Test files that take no longer together are run first; most mutants go no further."""
BOUND_SECONDS = 60
"""Seconds that a run may take beyond ten times its usual time, on a machine that is busy with others."""
NO_TESTS = 5
"""pytest's exit status where it found none."""

Accepted = Mapping[tuple[str, str, str], str]
"""The reason, by module, line as it was and line as it is."""
Changed = Mapping[str, set[int]]
"""By module, the lines that were changed."""
Try = Callable[[Mutation], bool]
"""Whether a mutant is killed."""


@dataclass(frozen=True)
class Verdict:
    """The result of a sample."""

    killed: int
    accepted: int
    survivors: tuple[Mutation, ...]

    @property
    def percent(self) -> float:
        """Killed, of those that are not accepted."""
        tried = self.killed + len(self.survivors)
        return 100 * self.killed / tried if tried else 100.0

    def is_good(self, *, no_survivor: bool) -> bool:
        """Whether enough are killed; of changed lines, all."""
        return not self.survivors if no_survivor else self.percent >= KILLED_PERCENT

    def __str__(self) -> str:
        counts = f"{self.killed} killed, {len(self.survivors)} survived, {self.accepted} accepted"
        return "\n".join([*(mutant.diff for mutant in self.survivors), f"{counts}: {self.percent:.1f} %"])


def every_mutation(root: Path = ROOT) -> list[Mutation]:
    """All mutations of the code."""
    return [
        mutation
        for module in coverage_map.sources(root)
        for mutation in mutations(module, (root / module).read_text())
    ]


def accepted(text: str) -> Accepted:
    """The mutants that nothing can notice, from the list's text."""
    listed = tomllib.loads(text).get("mutant", [])
    return {(each["module"], each["was"], each["now"]): each["reason"] for each in listed}


def key_of(mutation: Mutation) -> tuple[str, str, str]:
    """As the list of the accepted ones names it: lines may move."""
    return mutation.module, mutation.was, mutation.now


def sampled(found: Iterable[Mutation], count: int, seed: int) -> list[Mutation]:
    """`count` mutations, evenly from every module and every operator in it: a rare fault is no less bad."""
    chance = random.Random(seed)  # noqa: S311 # the same seed must draw the same sample
    by_module: dict[str, dict[str, list[Mutation]]] = {}
    for mutation in found:
        by_module.setdefault(mutation.module, {}).setdefault(mutation.operator, []).append(mutation)

    def dealt(piles: Iterable[list[Mutation]]) -> list[Mutation]:
        shuffled = [chance.sample(pile, len(pile)) for pile in piles]
        chance.shuffle(shuffled)
        return _one_of_each(shuffled)

    modules = [dealt(by_operator.values()) for by_operator in by_module.values()]
    chance.shuffle(modules)
    return _one_of_each(modules)[:count]


def _one_of_each(piles: list[list[Mutation]]) -> list[Mutation]:
    """The first of each pile, then the second of each."""
    return [mutation for mutation in chain.from_iterable(zip_longest(*piles)) if mutation is not None]


def changed_since(revision: str) -> Changed:
    """The lines of the code that were added or changed since a revision. A move by itself changes none."""
    command = ["git", "diff", "--unified=0", "--find-renames", "--no-color", revision, "--", *CODE]
    diff = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - no shell
    if diff.returncode:
        raise SystemExit(diff.stderr.strip())
    return changed_in(diff.stdout)


def changed_in(diff: str) -> Changed:
    """The lines that a diff without context adds, by file."""
    found, module = dict[str, set[int]](), ""
    for line in diff.splitlines():
        if line.startswith("+++ "):
            module = line.removeprefix("+++ ").removeprefix("b/")
        elif hunk := re.match(r"@@ -\S+ \+(\d+)(?:,(\d+))? @@", line):
            first, count = int(hunk[1]), int(hunk[2] or 1)
            found.setdefault(module, set()).update(range(first, first + count))
    return found


def on(changed: Changed, found: Iterable[Mutation]) -> list[Mutation]:
    """The mutations that touch a changed line."""
    return [
        mutation
        for mutation in found
        if changed.get(mutation.module, set()) & {*range(mutation.line, mutation.last_line + 1)}
    ]


def judge(sample: Sequence[Mutation], known: Accepted, is_killed: Try, workers: int = 1) -> Verdict:
    """Try a sample. Accepted mutants are not tried."""
    to_try = [mutation for mutation in sample if key_of(mutation) not in known]
    with ThreadPoolExecutor(workers) as pool:
        killed = list(pool.map(is_killed, to_try))
    survivors = [mutation for mutation, is_dead in zip(to_try, killed, strict=True) if not is_dead]
    return Verdict(sum(killed), len(sample) - len(to_try), tuple(sorted(survivors)))


class Laboratory:
    """Copies of the code, one for each that works at once, and the tests that are run on them."""

    def __init__(self, directory: Path, tests: CoverageMap, workers: int) -> None:
        self._tests = tests
        self._copies: queue.SimpleQueue[Path] = queue.SimpleQueue()
        for index in range(workers):
            self._copies.put(_copied(directory / str(index)))

    def is_killed(self, mutation: Mutation) -> bool:
        """Whether a test fails, or runs without end, on the code with this change."""
        names = self._tests.covering(mutation.module, mutation.line, mutation.last_line)
        with self._changed(mutation) as copy:
            return any(self._fails(copy, batch) for batch in self._batches(names))

    def _batches(self, names: list[str]) -> Iterator[list[str]]:
        """The quick ones, then all others."""
        quick, spent = list[str](), 0.0
        for name in names:
            spent += self._tests.seconds[name]
            if quick and spent > QUICK_SECONDS:
                break
            quick.append(name)
        yield from filter(None, (quick, names[len(quick) :]))

    @contextmanager
    def _changed(self, mutation: Mutation) -> Iterator[Path]:
        copy = self._copies.get()
        file = copy / mutation.module
        source = file.read_text()
        file.write_text(mutation.apply(source))
        try:
            yield copy
        finally:
            file.write_text(source)
            self._copies.put(copy)

    def _fails(self, copy: Path, names: list[str]) -> bool:
        # pytest puts these before all else on the path, also before PYTHONPATH.
        paths = f"pythonpath={' '.join(str(copy / part) for part in ('functions', 'layers/core'))} ."
        # Schemathesis takes longer to import than such a run takes.
        plugins = ["-p", "no:cacheprovider", "-p", "no:schemathesis", "-p", "no:xdist"]
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-x",
            "-q",
            "-m",
            "not long",
            "-o",
            paths,
            *plugins,
            *names,
        ]
        variables = {"PYTEST_ADDOPTS": "", "PYTHONDONTWRITEBYTECODE": "1", "PROVE": "0"}
        bound = BOUND_SECONDS + 10 * sum(self._tests.seconds[name] for name in names)
        running = subprocess.Popen(  # noqa: S603 - a command of our own, no shell
            command,
            cwd=ROOT,
            env={**os.environ, **variables, "HYPOTHESIS_STORAGE_DIRECTORY": str(copy / "hypothesis")},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            status = running.wait(bound)
        except subprocess.TimeoutExpired:
            return True
        finally:
            _end(running)
        if status == NO_TESTS:
            raise SystemExit(f"no tests in {' '.join(names)}")
        return status != 0


def _end(running: "subprocess.Popen[bytes]") -> None:
    """The process and all that it has started."""
    with suppress(ProcessLookupError):
        os.killpg(running.pid, signal.SIGKILL)
    running.wait()


def _copied(directory: Path) -> Path:
    for part in ("functions", "layers/core"):
        shutil.copytree(ROOT / part, directory / part, ignore=shutil.ignore_patterns("__pycache__"))
    return directory


def main(arguments: Sequence[str] | None = None) -> int:
    """The command's exit status: 0 where enough were killed."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="draws the sample; another one draws another")
    parser.add_argument("--count", type=int, default=100, help="how many mutants")
    parser.add_argument("--changed", metavar="REV", default="", help="only of lines changed since REV")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="how many are tried at once")
    options = parser.parse_args(arguments)
    found = every_mutation()
    if options.changed:
        found = on(changed_since(options.changed), found)
    sample = sampled(found, options.count, options.seed)
    print(f"{len(sample)} of {len(found)} mutants, seed {options.seed}", flush=True)
    known = accepted(ACCEPTED.read_text())
    if not any(key_of(mutation) not in known for mutation in sample):
        return 0
    tests = coverage_map.load()
    with tempfile.TemporaryDirectory(prefix="mutants-") as directory:
        laboratory = Laboratory(Path(directory), tests, options.workers)
        verdict = judge(sample, known, laboratory.is_killed, options.workers)
    print(verdict)
    return 0 if verdict.is_good(no_survivor=bool(options.changed)) else 1
