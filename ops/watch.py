"""`make watch`: a stack's metrics, live in the terminal until Ctrl-C.

A deployed stack is read from CloudWatch, whose metrics are a minute or two old; the local stack from its
functions' log lines. CloudWatch bills each query: about 80 metrics every 30 seconds cost some 2 dollars a
day at list price, so stop it when you are done.
"""

import argparse
import contextlib
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.live import Live

from ops.board import ALL, WHOLE, Board, Minute, draw, minutes_of
from ops.deployed import Deployed, StackNotFound, find
from ops.measured import datapoints, lines
from sms_otp.adapters.telemetry.metrics import NAMESPACE
from sms_otp.domain.clock import MINUTE, Clock

SPAN_MINUTES = 15
LOCAL_SECONDS, DEPLOYED_SECONDS = 2, 30
"""Between two refreshes."""
STATISTICS = ("Sum", "SampleCount", "p95")
QUERIES_AT_ONCE = 500
"""Limit of one GetMetricData call."""

Read = Callable[[float], Sequence[Minute]]
"""Reads the minutes since a time (seconds since the epoch)."""


def reader(stack: Deployed) -> Read:
    """The function that reads this stack's minutes."""
    if stack.is_local:
        return Remembered(
            lambda since: minutes_of(
                point for line in lines(stack, since=since) for point in datapoints(line)
            ),
            time.time,
        )
    return lambda since: from_cloudwatch(stack.client("cloudwatch"), since, time.time())


class Remembered:
    """Re-reads only minutes that may still change: reading the local stack means reading every line."""

    def __init__(self, read: Read, clock: Clock) -> None:
        self._read = read
        self._clock = clock
        self._held: Sequence[Minute] = ()
        self._final_until = 0

    def __call__(self, since: float) -> Sequence[Minute]:
        """See `Read`."""
        start = max(since, self._final_until)
        final = [each for each in self._held if since <= each.at < start]
        # All lines of a minute have arrived one minute later.
        final_until = (int(self._clock()) // MINUTE - 1) * MINUTE
        self._held = [*final, *self._read(start)]
        self._final_until = final_until
        return self._held


def from_cloudwatch(client: Any, since: float, until: float) -> list[Minute]:
    """Read every metric on the screen: for the service, each provider and each country."""
    queries = list(_queries(client))
    read: dict[tuple[str, str, str, int], dict[str, float]] = defaultdict(dict)
    for start in range(0, len(queries), QUERIES_AT_ONCE):
        chosen = queries[start : start + QUERIES_AT_ONCE]
        pages = client.get_paginator("get_metric_data").paginate(
            MetricDataQueries=[query for _, query in chosen],
            StartTime=datetime.fromtimestamp(since, UTC),
            EndTime=datetime.fromtimestamp(until, UTC),
        )
        keys = {query["Id"]: key for key, query in chosen}
        for result in (result for page in pages for result in page["MetricDataResults"]):
            name, kind, place, statistic = keys[result["Id"]]
            for at, value in zip(result["Timestamps"], result["Values"], strict=True):
                read[name, kind, place, int(at.timestamp()) // MINUTE * MINUTE][statistic] = value
    return [
        Minute(*key, total=found.get("Sum", 0), count=found.get("SampleCount", 0), p95=found.get("p95", 0))
        for key, found in read.items()
    ]


def _queries(client: Any) -> Iterator[tuple[tuple[str, str, str, str], dict[str, Any]]]:
    """Yield ((metric, kind, place, statistic), query) for each statistic of each existing metric."""
    number = 0
    for page in client.get_paginator("list_metrics").paginate(Namespace=NAMESPACE):
        for metric in page["Metrics"]:
            places = [each for each in metric["Dimensions"] if each["Name"] != "service"]
            if metric["MetricName"] not in ALL or len(places) > 1:
                continue
            kind, place = (places[0]["Name"], places[0]["Value"]) if places else ("", WHOLE)
            for statistic in STATISTICS:
                number += 1
                statistics = {"Metric": metric, "Period": MINUTE, "Stat": statistic}
                yield (
                    (metric["MetricName"], kind, place, statistic),
                    {"Id": f"q{number}", "MetricStat": statistics},
                )


def watch(stack: Deployed, read: Read, span: int) -> None:
    """Draw until interrupted."""
    pause = LOCAL_SECONDS if stack.is_local else DEPLOYED_SECONDS
    with Live(screen=True, auto_refresh=False) as live:
        while True:
            now = time.time()
            live.update(draw(Board(read(now - span * MINUTE), now, span), stack.name), refresh=True)
            time.sleep(pause)


def main() -> None:
    """Watch until Ctrl-C; exits with 1 and a message if the stack does not exist."""
    parser = argparse.ArgumentParser(prog="python -m ops.watch")
    parser.add_argument("--stack", default="", help="a stack's name (default: the local stack)")
    parser.add_argument(
        "--minutes", type=int, default=SPAN_MINUTES, help="to look back (default: %(default)s)"
    )
    chosen = parser.parse_args()
    try:
        stack = find(chosen.stack)
    except StackNotFound as error:
        sys.exit(f"watch: {error}")
    with contextlib.suppress(KeyboardInterrupt):
        watch(stack, reader(stack), chosen.minutes)


if __name__ == "__main__":
    main()
