"""A value of the wrong unit of time fails mypy: mutants of that kind, all of them in one run."""

import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from local.template import ROOT
from sms_otp.domain.clock import MINUTE, SECOND, milliseconds, seconds

CORE = Path("layers", "core", "sms_otp")
CHECKED = ("domain", "use_cases", "adapters/dynamodb", "entry_points/bootstrap.py")
OF_TYPES = {"arg-type", "assignment", "operator", "return-value"}
"""mypy's codes for a type that does not fit. A name that a mutant misspells has another one."""

MUTANTS = (
    (
        "use_cases/administration.py",
        "self.numbers.unlock(key, now)",
        "self.numbers.unlock(key, int(self.clock() * limits.SECOND))",
    ),
    (
        "use_cases/administration.py",
        "self.numbers.erase(key, now, who.deadline)",
        "self.numbers.erase(key, now * 1000, who.deadline)",
    ),
    (
        "use_cases/administration.py",
        "self.numbers.record_of(key, to_seconds(now))",
        "self.numbers.record_of(key, now)",
    ),
    ("use_cases/circuit_breaker.py", "retry_after=to_seconds(circuit.OPEN)", "retry_after=circuit.OPEN"),
    (
        "use_cases/request.py",
        "_idempotency_records(peppers, command, to, caller, to_seconds(now))",
        "_idempotency_records(peppers, command, to, caller, now)",
    ),
    (
        "use_cases/request.py",
        "expires_at=now + service.policy.code_ttl_seconds",
        "expires_at=milliseconds(service.clock) + service.policy.code_ttl_seconds",
    ),
    (
        "use_cases/sending.py",
        "retry_after=min(held[name] for name in left) - to_seconds(now)",
        "retry_after=min(held[name] for name in left) - now",
    ),
    (
        "use_cases/status.py",
        "return limits.seconds_until(number.next_send_at(known, found.lane, approach, lanes, now), now)",
        "return number.next_send_at(known, found.lane, approach, lanes, now) - now",
    ),
    (
        "use_cases/verify.py",
        "peppers, caller.tenant, verification.phone, to_seconds(now)",
        "peppers, caller.tenant, verification.phone, now",
    ),
    ("domain/admission.py", "requester.client_keys, to_seconds(now)", "requester.client_keys, now"),
    (
        "domain/admission.py",
        "waits(self.providers, to_seconds(self._now))",
        "waits(self.providers, self._now)",
    ),
    ("domain/admission.py", "send.at > self._now - lanes.memory", "send.at > now - lanes.memory"),
    (
        "domain/limits.py",
        "+ gap_after(newest_first, policy)",
        "+ whole_seconds(gap_after(newest_first, policy))",
    ),
    (
        "domain/number.py",
        'NumberLocked(reason="waiting", retry_after=limits.whole_seconds(wait))',
        'NumberLocked(reason="waiting", retry_after=wait)',
    ),
    ("domain/number.py", "failures.last_at + to_milliseconds(KEEP_LOG)", "failures.last_at + KEEP_LOG"),
    ("domain/idempotency.py", "self.started_at + KEEP_SECONDS", "self.started_at + KEEP_SECONDS * 1000"),
    ("adapters/dynamodb/circuits.py", "return to_seconds(now + KEEP)", "return now + KEEP"),
    (
        "adapters/dynamodb/number_writes.py",
        "ends = to_seconds(guess.now) + KEEP_LOG",
        "ends = guess.now + KEEP_LOG",
    ),
    (
        "adapters/dynamodb/number_writes.py",
        "write.set_ttl_once(to_seconds(now) + KEEP_LOG)",
        "write.set_ttl_once(now)",
    ),
    (
        "adapters/dynamodb/store.py",
        "requested(verification, to_seconds(now))",
        "requested(verification, now)",
    ),
    (
        "entry_points/bootstrap.py",
        "gap=to_milliseconds(chosen.resend_gap_seconds)",
        "gap=chosen.resend_gap_seconds",
    ),
    (
        "entry_points/bootstrap.py",
        "wait=to_milliseconds(chosen.failure_wait_seconds)",
        "wait=chosen.failure_wait_seconds * 1000",
    ),
)
"""A file, a text that it holds once, and the text in another unit."""


@pytest.fixture(scope="module")
def errors(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, int], set[str]]:
    """The codes of mypy's errors, by file and line, where every mutant is in its place at once."""
    directory = tmp_path_factory.mktemp("mutants")
    texts: dict[str, str] = {}
    for file, old, new in MUTANTS:
        text = texts.get(file) or (ROOT / CORE / file).read_text()
        assert text.count(old) == 1, f"{file}: {old}"
        texts[file] = text.replace(old, new)
    shadows = []
    for number, (file, text) in enumerate(texts.items()):
        shadow = directory / f"{number}.py"
        shadow.write_text(text)
        shadows += ["--shadow-file", str(CORE / file), str(shadow)]
    command = [sys.executable, "-m", "mypy", "--no-pretty", "--cache-dir", str(directory / "cache"), *shadows]
    command += [str(CORE / each) for each in CHECKED]
    # A command of our own, no shell.
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
    found = defaultdict(set)
    for file, line, code in re.findall(r"^(\S+):(\d+): error: .*\[([a-z-]+)\]$", done.stdout, re.MULTILINE):
        found[str(Path(file).relative_to(CORE)), int(line)].add(code)
    assert found, done.stdout + done.stderr
    return found


@pytest.mark.parametrize(("file", "old", "new"), MUTANTS, ids=lambda value: value.split("(")[0][:40])
def test_a_moment_or_span_of_the_wrong_unit_fails_mypy(
    file: str, old: str, new: str, errors: dict[tuple[str, int], set[str]]
) -> None:
    text = (ROOT / CORE / file).read_text()
    line = text[: text.index(old)].count("\n") + 1
    assert errors.get((file, line), set()) & OF_TYPES, f"mypy takes {new}"


def test_nothing_but_the_mutants_is_an_error(errors: dict[tuple[str, int], set[str]]) -> None:
    assert {file for file, _ in errors} <= {file for file, _, _ in MUTANTS}
    assert len(errors) <= len(MUTANTS) + 1, "an error that follows from a mutant on an earlier line"


@pytest.mark.parametrize("moment", [seconds(lambda: 1.9), milliseconds(lambda: 0.0019), 15 * MINUTE - SECOND])
def test_at_run_time_a_moment_is_a_plain_integer(moment: int) -> None:
    assert type(moment) is int
