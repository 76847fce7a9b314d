"""Measure the processor time of processes, by the operating system's accounting."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Program:
    """A Python program, run in an interpreter that imports only from the paths of its environment."""

    arguments: Sequence[str]
    environment: Mapping[str, str]

    @property
    def command(self) -> list[str]:
        """The command. `-S` hides this virtual environment's packages."""
        return [sys.executable, "-S", *self.arguments]

    def cpu_ms(self) -> float:
        """User and system time of one run, in milliseconds. Raises `CalledProcessError` if it fails."""
        with subprocess.Popen(self.command, env=dict(self.environment), stdout=subprocess.DEVNULL) as process:  # noqa: S603 - programs of our own
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, self.command)
        return (used.ru_utime + used.ru_stime) * 1000


def in_turn(programs: Mapping[str, Program], runs: int, step: Callable[[], object]) -> dict[str, list[float]]:
    """Milliseconds of `runs` runs of each, A B C A B C …, after one uncounted run that writes bytecode."""
    samples: dict[str, list[float]] = {name: [] for name in programs}
    for run in range(runs + 1):
        for name, program in programs.items():
            used = program.cpu_ms()
            if run:
                samples[name].append(used)
            step()
    return samples
