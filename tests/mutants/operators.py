"""The mutations of one module's source, each a small change that a test should notice.

Every operator is a function from a node of the syntax tree to the edits that it would make there. An edit
replaces one stretch of the text and leaves the rest as it is, so that a survivor reads like a diff.
"""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

Edit = tuple[int, int, str]
"""From which character to which, and the text that takes its place."""


@dataclass(frozen=True, order=True)
class Mutation:
    """One change of one module. Lines count from 1."""

    module: str
    """Its path from the repository's root."""
    line: int
    last_line: int
    operator: str
    was: str
    """The lines that change, without their indentation."""
    now: str
    edit: Edit

    def apply(self, source: str) -> str:
        """The module with this change."""
        start, end, text = self.edit
        return source[:start] + text + source[end:]

    @property
    def diff(self) -> str:
        """The change as a readable diff."""
        return f"{self.module}:{self.line}  ({self.operator})\n  - {self.was}\n  + {self.now}"


class _Text:
    """A module's text, by the positions of its syntax tree."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._lines = source.splitlines(keepends=True)
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line))
        self._imported = {
            (node.module, each.name)
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.ImportFrom)
            for each in node.names
        }

    def at(self, line: int, column: int) -> int:
        """A position of the tree, whose columns count bytes, as one of the text."""
        before = self._lines[line - 1].encode()[:column].decode()
        return self._starts[line - 1] + len(before)

    def start(self, node: ast.expr | ast.stmt | ast.keyword) -> int:
        return self.at(node.lineno, node.col_offset)

    def end(self, node: ast.expr | ast.stmt | ast.keyword) -> int:
        return self.at(node.end_lineno or node.lineno, node.end_col_offset or 0)

    def of(self, node: ast.expr | ast.stmt | ast.keyword) -> str:
        return self.source[self.start(node) : self.end(node)]

    def line_of(self, position: int) -> int:
        return self.source.count("\n", 0, position) + 1

    def is_one(self, unit: str) -> bool:
        """Whether the unit of this name is 1 here: a second of `domain.clock`, which counts in seconds."""
        imported = unit == "SECOND" and ("sms_otp.domain.clock", unit) in self._imported
        return imported or unit == "clock.SECOND"


Operator = Callable[[ast.AST, _Text], Iterator[Edit]]

_COMPARISONS: dict[type[ast.cmpop], tuple[str, ...]] = {
    ast.Lt: ("<=", ">="),
    ast.LtE: ("<", ">"),
    ast.Gt: (">=", "<="),
    ast.GtE: (">", "<"),
    ast.Eq: ("!=",),
    ast.NotEq: ("==",),
    ast.Is: ("is not",),
    ast.IsNot: ("is",),
    ast.In: ("not in",),
    ast.NotIn: ("in",),
}
_ARITHMETIC: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "//"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "*"),
    ast.Pow: ("**", "*"),
}
_UNITS = ("SECOND", "MINUTE", "HOUR", "DAY")
_SYMMETRIC = ("min", "max", "compare_digest")
_CLOCKS = ("clock", "time")
"""Calls of these names answer in seconds since the epoch."""


def comparisons(node: ast.AST, text: _Text) -> Iterator[Edit]:
    """`<` for `<=` and for its contrary, `==` for `!=`, `is` for `is not`, `in` for `not in`."""
    if not isinstance(node, ast.Compare) or len(node.ops) != 1:
        return
    start, end = text.end(node.left), text.start(node.comparators[0])
    between = text.source[start:end]
    word = " ".join(re.findall(r"[<>=!]+|\b(?:is|not|in)\b", between))
    for other in _COMPARISONS[type(node.ops[0])]:
        if between.count(word) == 1:
            yield start, end, between.replace(word, other)


def arithmetic(node: ast.AST, text: _Text) -> Iterator[Edit]:
    """`+` for `-`, `*` for `//`, and so on. Texts are not added to each other by arithmetic."""
    if not isinstance(node, ast.BinOp | ast.AugAssign) or type(node.op) not in _ARITHMETIC:
        return
    left, right = (node.left, node.right) if isinstance(node, ast.BinOp) else (node.target, node.value)
    if any(
        isinstance(side, ast.JoinedStr | ast.List | ast.Tuple) or _is_text(side) for side in (left, right)
    ):
        return
    start, end = text.end(left), text.start(right)
    word, other = _ARITHMETIC[type(node.op)]
    between = text.source[start:end]
    if between.count(word) == 1:
        yield start, end, between.replace(word, other)


def constants(node: ast.AST, text: _Text) -> Iterator[Edit]:
    """A number more or less by one, a name that is empty. Sentences for people are left alone."""
    if not isinstance(node, ast.Constant) or isinstance(node.value, bool):
        return
    value, start, end = node.value, text.start(node), text.end(node)
    if isinstance(value, int | float):
        yield start, end, repr(value + 1)
        if value == 1:
            yield start, end, "0"
    elif isinstance(value, str | bytes) and not (isinstance(value, str) and _is_sentence(value)):
        empty, other = ("''", "'mutant'") if isinstance(value, str) else ("b''", "b'mutant'")
        yield start, end, empty if value else other


def flags(node: ast.AST, text: _Text) -> Iterator[Edit]:
    """True for False."""
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield text.start(node), text.end(node), str(not node.value)


def and_or(node: ast.AST, text: _Text) -> Iterator[Edit]:
    """`and` for `or`; and without its first operand."""
    if not isinstance(node, ast.BoolOp):
        return
    word, other = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
    first, second = node.values[:2]
    start, end = text.end(first), text.start(second)
    between = text.source[start:end]
    if len(re.findall(rf"\b{word}\b", between)) == 1:
        yield start, end, re.sub(rf"\b{word}\b", other, between)
        if not between.strip(f" \n{word}"):
            yield text.start(first), text.start(second), ""


def negations(node: ast.AST, text: _Text) -> Iterator[Edit]:
    """Without `not`; and with it, where a name or a call decides."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield text.start(node), text.start(node) + len("not "), ""
    elif isinstance(node, ast.If | ast.IfExp | ast.While) and isinstance(
        node.test, ast.Name | ast.Attribute | ast.Call
    ):
        yield text.start(node.test), text.start(node.test), "not "


