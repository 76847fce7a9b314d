"""The drill's tables, for the terminal and the documents, and its chart."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from statistics import mean

from rich.table import Table

from bench.drill.scenarios import Most, ScenarioResult

EXPLAINED = (
    "before: the previous guard. guard: the current one. refused, challenged: percent of a day's 2,000 "
    "people without a code, and with a challenge. attack: codes sent, and US dollars. goal: the maximum of "
    "each; a bill is the cost of a usual day. held: yes, or the missed goals."
)
ABLATION_EXPLAINED = (
    "Each part of the guard is left out on a day that shows the effect. refused, challenged: percent of a "
    "day's 2,000 people. USD: the cost of the attack."
)
SIEGES_EXPLAINED = (
    "hours out: hours within two weeks in which the number's owner could not sign in. goal: the maximum. "
    "held: yes, or the missed goal."
)
BAR, ROW, LEFT = 300, 34, 330


def rows(results: Iterable[ScenarioResult]) -> list[dict[str, str]]:
    """A row for each scenario: means over the seeds for each policy, and whether every seed met the goals."""
    by_name: dict[str, dict[str, list[ScenarioResult]]] = {}
    for result in results:
        by_name.setdefault(result.scenario.name, {}).setdefault(result.policy, []).append(result)
    return [_row(name, policies) for name, policies in by_name.items()]


def _row(name: str, policies: Mapping[str, list[ScenarioResult]]) -> dict[str, str]:
    row = {"scenario": name}
    for policy, results in policies.items():
        refused, challenged = (
            mean(result.people.refused_percent for result in results),
            mean(result.people.challenged_percent for result in results),
        )
        row[f"{policy}: refused %"] = f"{refused:.1f}"
        if policy == "guard":
            row[f"{policy}: challenged %"] = f"{challenged:.1f}"
        codes, dollars = (
            mean(result.attackers.codes for result in results),
            mean(result.attackers.dollars for result in results),
        )
        row[f"{policy}: attack"] = f"{codes:,.0f} codes, {dollars:,.0f} USD" if codes else ""
    guarded = policies.get("guard", [])
    over = sorted({miss for result in guarded for miss in result.over})
    row["goal"] = goal(guarded[0].scenario.most) if guarded else ""
    row["held"] = "yes" if not over else "; ".join(over)
    return row


def goal(most: Most) -> str:
    """The goal as a short text."""
    parts = (
        [f"{most.refused:g} / {most.challenged:g} %"] if most.challenged < 100 else [f"{most.refused:g} %"]
    )
    parts += [f"{most.bills:g} bills"] if most.bills is not None else []
    parts += [f"{most.dollars:g} USD"] if most.dollars is not None else []
    parts += [f"{most.codes} codes"] if most.codes is not None else []
    return ", ".join(parts)


def for_people(lines: Sequence[Mapping[str, str]], title: str, explained: str) -> Table:
    """The rows as a table for the terminal."""
    table = Table(title=title, caption=explained, caption_justify="left")
    names = list(dict.fromkeys(name for line in lines for name in line))
    for name in names:
        table.add_column(name, justify="left" if name in ("scenario", "goal", "held", "part") else "right")
    for line in lines:
        table.add_row(*(line.get(name, "") for name in names))
    return table


def markdown(lines: Sequence[Mapping[str, str]]) -> str:
    """The rows as a Markdown table."""
    names = list(dict.fromkeys(name for line in lines for name in line))
    head = ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
    return (
        "\n".join(
            [*head, *("| " + " | ".join(line.get(name, "") for name in names) + " |" for line in lines)]
        )
        + "\n"
    )


def chart(lines: Sequence[Mapping[str, str]]) -> str:
    """An SVG chart: percent of refused people in each scenario, with the previous and the current guard."""
    height = ROW * len(lines) + 40
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + BAR + 60}" height="{height}" '
        'font-family="sans-serif" font-size="12">',
        f'<text x="{LEFT}" y="16" fill="#c0504d">before</text>',
        f'<text x="{LEFT + 60}" y="16" fill="#2e7d4f">now: refused people, %</text>',
    ]
    for index, line in enumerate(lines):
        top = 28 + index * ROW
        parts.append(
            f'<text x="{LEFT - 8}" y="{top + 17}" text-anchor="end">{escape(line["scenario"])}</text>'
        )
        for below, policy, colour in ((0, "before", "#c0504d"), (13, "guard", "#2e7d4f")):
            percent = float(line.get(f"{policy}: refused %", "0"))
            width = max(1.0, BAR * percent / 100)
            parts.append(
                f'<rect x="{LEFT}" y="{top + below}" width="{width:.1f}" height="11" fill="{colour}"/>'
            )
            parts.append(
                f'<text x="{LEFT + width + 4:.1f}" y="{top + below + 10}" font-size="10">{percent:g}</text>'
            )
    return "\n".join([*parts, "</svg>"]) + "\n"
