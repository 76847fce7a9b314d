"""Warm verifications under Python's profiler: `profiled.py HOW_MANY_FUNCTIONS`.

The table is on standard error, for on standard output is what the functions log.
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