def keywords(node: ast.AST, text: _Text) -> Iterator[Edit]:
    """Without one keyword argument."""
    if not isinstance(node, ast.Call):
        return
    arguments: list[ast.expr | ast.keyword] = [*node.args, *node.keywords]
    passed = sorted(arguments, key=text.start)
    for index, argument in enumerate(passed):
        if not isinstance(argument, ast.keyword) or argument.arg is None or _is_assertion(argument):
            continue
        if len(passed) == 1:
            yield text.end(node.func), text.end(node), "()"
        elif index + 1 < len(passed):
            yield text.start(argument), text.start(passed[index + 1]), ""
        else:
            yield text.end(passed[index - 1]), text.end(argument), ""


def raises(node: ast.AST, text: _Text) -> Iterator[Edit]:
    """`pass` for `raise`."""
    if isinstance(node, ast.Raise):
        yield text.start(node), text.end(node), "pass"


def swapped(node: ast.AST, text: _Text) -> Iterator[Edit]:
    """Two neighbouring arguments, each in the other's place, unless the function takes them in any order."""
    if not isinstance(node, ast.Call) or _name_of(node.func) in _SYMMETRIC:
        return
    for one, other in zip(node.args, node.args[1:], strict=False):
        first, second = text.of(one), text.of(other)
        if first != second and not isinstance(one, ast.Starred) and not isinstance(other, ast.Starred):
            between = text.source[text.end(one) : text.start(other)]
            yield text.start(one), text.end(other), second + between + first


def units(node: ast.AST, text: _Text) -> Iterator[Edit]:
    """Seconds for milliseconds: 1 for the name of a unit, and a clock's answer a thousandfold."""
    is_loaded = isinstance(getattr(node, "ctx", None), ast.Load)
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    if (
        is_loaded
        and name in _UNITS
        and isinstance(node, ast.Name | ast.Attribute)
        and not text.is_one(text.of(node))
    ):
        yield text.start(node), text.end(node), "1"
    if isinstance(node, ast.Call) and not node.args and not node.keywords:
        called = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        if called in _CLOCKS:
            yield text.start(node), text.end(node), f"({text.of(node)} * 1000)"


OPERATORS: dict[str, Operator] = {
    "comparison": comparisons,
    "arithmetic": arithmetic,
    "constant": constants,
    "flag": flags,
    "and/or": and_or,
    "negation": negations,
    "dropped keyword": keywords,
    "dropped raise": raises,
    "swapped arguments": swapped,
    "unit of time": units,
}


def mutations(module: str, source: str) -> list[Mutation]:
    """All mutations of a module, in the order of its lines."""
    text, found = _Text(source), []
    for node in _mutable(ast.parse(source)):
        for name, operator in OPERATORS.items():
            found += [_mutation(module, text, name, edit) for edit in operator(node, text)]
    return sorted(set(found))


def _mutation(module: str, text: _Text, operator: str, edit: Edit) -> Mutation:
    start, end, new = edit
    source = text.source
    first, last = text.line_of(start), text.line_of(max(start, end - 1))
    begin = source.rfind("\n", 0, start) + 1
    stop = source.find("\n", end)
    stop = len(source) if stop < 0 else stop
    was, now = source[begin:stop], source[begin:start] + new + source[end:stop]
    return Mutation(module, first, last, operator, _joined(was), _joined(now), edit)


def _joined(lines: str) -> str:
    return " ".join(line.strip() for line in lines.splitlines()).strip()


def _mutable(node: ast.AST) -> Iterator[ast.AST]:
    """All code that runs, except the code that the type checker and the dataclass decorator check.

    Also left out: the words of a `Literal` and the keywords of a class, which only mypy reads;
    `zip(strict=True)`, which is an assertion; f-strings, whose parts have no positions before Python 3.12.
    """
    if isinstance(node, ast.JoinedStr) or _is_for_types(node):
        return
    yield node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "type_comment"):
            continue
        if isinstance(node, ast.ClassDef) and name == "keywords":
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _is_docstring(child):
                yield from _mutable(child)


def _is_for_types(node: ast.AST) -> bool:
    if isinstance(node, ast.If):
        return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    if isinstance(node, ast.keyword):
        return _is_assertion(node)
    if isinstance(node, ast.Subscript):
        return _name_of(node.value) == "Literal"
    called = node.func if isinstance(node, ast.Call) else None
    return isinstance(called, ast.Name) and called.id in ("TypeVar", "NewType", "cast")


def _is_assertion(argument: ast.keyword) -> bool:
    """Whether it is `strict=True`, which does nothing but raise where the programmer of a `zip` erred."""
    value = argument.value
    return argument.arg == "strict" and isinstance(value, ast.Constant) and value.value is True


def _name_of(called: ast.expr) -> str:
    return str(getattr(called, "id", getattr(called, "attr", "")))


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)


def _is_sentence(text: str) -> bool:
    """A sentence for a person: tests pin facts, not wording. An expression has operators in it."""
    return " " in text.strip() and not re.search(r"[=(:#/]", text)
