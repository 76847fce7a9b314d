"""Profile warm verifications: `profiled.py HOW_MANY_FUNCTIONS`.

Prints the table on standard error, because the functions log to standard output.
"""

import cProfile
import pstats
import sys

from bench.programs.verification import request, verify

VERIFICATIONS = 50

verify(request())
profiler = cProfile.Profile()
with profiler:
    for _ in range(VERIFICATIONS):
        verify(request())
pstats.Stats(profiler, stream=sys.stderr).strip_dirs().sort_stats("tottime").print_stats(int(sys.argv[1]))
