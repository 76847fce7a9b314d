"""`make bench`: measure cold starts, verifications and the layers' sizes, against two baselines.

    naive   the idiomatic stack: boto3, requests, phonenumbers, Powertools with its router and validation
    bare    the calls alone: boto3's DynamoDB client, and requests if a provider is called

Both are in `bench/programs`. Ours and the baselines are measured in turn, in one run.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench import containers, figures, places, tuning, units
from bench.figures import Figure, compared
from bench.measure import Program, in_turn
from local.processes import Child, free_port
from local.stack import LOGS
from local.stack_file import LOCAL, ROOT, LocalStackError

RUNS = 15
VERIFICATIONS = 20
"""Verifications in each of `RUNS` batches."""

CALLS_A_PROVIDER = (
    "request_otp",
    "resend_otp",
    "verify_otp",
    "deep_health",
)
CALLS_NO_PROVIDER = ("cancel_otp", "otp_status", "webhooks", "aws_events", "admin", "jwks", "health")

NAIVE_REACH, BARE_REACH, WARM_REACH, LAYER_REACH, ROUND_TRIPS = 0.45, 1.0, 0.97, 5.0, 3
Step = Callable[[], object]


def main() -> None:
    """Print the table; write `.local/bench.json`, and `.local/bench.md` for `docs/performance.md`."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS, help="runs of each program (default: %(default)s)")
    parser.add_argument(
        "--containers", choices=["auto", "no"], default="auto", help="whether to run Lambda's image"
    )
    arguments = parser.parse_args()
    console = Console()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        measured = list(_measured(arguments.runs, arguments.containers == "auto", progress))
    written = LOCAL / "bench.json"
    figures.write(measured, written)
    written.with_suffix(".md").write_text(figures.markdown(measured))
    console.print(figures.table(measured))
    console.print(f"wrote {written.relative_to(ROOT)}")


def _measured(runs: int, with_containers: bool, progress: Progress) -> Iterator[Figure]:
    host = containers.host() if with_containers else None
    building = progress.add_task("building the layers", total=1)
    places.prepare()
    progress.advance(building)
    with stub("127.0.0.1") as endpoint:
        yield from _starts(runs, endpoint, progress)
        yield from _verifications(runs, endpoint, progress)
        yield from _calls(endpoint)
    yield Figure("dependency layer, zipped", round(places.zipped("dependencies"), 2), "MB", reach=LAYER_REACH)
    yield Figure("our own layer, zipped", round(places.zipped("core"), 2), "MB")
    if host is not None:
        with stub(host) as endpoint:
            yield from tuning.figures_of(endpoint, progress)


@contextlib.contextmanager
def stub(host: str) -> Iterator[str]:
    """Run the stub for AWS and a provider in a process of its own. Yields its URL."""
    port = free_port(host)
    command = [sys.executable, "-m", "bench.stub", host, str(port)]
    variables = {**os.environ, "PYTHONPATH": str(ROOT)}
    with Child("The stub", command, variables, LOGS / "bench-stub.log") as child:
        child.answers(f"http://{host}:{port}/_calls", 20)
        yield f"http://{host}:{port}"


def _starts(runs: int, endpoint: str, progress: Progress) -> Iterator[Figure]:
    """Processor time until a function is ready for its first request, in a fresh interpreter."""
    ours = {
        name: Program(("-c", f"import {name}.app"), places.variables(endpoint))
        for name in (*CALLS_A_PROVIDER, *CALLS_NO_PROVIDER)
    }
    program = str(places.PROGRAMS / "{}.py")
    bare = places.variables(endpoint, more=("bare",))
    baselines = {
        "naive": Program((program.format("naive"),), places.variables(endpoint, opt=places.HOME / "naive")),
        "bare, with a provider": Program((program.format("bare"), "provider"), bare),
        "bare": Program((program.format("bare"),), bare),
    }
    # `/opt` is read-only on Lambda: without bytecode in a layer, every cold start compiles it.
    source = Program(("-B", "-c", "import request_otp.app"), places.variables(endpoint, opt=places.source()))
    programs = {**ours, **baselines, "source": source}
    task = progress.add_task("starts", total=(runs + 1) * len(programs))
    samples = in_turn(programs, runs, lambda: progress.advance(task))
    for name in ours:
        yield compared(
            f"start of {name}, against naive", samples[name], samples["naive"], "ms CPU", NAIVE_REACH
        )
        least = "bare, with a provider" if name in CALLS_A_PROVIDER else "bare"
        yield compared(f"start of {name}, against bare", samples[name], samples[least], "ms CPU", BARE_REACH)
    compiled = "start with bytecode in the layers, compared with none"
    yield compared(compiled, samples["request_otp"], samples["source"], "ms CPU", None)


def _verifications(runs: int, endpoint: str, progress: Progress) -> Iterator[Figure]:
    """Processor time of a warm verification, against the yardstick's calls by boto3 and requests alone."""
    task = progress.add_task("verifications", total=1)
    samples = json.loads(_run(endpoint, "warm.py", str(runs), str(VERIFICATIONS)))
    progress.advance(task)
    yield compared(
        "a warm verification, compared with the yardstick",
        samples["ours"],
        samples["bare"],
        "ms CPU",
        WARM_REACH,
    )


EVENTS = {"request": "request_otp-sms", "verify": "verify_otp-code"}


def _calls(endpoint: str) -> Iterator[Figure]:
    """The DynamoDB calls of a warm verification, as the stub counted them, and their units."""
    for name, calls in _recorded(endpoint).items():
        to_dynamodb = [call for call in calls if call["operation"] in units.OPERATIONS]
        spent = units.total(to_dynamodb)
        yield Figure(f"DynamoDB round trips of {name}", len(to_dynamodb), "calls", reach=ROUND_TRIPS)
        yield Figure(f"DynamoDB read units of {name}", spent.read, "units")
        yield Figure(f"DynamoDB write units of {name}", spent.write, "units")


def _recorded(endpoint: str) -> dict[str, list[dict[str, Any]]]:
    """The calls of a request and of its verification, by function."""
    calls: dict[str, list[dict[str, Any]]] = json.loads(_run(endpoint, "once.py"))
    return calls


def _run(endpoint: str, program: str, *arguments: str) -> str:
    """Run a program that calls both functions, with their events as input. Returns its last line."""
    events = {
        name: json.loads((ROOT / "events" / f"{file}.json").read_text()) for name, file in EVENTS.items()
    }
    done = subprocess.run(  # noqa: S603 - a command of our own
        [sys.executable, "-S", str(places.PROGRAMS / program), endpoint, *arguments],
        input=json.dumps(events),
        env=places.variables(endpoint, more=("bare",)),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise LocalStackError(done.stderr)
    return done.stdout.splitlines()[-1]


if __name__ == "__main__":
    try:
        main()
    except LocalStackError as error:
        sys.exit(f"make bench: {error}")
