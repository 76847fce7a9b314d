"""`make bench-profile`: profile a start by module, and a warm verification by function.

Both profilers slow the program down: trust the shares more than the times.
"""

import json
import subprocess
import sys

from bench import places
from bench.__main__ import EVENTS, stub
from local.stack_file import ROOT

SHOWN = 25


def main() -> None:
    """Print both profiles."""
    places.prepare()
    with stub("127.0.0.1") as endpoint:
        variables = places.variables(endpoint, more=("bare",))
        # The first run writes bytecode, so that the second shows no compilation.
        for _ in range(2):
            report = _run(variables, "-X", "importtime", "-c", "import request_otp.app").stderr
        print("start of request_otp, by module, microseconds: self | cumulative")
        for line in sorted(report.splitlines()[1:], key=_itself, reverse=True)[:SHOWN]:
            print(line.removeprefix("import time: "))
        events = {
            name: json.loads((ROOT / "events" / f"{file}.json").read_text()) for name, file in EVENTS.items()
        }
        program = [str(places.PROGRAMS / "profiled.py"), str(SHOWN)]
        print("warm verifications, by function")
        print(_run(variables, *program, stdin=json.dumps(events)).stderr)


def _itself(line: str) -> int:
    return int(line.removeprefix("import time:").partition("|")[0])


def _run(variables: dict[str, str], *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-S", *arguments]
    return subprocess.run(command, env=variables, input=stdin, capture_output=True, text=True, check=True)  # noqa: S603 - programs of our own


if __name__ == "__main__":
    main()
