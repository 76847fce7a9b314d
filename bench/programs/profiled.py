"""Warm verifications under Python's profiler: `profiled.py HOW_MANY_FUNCTIONS`."""

import contextlib
import cProfile
import io
import pstats
import sys

from bench.programs.verification import request, verify

VERIFICATIONS = 50

verify(request())
profiler = cProfile.Profile()
told = io.StringIO()
with profiler:
    for _ in range(VERIFICATIONS):
        verify(request())
with contextlib.redirect_stdout(told):
    pstats.Stats(profiler, stream=told).strip_dirs().sort_stats("tottime").print_stats(int(sys.argv[1]))
print(told.getvalue())
