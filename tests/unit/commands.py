"""The commands that documents show: their code blocks without a language."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from local.template import ROOT

BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
ASSIGNED = re.compile(r"[A-Z_]+=")
SUBSTITUTED = re.compile(r"[A-Z_]+=\$\((.*)\)")
LOGS_INSIGHTS = re.compile(r"\s*fields ")
MESSAGE = re.compile(r"@\S+ #\d+|.*is your code")
"""Lines of an SMS, which a block may show too."""

PROGRAMS = {
    ".venv/bin/pip",
    "aws",
    "cd",
    "cp",
    "curl",
    "export",
    "git",
    "make",
    "node",
    "npm",
    "python3",
    "sam",
    "uvicorn",
}
"""Programs that a reader has, or has installed by an earlier document."""


def blocks(document: Path, language: str) -> list[str]:
    """The blocks of a document that name this language."""
    return [body for kind, body in BLOCK.findall(document.read_text()) if kind == language]


def commands(document: Path) -> Iterator[str]:
    """Each command as one line, with the variables that it sets first."""
    for block in blocks(document, ""):
        if LOGS_INSIGHTS.match(block):
            continue
        for line in block.replace("\\\n", " ").splitlines():
            if line.strip() and not MESSAGE.match(line):
                yield line.partition(" # ")[0].strip()


def program(command: str) -> str:
    """The program that a command runs; empty if it only sets a variable or defines a function."""
    if "() {" in command:
        return ""
    if substituted := SUBSTITUTED.fullmatch(command):
        return program(substituted[1])
    words = [word for word in command.split() if not ASSIGNED.match(word)]
    return words[0] if words else ""


def functions(document: Path) -> set[str]:
    """The shell functions that a document defines."""
    return {command.partition("()")[0] for command in commands(document) if "() {" in command}


def aws_calls(document: Path) -> Iterator[list[str]]:
    """Each call of the AWS CLI, in the running text too, as its words."""
    quoted = re.findall(r"`(aws [^`]+)`", BLOCK.sub("", document.read_text()))
    for command in [*commands(document), *quoted]:
        for found in re.findall(r"\baws [a-z0-9-]+ [a-z-]+(?: wait)?[^)]*", command):
            words = shlex.split(found.replace('"$(output', "$(output"), posix=False)
            yield [word.strip('"') for word in words]


def make_calls(document: Path) -> Iterator[list[str]]:
    """Each call of make, in the running text too, as its words after `make`."""
    quoted = re.findall(r"`make ([^`]+)`", BLOCK.sub("", document.read_text()))
    typed = [command.removeprefix("make ") for command in commands(document) if command.startswith("make ")]
    for call in [*quoted, *typed]:
        yield shlex.split(call)


def make_targets() -> set[str]:
    """The targets of the Makefile."""
    return set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def make_variables() -> set[str]:
    """The variables that the Makefile lets a caller set."""
    return set(re.findall(r"^([A-Z_]+) \??=", (ROOT / "Makefile").read_text(), re.MULTILINE))
