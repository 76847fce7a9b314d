"""`make watch`: a stack's metrics, live in the terminal until Ctrl-C.

A deployed stack is read through CloudWatch, whose metrics are a minute or two old; the local one through
its functions' log lines. CloudWatch bills each look: about 80 metrics every 30 seconds are some 2 dollars
a day at list price, so close it when you have seen enough.
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
"""Between two looks."""
STATISTICS = ("Sum", "SampleCount", "p95")
QUERIES_AT_ONCE = 500
"""What GetMetricData takes."""

Read = Callable[[float], Sequence[Minute]]
"""The minutes since then (seconds since the epoch)."""


def reader(stack: Deployed) -> Read:
    """How this stack's minutes are had."""
    if stack.is_local:
        return Remembered(
            lambda since: minutes_of(
                point for line in lines(stack, since=since) for point in datapoints(line)
            ),
            time.time,
        )
    return lambda since: from_cloudwatch(stack.client("cloudwatch"), since, time.time())


class Remembered:
    """Reads again only the minutes that may still change: the local stack reads all lines for each look."""

    def __init__(self, read: Read, clock: Clock) -> None:
        self._read = read
        self._clock = clock
        self._held: Sequence[Minute] = ()
        self._final_until = 0

    def __call__(self, since: float) -> Sequence[Minute]:
        """See `Read`."""
        start = max(since, self._final_until)
        kept = [each for each in self._held if since <= each.at < start]
        # A minute's lines are all there a minute after it.
        final_until = (int(self._clock()) // MINUTE - 1) * MINUTE
        self._held = [*kept, *self._read(start)]
        self._final_until = final_until
        return self._held


def from_cloudwatch(client: Any, since: float, until: float) -> list[Minute]:
    """The minutes of every metric that is shown, of the whole service, each provider and each country."""
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
    """((metric, kind, place, statistic), query) for each statistic of each metric that there is."""
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
    """Ends with Ctrl-C, or with a message and 1 where there is no such stack."""
    parser = argparse.ArgumentParser(prog="python -m ops.watch")
    parser.add_argument("--stack", default="", help="a stack's name; the local stack where it is empty")
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
