"""docs/claims.md names the source of each figure in the README and the documents, and the source has it."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench import scale
from local.template import ROOT
from ops import cost
from release.facts import facts
from tests.unit.commands import BLOCK, make_targets
from tests.unit.test_docs import DOCUMENTS

PAGE = ROOT / "docs/claims.md"
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)#([^)\s]+)\)")
QUOTED = re.compile(r"`([^`]+)`")
NOT_MEASURED = re.compile(r"`[^`\n]*`|[Pp]ython ?3\.\d+|such as \S+")
"""Settings in code, versions and examples."""
FIGURE = re.compile(
    r"\d[\d,.]*\s?(?:%|ms\b|MB\b|KB\b|USD\b|requests a second)|\d[\d,]*\.\d\d\b"
    r"|\d+ (?:an hour|a day|in \d+ min)"
)
"""A figure that is measured, calculated or a limit: an amount with its unit, or an amount of money."""
WITHOUT_CLAIMS = {"CHANGELOG.md", "docs/api.md", "docs/claims.md"}
"""Generated from others, and this page itself. Decisions hold the figures of their day."""

PRINTED: dict[str, Callable[[], str]] = {
    "make cost TABLES=1": lambda: cost.cost_table() + cost.provider_table() + cost.offer_table(),
    "make facts": lambda: "\n".join(facts()),
}
"""The commands that are cheap enough to run here."""


@dataclass(frozen=True)
class Claim:
    """One row of the table."""

    figures: tuple[str, ...]
    sections: tuple[tuple[Path, str], ...]
    printed_by: str
    held_by: str


def claims() -> list[Claim]:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")][2:]
    made = []
    for row in rows:
        figures, where, printed_by, held_by = row.strip("| ").split(" | ")
        sections = tuple(((PAGE.parent / path).resolve(), anchor) for path, anchor in LINK.findall(where))
        made.append(Claim(tuple(QUOTED.findall(figures)), sections, printed_by, held_by))
    return made


CLAIMS = claims()
EACH = pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.printed_by)


def sections(document: Path) -> Iterator[tuple[str, str]]:
    """The anchor and the text of each section, its code blocks left out."""
    _, *parts = re.split(r"^#+ (.+)$", BLOCK.sub("", document.read_text()), flags=re.MULTILINE)
    for heading, text in zip(parts[::2], parts[1::2], strict=True):
        yield re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-"), text


def with_figures() -> set[tuple[Path, str]]:
    """Every section that has a figure."""
    return {
        (document, anchor)
        for document in DOCUMENTS
        if document.parent.name != "decisions" and str(document.relative_to(ROOT)) not in WITHOUT_CLAIMS
        for anchor, text in sections(document)
        if FIGURE.search(NOT_MEASURED.sub("", text))
    }


def test_every_section_with_a_figure_has_a_claim() -> None:
    claimed = {section for claim in CLAIMS for section in claim.sections}
    missing = {f"{path.relative_to(ROOT)}#{anchor}" for path, anchor in with_figures() - claimed}
    assert not missing


@EACH
def test_each_figure_is_in_every_section_that_its_claim_names(claim: Claim) -> None:
    assert claim.sections
    for path, anchor in claim.sections:
        text = dict(sections(path))[anchor]
        for figure in claim.figures:
            assert re.search(rf"(?<![\d.,]){re.escape(figure)}(?![\d]|[.,]\d)", text), (path.name, figure)


@EACH
def test_each_command_exists_and_prints_its_figures_where_that_is_cheap(claim: Claim) -> None:
    if claim.printed_by.startswith("[") and "](https://" in claim.printed_by:
        return
    (command,) = QUOTED.findall(claim.printed_by)
    if command.startswith("make "):
        assert command.split()[1] in make_targets()
    if command not in PRINTED:
        assert command.startswith("make ")
        return
    printed = PRINTED[command]()
    assert claim.figures
    for figure in claim.figures:
        assert re.search(rf"(?<![\d.,]){re.escape(figure)}(?![\d]|[.,]\d)", printed), figure


@EACH
def test_each_claim_is_held_by_a_test_or_says_why_not(claim: Claim) -> None:
    if claim.held_by in ("measured", "a source"):
        assert claim.printed_by.startswith("[") is (claim.held_by == "a source")
        return
    (test,) = QUOTED.findall(claim.held_by)
    assert "def test_" in (ROOT / test).read_text()


def test_the_reckoned_part_of_the_simulation_has_its_claimed_figures() -> None:
    (claim,) = (claim for claim in CLAIMS if "21,000" in claim.figures)
    reckoned = "\n".join(scale._reckoned())
    assert {figure for figure in claim.figures if figure in reckoned} == {"21,000", "13,000", "210,000"}
