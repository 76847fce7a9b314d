"""Mutants are sampled, accepted or reported as survivors, and run on a copy of the code."""

from pathlib import Path

import pytest

from local.template import ROOT
from tests.mutants import coverage_map, sample
from tests.mutants.coverage_map import CoverageMap
from tests.mutants.operators import Mutation, mutations
from tests.mutants.sample import (
    ACCEPTED,
    Laboratory,
    accepted,
    changed_in,
    judge,
    key_of,
    main,
    on,
    sampled,
)

pytestmark = pytest.mark.long

SOURCE = "def f(a, b):\n    if a < b:\n        raise ValueError\n    return a + 1\n"
FOUND = mutations("a.py", SOURCE)
KEYS = next(module for module in coverage_map.sources() if module.endswith("/keys.py"))
KEYS_TEST = "tests/unit/test_keys.py"


def killing(*operators: str) -> sample.Try:
    """As if the tests noticed only the mutants of these operators."""
    return lambda mutation: mutation.operator in operators


def test_a_survivor_is_reported_by_its_place_and_its_change() -> None:
    verdict = judge(FOUND, {}, killing("comparison", "constant", "dropped raise"))
    assert [each.operator for each in verdict.survivors] == ["arithmetic"]
    assert "a.py:4  (arithmetic)\n  - return a + 1\n  + return a - 1" in str(verdict)
    assert verdict.killed == len(FOUND) - 1


def test_a_sample_needs_95_percent_killed_and_changed_lines_need_all() -> None:
    twenty = [FOUND[0]] * 19 + [FOUND[-1]]
    good = judge(twenty, {}, lambda mutation: mutation == FOUND[0])
    assert good.percent == 95
    assert good.is_good(no_survivor=False)
    assert not good.is_good(no_survivor=True)
    bad = judge(twenty[1:], {}, lambda mutation: mutation == FOUND[0])
    assert not bad.is_good(no_survivor=False)
    assert judge([], {}, killing()).is_good(no_survivor=True)


LISTED = """
[[mutant]]
module = "a.py"
was = "return a + 1"
now = "return a - 1"
reason = "Nobody calls it."
"""


def test_an_accepted_mutant_is_not_run_and_not_counted_as_killed() -> None:
    tried: list[Mutation] = []

    def noting(mutation: Mutation) -> bool:
        tried.append(mutation)
        return True

    known = accepted(LISTED)
    verdict = judge(FOUND, known, noting)
    assert (verdict.accepted, verdict.killed) == (1, len(FOUND) - 1)
    assert "arithmetic" not in {each.operator for each in tried}


def test_an_accepted_mutant_may_move_to_another_line_but_not_to_another_module() -> None:
    known = accepted(LISTED)
    (moved,) = [each for each in mutations("a.py", "\n\n" + SOURCE) if each.operator == "arithmetic"]
    assert moved.line == 6
    assert key_of(moved) in known
    (other,) = [each for each in mutations("b.py", SOURCE) if each.operator == "arithmetic"]
    assert key_of(other) not in known


def test_every_accepted_mutant_exists_and_has_a_reason() -> None:
    known = accepted(ACCEPTED.read_text())
    modules = sorted({module for module, _, _ in known})
    existing = [each for module in modules for each in mutations(module, (ROOT / module).read_text())]
    stale = {*known} - {key_of(each) for each in existing}
    assert not stale
    assert all(len(reason.split()) > 3 for reason in known.values())


def test_the_same_seed_draws_the_same_sample_and_another_seed_a_different_one() -> None:
    whole = mutations(KEYS, (ROOT / KEYS).read_text())
    assert sampled(whole, 20, 1) == sampled(whole, 20, 1) != sampled(whole, 20, 2)
    assert len(set(sampled(whole, 20, 1))) == 20


def test_a_sample_is_spread_evenly_over_modules_and_operators() -> None:
    many = mutations("many.py", "\n".join(f"a = {number}" for number in range(2, 50)) + "\nraise a\n")
    few = mutations("few.py", "a = b < 7\n")
    drawn = sampled([*many, *few], 4, 1)
    assert sorted(each.module for each in drawn) == ["few.py", "few.py", "many.py", "many.py"]
    assert len({each.operator for each in drawn if each.module == "many.py"}) == 2


