"""Simulate SMS pumping in virtual time: refused and challenged users, and the cost of an attack.

    python -m bench.drill              a dozen scenarios, the previous and the current guard; five minutes
    python -m bench.drill --all        every scenario, three seeds, the victims; fails on a missed goal
    python -m bench.drill --ablate     each part of the guard left out in turn
    python -m bench.drill --write      the dozen, into docs/abuse.md and docs/images/drill.svg

The use cases, the limits and the guard are the real ones with the template's defaults; the store is in
memory, no provider is called, and the clock moves only by the script. People and attackers are assumptions:
see `people`.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench.drill import table, victim
from bench.drill.ablation import PARTS
from bench.drill.scenarios import SCENARIOS, Player, Scenario, ScenarioResult, deployment
from bench.drill.world import World, quick

SEEDS = (1, 2, 3)
ROOT = Path(__file__).parents[2]
PAGE, CHART = ROOT / "docs/abuse.md", ROOT / "docs/images/drill.svg"
BEGIN, END = "<!-- made by python -m bench.drill --write -->\n", "<!-- end of what is made -->\n"

Job = TypeVar("Job")
Result = TypeVar("Result")
Group = tuple[str, int, tuple[Scenario, ...]]
"""A policy, a seed, and scenarios that share their warm days."""


def main() -> None:
    """Play the chosen scenarios and print their tables; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m bench.drill", description=__doc__)
    parser.add_argument("--all", action="store_true", help="every scenario with three seeds, and the victims")
    parser.add_argument("--ablate", action="store_true", help="each part of the guard left out in turn")
    parser.add_argument("--write", action="store_true", help="put table and chart into the documents")
    chosen, console = parser.parse_args(), Console()
    if chosen.ablate:
        console.print(
            table.for_people(
                list(_in_turn(range(len(PARTS)), ablated, console)),
                "Each part left out in turn",
                table.ABLATION_EXPLAINED,
            )
        )
        return
    scenarios = SCENARIOS if chosen.all else tuple(each for each in SCENARIOS if each.in_story)
    seeds = SEEDS if chosen.all else SEEDS[:1]
    jobs = list(groups(scenarios, ("before", "guard"), seeds))
    results = [result for played in _in_turn(jobs, played_group, console) for result in played]
    lines = table.rows(sorted(results, key=lambda result: names(scenarios).index(result.scenario.name)))
    console.print(table.for_people(lines, "SMS pumping, before and now", table.EXPLAINED))
    missed = [line["scenario"] for line in lines if line["held"] != "yes"]
    if chosen.all:
        sieges = list(_in_turn(victim.SIEGES, besieged, console))
        title = "One number under attack for two weeks"
        console.print(table.for_people(sieges, title, table.SIEGES_EXPLAINED))
        missed += [line["scenario"] for line in sieges if line["held"] != "yes"]
    if chosen.write:
        write(lines)
    if missed:
        sys.exit(f"A goal is missed: {', '.join(missed)}")


def names(scenarios: tuple[Scenario, ...]) -> list[str]:
    """The scenarios' names in their order."""
    return [each.name for each in scenarios]


def groups(
    scenarios: tuple[Scenario, ...], policies: tuple[str, ...], seeds: tuple[int, ...]
) -> Iterator[Group]:
    """Group scenarios that share their warm days: one process plays those days once."""
    together: dict[object, list[Scenario]] = {}
    for each in scenarios:
        warm_up = (repr(each.habits), each.warm_days, repr(each.drip), each.yesterday is None)
        together.setdefault(warm_up, []).append(each)
    for shared in sorted(together.values(), key=len, reverse=True):
        for policy in policies:
            for seed in seeds:
                yield policy, seed, tuple(shared)


def played_group(group: Group) -> list[ScenarioResult]:
    """Play a group of scenarios in one process."""
    policy, seed, scenarios = group
    player = Player(policy, seed)
    return [player.play(each) for each in scenarios]


def ablated(index: int) -> dict[str, str]:
    """The row of one part: its scenario with the whole guard and without the part."""
    part, scenario = PARTS[index], PARTS[index].scenario
    whole = Player("guard", 1).play(scenario)
    if part.habits:
        scenario = replace(scenario, habits=replace(scenario.habits, **part.habits))
    with part.without():
        without = Player("guard", 1).play(scenario)
    return {
        "part": part.name,
        "scenario": scenario.name,
        "refused %, with it": f"{whole.people.refused_percent:.1f}",
        "without": f"{without.people.refused_percent:.1f}",
        "challenged %, with it": f"{whole.people.challenged_percent:.1f}",
        "without it": f"{without.people.challenged_percent:.1f}",
        "USD, with it": f"{whole.attackers.dollars:.0f}",
        "USD without": f"{without.attackers.dollars:.0f}",
    }


def besieged(siege: victim.Siege) -> dict[str, str]:
    """The row of one siege."""
    with quick():
        hours = victim.hours_out(World(deployment()), siege)
    return {
        "scenario": siege.name,
        "hours out": str(hours),
        "goal": f"{siege.most_hours} hours",
        "held": "yes" if hours <= siege.most_hours else f"{hours} > {siege.most_hours}",
    }


def _in_turn(jobs: Sequence[Job], work: Callable[[Job], Result], console: Console) -> Iterator[Result]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    workers = min(2, os.cpu_count() or 1)
    with Progress(*columns, console=console) as progress, ProcessPoolExecutor(workers) as pool:
        task = progress.add_task("playing", total=len(jobs))
        for result in pool.map(work, jobs):
            progress.advance(task)
            yield result


def write(lines: list[dict[str, str]]) -> None:
    """Replace the table between the markers in the page, and the chart."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{table.markdown(lines)}\n{END}{after}")
    CHART.write_text(table.chart(lines))


if __name__ == "__main__":
    main()
