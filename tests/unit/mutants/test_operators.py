"""Each operator makes the change that it names, and no other."""

import ast

import pytest

from local.template import ROOT
from tests.mutants.operators import OPERATORS, mutations
from tests.mutants.sample import every_mutation, sampled


def made(operator: str, source: str) -> list[str]:
    """The whole source after each change that this operator makes."""
    return [each.apply(source) for each in mutations("a.py", source) if each.operator == operator]


@pytest.mark.parametrize(
    ("operator", "source", "expected"),
    [
        ("comparison", "a < b", ["a <= b", "a >= b"]),
        ("comparison", "a <= b", ["a < b", "a > b"]),
        ("comparison", "a > b", ["a <= b", "a >= b"]),
        ("comparison", "a >= b", ["a < b", "a > b"]),
        ("comparison", "a == b", ["a != b"]),
        ("comparison", "a != b", ["a == b"]),
        ("comparison", "a is b", ["a is not b"]),
        ("comparison", "a is not b", ["a is b"]),
        ("comparison", "a in b", ["a not in b"]),
        ("comparison", "a not in b", ["a in b"]),
        ("comparison", "(a + 1) < (b)", ["(a + 1) <= (b)", "(a + 1) >= (b)"]),
        ("arithmetic", "a + b", ["a - b"]),
        ("arithmetic", "a - b", ["a + b"]),
        ("arithmetic", "a * b", ["a // b"]),
        ("arithmetic", "a / b", ["a * b"]),
        ("arithmetic", "a // b", ["a * b"]),
        ("arithmetic", "a % b", ["a * b"]),
        ("arithmetic", "a ** b", ["a * b"]),
        ("arithmetic", "a += b", ["a -= b"]),
        ("arithmetic", "'a' + b", []),
        ("arithmetic", "[*a] + b", []),
        ("constant", "a = 7", ["a = 8"]),
        ("constant", "a = 1", ["a = 0", "a = 2"]),
        ("constant", "a = 0.5", ["a = 1.5"]),
        ("constant", "a = 'word'", ["a = ''"]),
        ("constant", "a = ''", ["a = 'mutant'"]),
        ("constant", "a = b'word'", ["a = b''"]),
        ("constant", "a = 'tenant = :tenant'", ["a = ''"]),
        ("constant", "a = 'A sentence for people.'", []),
        ("constant", "a = None", []),
        ("flag", "a = True", ["a = False"]),
        ("flag", "f(a=False)", ["f(a=True)"]),
        ("and/or", "a and b", ["a or b", "b"]),
        ("and/or", "a or b", ["a and b", "b"]),
        ("and/or", "a or b or c", ["a and b or c", "b or c"]),
        ("negation", "not a", ["a"]),
        ("negation", "not (a and b)", ["(a and b)"]),
        ("negation", "x if a else y", ["x if not a else y"]),
        ("negation", "x if a < b else y", []),
        ("dropped keyword", "f(a=b)", ["f()"]),
        ("dropped keyword", "f(a, b=c)", ["f(a)"]),
        ("dropped keyword", "f(a=b, c=d,)", ["f(a=b,)", "f(c=d,)"]),
        ("dropped keyword", "f(a, *b, **c)", []),
        ("dropped raise", "raise a from b", ["pass"]),
        ("swapped arguments", "f(a, b)", ["f(b, a)"]),
        ("swapped arguments", "f(a, b, c)", ["f(a, c, b)", "f(b, a, c)"]),
        ("swapped arguments", "f(a, a)", []),
        ("swapped arguments", "f(*a, b)", []),
        ("swapped arguments", "min(a, b)", []),
        ("swapped arguments", "hmac.compare_digest(a, b)", []),
        ("unit of time", "now * SECOND", ["now * 1"]),
        ("unit of time", "now // limits.SECOND", ["now // 1"]),
        ("unit of time", "15 * MINUTE", ["15 * 1"]),
        ("unit of time", "now % HOUR + DAY", ["now % 1 + DAY", "now % HOUR + 1"]),
        ("unit of time", "int(self.clock())", ["int((self.clock() * 1000))"]),
        ("unit of time", "time.time()", ["(time.time() * 1000)"]),
        ("unit of time", "SECOND = 2", []),
        ("unit of time", "SENDS * 2", []),
    ],
)
def test_an_operator_makes_the_change_that_it_names(operator: str, source: str, expected: list[str]) -> None:
    assert sorted(made(operator, source)) == sorted(expected)


def test_every_operator_is_tried_here() -> None:
    tried = {
        name
        for mark in test_an_operator_makes_the_change_that_it_names.pytestmark  # type: ignore[attr-defined] # pytest's
        for name, _, expected in mark.args[1]
        if expected
    }
    assert tried == {*OPERATORS}


@pytest.mark.parametrize(
    "source",
    [
        '"""A docstring."""',
        'def f():\n    "docstring"',
        'NAME: "Class" = f\n"""What it is."""',
        "def f(a: 'Class') -> 'Class': ...",
        "if TYPE_CHECKING:\n    a = 7",
        "@dataclass(frozen=True)\nclass A: ...",
        "A = TypeVar('A')",
        "a = f'{b + 1}'",
        "A = Literal['word']",
        "class A(TypedDict, total=False): ...",
        "zip(a, strict=True)",
        "from sms_otp.domain.clock import SECOND\nwait = SECOND",
        "wait = clock.SECOND",
        "from a import b",
    ],
)
def test_code_that_no_test_could_notice_gets_no_mutant(source: str) -> None:
    assert mutations("a.py", source) == []


def test_a_mutation_has_its_lines_and_its_text_before_and_after() -> None:
    source = "def f(a):\n    # Grüße\n    return g(\n        a,\n        'ä' if a < 7 else 'ö',\n    )\n"
    (lesser, *_) = [each for each in mutations("a.py", source) if each.operator == "comparison"]
    assert (lesser.line, lesser.last_line) == (5, 5)
    assert (lesser.was, lesser.now) == ("'ä' if a < 7 else 'ö',", "'ä' if a <= 7 else 'ö',")
    assert lesser.diff == "a.py:5  (comparison)\n  - 'ä' if a < 7 else 'ö',\n  + 'ä' if a <= 7 else 'ö',"
    (swap,) = [each for each in mutations("a.py", source) if each.operator == "swapped arguments"]
    assert (swap.line, swap.last_line) == (4, 5)
    assert swap.apply(source).splitlines()[3:5] == ["        'ä' if a < 7 else 'ö',", "        a,"]


def test_each_mutation_of_the_code_parses_and_changes_the_program() -> None:
    for each in sampled(every_mutation(), 150, seed=1):
        source = (ROOT / each.module).read_text()
        changed = ast.dump(ast.parse(each.apply(source)))
        assert changed != ast.dump(ast.parse(source)), each.diff