DIFF = """\
diff --git a/a.py b/a.py
--- a/a.py
+++ b/a.py
@@ -1,0 +2 @@ def f(a, b):
+    if a < b:
@@ -5,2 +6,3 @@
+one
@@ -9 +11,0 @@
-gone
"""


def test_the_changed_lines_of_a_diff_are_the_added_ones() -> None:
    changed = changed_in(DIFF)
    assert changed == {"a.py": {2, 6, 7, 8}}
    assert {each.line for each in on(changed, FOUND)} == {2}
    assert on(changed, mutations("b.py", SOURCE)) == []


def test_no_mutant_is_run_when_no_line_of_code_changed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sample, "changed_since", lambda _: {})
    monkeypatch.setattr(coverage_map, "load", lambda: pytest.fail("no test should run"))
    assert main(["--changed", "HEAD"]) == 0
    assert capsys.readouterr().out.startswith("0 of 0 mutants")


@pytest.mark.parametrize(("is_killed", "status"), [(True, 0), (False, 1)])
def test_the_exit_status_says_whether_enough_were_killed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], is_killed: bool, status: int
) -> None:
    monkeypatch.setattr(coverage_map, "load", CoverageMap)
    monkeypatch.setattr(Laboratory, "is_killed", lambda *_: is_killed)
    assert main(["--count", "3", "--seed", "2"]) == status
    assert "killed" in capsys.readouterr().out


def test_a_mutant_runs_the_tests_that_cover_its_line_likely_and_quick_ones_first() -> None:
    lines = {
        "tests/unit/test_slow.py": {"x/keys.py": [4, 5]},
        "tests/unit/test_quick.py": {"x/keys.py": [5, 6]},
        "tests/unit/test_keys.py": {"x/keys.py": [5]},
        "tests/unit/test_other.py": {"x/other.py": [5]},
    }
    seconds = dict.fromkeys(lines, 1.0) | {"tests/unit/test_slow.py": 9.0, "tests/unit/test_keys.py": 5.0}
    tests = CoverageMap(lines, seconds, {"tests/unit/test_other.py": {"x/table.py"}})
    named, quick, slow, _ = ("test_keys", "test_quick", "test_slow", "test_other")
    order = [f"tests/unit/{name}.py" for name in (named, quick, slow)]
    assert tests.covering("x/keys.py", 5, 5) == order
    assert tests.covering("x/keys.py", 6, 7) == [order[1]]
    assert tests.covering("x/keys.py", 1, 1) == order, "any of them may notice a line that runs at import"
    assert tests.covering("x/table.py", 1, 1) == ["tests/unit/test_other.py"], (
        "this test reads the module and runs no line of it"
    )
    assert tests.covering("x/nowhere.py", 1, 1) == []


@pytest.fixture
def laboratory(tmp_path: Path) -> Laboratory:
    tests = CoverageMap({KEYS_TEST: {KEYS: [1]}}, {KEYS_TEST: 1.0})
    return Laboratory(tmp_path, tests, workers=1)


def changed(old: str, new: str) -> Mutation:
    """One change of the module of keys, by its text."""
    start = (ROOT / KEYS).read_text().index(old)
    return Mutation(KEYS, 1, 1, "by hand", old, new, (start, start + len(old), new))


def test_a_mutant_is_run_on_a_copy_and_killed_by_the_test_that_notices_it(laboratory: Laboratory) -> None:
    before = (ROOT / KEYS).read_text()
    assert laboratory.is_killed(changed('f"{kind}:{value}"', 'f"{value}:{kind}"'))
    assert not laboratory.is_killed(changed("import hmac", "import hmac  # noticed by nobody"))
    assert (ROOT / KEYS).read_text() == before


def test_a_mutant_that_never_ends_is_killed(laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample, "BOUND_SECONDS", -8)
    assert laboratory.is_killed(changed("import hmac", "while True: pass"))


def test_a_mutant_that_no_test_runs_survives(tmp_path: Path) -> None:
    assert not Laboratory(tmp_path, CoverageMap(), workers=1).is_killed(changed("import hmac", ""))
