"""The figures of `make bench`, for the terminal, `.local/bench.json` and Markdown."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from rich.table import Table

FAMILIES = (", against ", " in Lambda's image, ", ", at ")
"""Separators in a figure's name: the text before is a row of a Markdown table, the text after a column."""


@dataclass(frozen=True)
class Figure:
    """`ratio` is ours / baseline. `reach` is its maximum, or the maximum of `ours` without a baseline."""

    figure: str
    ours: float
    unit: str
    baseline: float | None = None
    ratio: float | None = None
    reach: float | None = None

    @property
    def is_reached(self) -> bool | None:
        """Whether the figure is within `reach`; None without one."""
        if self.reach is None:
            return None
        return (self.ours if self.ratio is None else self.ratio) <= self.reach


def compared(figure: str, ours: list[float], baseline: list[float], unit: str, reach: float | None) -> Figure:
    """Compare samples taken in turn: their medians, and the median of the pairwise ratios."""
    ratios = [mine / other for mine, other in zip(ours, baseline, strict=True)]
    return Figure(
        figure, round(median(ours), 2), unit, round(median(baseline), 2), round(median(ratios), 3), reach
    )


def write(figures: Iterable[Figure], path: Path) -> None:
    """Write the figures as a JSON list of objects."""
    path.write_text(json.dumps([asdict(figure) for figure in figures], indent=2) + "\n")


def table(figures: Iterable[Figure]) -> Table:
    """The figures as a table for the terminal."""
    drawn = Table("figure", "ours", "baseline", "ratio", "reach", "unit", title="make bench")
    for figure in figures:
        colour = {True: "green", False: "red", None: ""}[figure.is_reached]
        drawn.add_row(
            figure.figure,
            f"{figure.ours:g}",
            "" if figure.baseline is None else f"{figure.baseline:g}",
            "" if figure.ratio is None else f"{figure.ratio:g}",
            "" if figure.reach is None else f"{figure.reach:g}",
            figure.unit,
            style=colour,
        )
    return drawn


def markdown(figures: Iterable[Figure]) -> str:
    """Markdown for `docs/performance.md`: a table for each of `FAMILIES`, and one for other figures."""
    alone = []
    families: dict[str, list[tuple[str, str, Figure]]] = {}
    for figure in figures:
        family = next((found for found in FAMILIES if found in figure.figure), None)
        if family is None:
            alone.append(figure)
        else:
            row, _, column = figure.figure.partition(family)
            families.setdefault(family, []).append((row, column, figure))
    return "\n".join([_in_rows(alone), *map(_in_columns, families.values())])


def _in_rows(figures: Iterable[Figure]) -> str:
    rows = ["| figure | ours | baseline | ratio | reach | unit |", "| --- | --- | --- | --- | --- | --- |"]
    for figure in figures:
        numbers = (figure.ours, figure.baseline, figure.ratio, figure.reach)
        cells = " | ".join("" if number is None else f"{number:g}" for number in numbers)
        rows.append(f"| {figure.figure} | {cells} | {figure.unit} |")
    return "\n".join(rows) + "\n"


def _in_columns(family: list[tuple[str, str, Figure]]) -> str:
    """Cells are ratios, with the reach in the heading; without a baseline, they are our values."""
    cells: dict[str, dict[str, str]] = {}
    for row, column, figure in family:
        head = f"{column}, {figure.unit}" if figure.ratio is None else f"{column}, at most {figure.reach:g}"
        cells.setdefault(row, {})[head] = f"{figure.ours if figure.ratio is None else figure.ratio:g}"
    heads = list(next(iter(cells.values())))
    rows = [f"| | {' | '.join(heads)} |", f"| --- |{' --- |' * len(heads)}"]
    rows += [f"| {row} | {' | '.join(line.get(head, '') for head in heads)} |" for row, line in cells.items()]
    return "\n".join(rows) + "\n"
