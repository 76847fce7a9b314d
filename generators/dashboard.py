"""`make dashboard`: draw the deployed dashboard's panels from a run of the local stack.

    python -m generators.dashboard .local/dashboard.png

The metrics in the functions' log lines are put into the emulated CloudWatch, as on AWS, and each panel
queries it by the template's dashboard. Panels of log queries are counted from the lines.
"""

import itertools
import json
import math
import re
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from generators.rush_hour import PARAMETERS, RushHour
from local.stack import STACK_NAME, LocalStack
from local.stack_file import REGION
from ops.measured import Line, datapoints, lines

BUCKET = 5
"""Seconds of the run drawn as one minute of a panel: a run is far shorter than a dashboard's span."""
COLUMNS, UNIT, MARGIN = 24, 0.8, 0.52
"""CloudWatch's grid; inches of one grid unit, and between panels."""
ALARM_ROWS = 3
HEADROOM = 1.45
"""Factor over a panel's highest value, which leaves room for the legend."""
COLOURS = ("#2563eb", "#d9480f", "#15803d", "#7c3aed", "#b91c1c", "#0e7490", "#a16207", "#475569")
CALCULATED = re.compile(r"IF\((?P<part>\w+) > (?P<whole>\w+), 100, 100 \* (?P=part) / (?P=whole)\)")
"""A percentage capped at 100: codes sent in one period may be verified in the next."""
SEARCHED = re.compile(
    r"SEARCH\('\{(?P<ns>\w+),service,(?P<by>\w+)\} MetricName=\"(?P<name>\w+)\" .*', '(?P<stat>\w+)'\)"
)
INSIGHTS_QUERY = re.compile(
    r"filter message (?:=|in) (?P<events>.+?) "
    r"\| stats count\(\*\) as times by (?P<by>[\w, ]+) \| .*limit (?P<most>\d+)"
)

Panel = Mapping[str, Any]
Values = dict[float, float]


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a panel: values by second of the run."""

    label: str
    values: Values
    on_the_right: bool = False


class CloudWatch:
    """The emulated CloudWatch: the operations that panels use."""

    def __init__(self, stack: LocalStack, start: float, end: float) -> None:
        self._client = stack.client("cloudwatch")
        self._start = start - start % (5 * BUCKET)
        self.moments = [float(at) for at in range(0, int(end - self._start), BUCKET)]
        self.colours: dict[str, str] = {}
        """The colour of each country and provider, equal in every panel."""

    def take(self, logged: Sequence[Line]) -> None:
        """Put the metrics of log lines, as CloudWatch extracts them."""
        every = (point for line in logged for point in datapoints(line))
        points = [point for point in every if point.at >= self._start]
        for first in range(0, len(points), 500):
            data = [
                {
                    "MetricName": point.name,
                    "Dimensions": [{"Name": n, "Value": v} for n, v in point.dimensions.items()],
                    "Value": point.value,
                    "Timestamp": point.at,
                }
                for point in points[first : first + 500]
            ]
            self._client.put_metric_data(Namespace="SmsOtp", MetricData=data)

    def dashboard(self) -> list[Panel]:
        """The deployed dashboard's panels."""
        body = self._client.get_dashboard(DashboardName=f"{STACK_NAME}-{REGION}")["DashboardBody"]
        return list(json.loads(body)["widgets"])

    def values(
        self, namespace: str, name: str, dimensions: Mapping[str, str], stat: str, period: int = 60
    ) -> Values:
        """One statistic of a metric, by seconds since the start."""
        step = BUCKET * period // 60
        extended = re.fullmatch(r"p\d+", stat)
        statistics = {"ExtendedStatistics": [stat]} if extended else {"Statistics": [stat]}
        found = self._client.get_metric_statistics(
            Namespace=namespace,
            MetricName=name,
            Dimensions=[{"Name": n, "Value": v} for n, v in dimensions.items()],
            StartTime=self._start,
            EndTime=time.time() + 60,
            Period=step,
            **statistics,
        )["Datapoints"]
        values = {
            (point["Timestamp"].timestamp() - self._start) // step * step: point["ExtendedStatistics"][stat]
            if extended
            else point[stat]
            for point in found
        }
        # Missing data is 0 in a sum, and a gap in any other statistic.
        missing = 0.0 if stat == "Sum" else math.nan
        moments = sorted({at // step * step for at in self.moments})
        return {at: values.get(at, missing) for at in moments} if values else {}

    def known(self, namespace: str, name: str, by: str) -> list[str]:
        """The values of the dimension `by` with which a metric was emitted."""
        listed = self._client.list_metrics(Namespace=namespace, MetricName=name)["Metrics"]
        dimensions = [{each["Name"]: each["Value"] for each in one["Dimensions"]} for one in listed]
        found = sorted(one[by] for one in dimensions if one.keys() == {"service", by})
        for place in found:
            self.colours.setdefault(place, COLOURS[len(self.colours) % len(COLOURS)])
        return found


def series_of(panel: Panel, cloudwatch: CloudWatch) -> list[Series]:
    """The series of a metrics panel."""
    properties = panel["properties"]
    by_id: dict[str, Values] = {}
    found: list[Series] = []
    for row in properties["metrics"]:
        *named, options = row if isinstance(row[-1], dict) else (*row, {})
        right = options.get("yAxis") == "right"
        if "expression" in options:
            found += [
                Series(label, values, right) for label, values in calculated(options, by_id, cloudwatch)
            ]
            continue
        namespace, name, *pairs = named
        dimensions = dict(zip(pairs[::2], pairs[1::2], strict=True))
        stat = options.get("stat", properties["stat"])
        values = cloudwatch.values(namespace, name, dimensions, stat, properties["period"])
        by_id[options.get("id", "")] = values
        if options.get("visible", True):
            found.append(Series(options.get("label", name), values, right))
    return [series for series in found if series.values]


def calculated(
    options: Mapping[str, str], by_id: Mapping[str, Values], cloudwatch: CloudWatch
) -> Iterator[tuple[str, Values]]:
    """Evaluate the dashboard's two kinds of expression: a percentage, and a search by one dimension."""
    if (quotient := CALCULATED.fullmatch(options["expression"])) is not None:
        part, whole = by_id[quotient["part"]], by_id[quotient["whole"]]
        shares = {
            at: min(100.0, 100 * part.get(at, 0) / count) if count else math.nan
            for at, count in whole.items()
        }
        yield options["label"], shares
        return
    found = match(SEARCHED, options["expression"])
    for place in cloudwatch.known(found["ns"], found["name"], found["by"]):
        dimensions = {"service": STACK_NAME, found["by"]: place}
        yield place, cloudwatch.values(found["ns"], found["name"], dimensions, found["stat"])


def match(form: re.Pattern[str], text: str) -> re.Match[str]:
    """Match an expression or query. Raises ValueError for an unsupported form."""
    found = form.search(text)
    if found is None:
        raise ValueError(text)
    return found


def counted(panel: Panel, logged: Sequence[Line]) -> list[tuple[str, ...]]:
    """The rows of a log query's panel, headings first."""
    query = match(INSIGHTS_QUERY, panel["properties"]["query"])
    events, by = set(re.findall(r'"(\w+)"', query["events"])), query["by"].split(", ")
    rows = Counter(
        tuple(str(line.get(name, "")) for name in by) for line in logged if line.get("message") in events
    )
    body = [(*row, str(times)) for row, times in rows.most_common(int(query["most"]))]
    return [(*by, "times"), *body]


def draw(panels: Sequence[Panel], cloudwatch: CloudWatch, logged: Sequence[Line], to: Path) -> None:
    """Draw all panels in CloudWatch's grid."""
    mpl.rcParams.update(
        {"font.size": 8, "axes.titlesize": 9.5, "axes.titleweight": "bold", "axes.titlelocation": "left"}
    )
    rows = max(panel["y"] + panel["height"] for panel in panels) + 0.35
    width, height = COLUMNS * UNIT, rows * UNIT * 0.78
    figure = Figure(figsize=(width, height), dpi=100, facecolor="#f2f4f7")
    for panel in panels:
        left, bottom = panel["x"] / COLUMNS, 1 - (panel["y"] + panel["height"] + 0.35) / rows
        box = (
            left + MARGIN / width,
            bottom + MARGIN / height,
            panel["width"] / COLUMNS - 1.45 * MARGIN / width,
            panel["height"] / rows - 1.35 * MARGIN / height,
        )
        axes = figure.add_axes(box, facecolor="white")
        axes.set_title(panel["properties"]["title"])
        _KINDS[panel["type"]](axes, panel, cloudwatch, logged)
    to.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(to, metadata={"Software": None})


def draw_metrics(axes: Axes, panel: Panel, cloudwatch: CloudWatch, _logged: Sequence[Line]) -> None:
    """Draw lines, or stacked bars; series of the right axis are dashed."""
    every = series_of(panel, cloudwatch)
    axes.spines[["top", "right"]].set_visible(False)
    if not every:
        axes.set(xticks=[], yticks=[])
        axes.text(0.5, 0.5, "measured only on AWS", ha="center", transform=axes.transAxes, color="#64748b")
        return
    bounds = panel["properties"].get("yAxis", {})
    right = axes.twinx() if any(series.on_the_right for series in every) else None
    if panel["properties"].get("stacked"):
        stack_up(axes, every, cloudwatch)
    else:
        for colour, series in zip(colours_of(every, cloudwatch), every, strict=True):
            on = right if series.on_the_right and right is not None else axes
            moments, values = list(series.values), list(series.values.values())
            style = "--" if series.on_the_right else "-"
            on.plot(
                moments, values, style, color=colour, marker=".", markersize=4, lw=1.4, label=series.label
            )
    for mark in panel["properties"].get("annotations", {}).get("horizontal", ()):
        axes.axhline(mark["value"], color="#64748b", lw=1, ls=":", label=mark["label"])
    limit(axes, bounds.get("left", {}))
    if right is not None:
        limit(right, bounds.get("right", {}))
        right.spines[["top"]].set_visible(False)
    axes.set_xlim(0, cloudwatch.moments[-1] + BUCKET)
    axes.xaxis.set_major_formatter(lambda second, _: f"{second:.0f} s")
    axes.grid(color="#e2e8f0", linewidth=0.6)
    axes.set_axisbelow(True)
    sides = (axes,) if right is None else (axes, right)
    handles = [handle for side in sides for handle in side.get_legend_handles_labels()[0]]
    columns = 2 if len(handles) > 3 and panel["width"] > 4 else 1
    (right or axes).legend(
        handles=handles, loc="upper left", fontsize=7, framealpha=0.8, edgecolor="none", ncols=columns
    )


def colours_of(every: Sequence[Series], cloudwatch: CloudWatch) -> list[str]:
    """The colour of a country or provider; for other series, the next unused one of the panel."""
    taken = {cloudwatch.colours.get(series.label) for series in every}
    free = itertools.cycle([colour for colour in COLOURS if colour not in taken] or COLOURS)
    return [cloudwatch.colours.get(series.label) or next(free) for series in every]


def stack_up(axes: Axes, every: Sequence[Series], cloudwatch: CloudWatch) -> None:
    """Draw stacked bars, which unlike areas do not interpolate between moments."""
    moments = cloudwatch.moments
    base = dict.fromkeys(moments, 0.0)
    for colour, series in zip(colours_of(every, cloudwatch), every, strict=True):
        heights = [series.values.get(at, 0.0) for at in moments]
        axes.bar(moments, heights, BUCKET * 0.8, bottom=list(base.values()), color=colour, label=series.label)
        base = {at: base[at] + high for at, high in zip(moments, heights, strict=True)}


def limit(axes: Axes, bounds: Mapping[str, float]) -> None:
    """Set the axis to the panel's bounds, with room for the legend."""
    highest = bounds.get("max") or axes.get_ylim()[1]
    axes.set_ylim(bottom=bounds.get("min", 0), top=highest * HEADROOM)
    if "max" in bounds:
        axes.set_yticks([tick for tick in axes.get_yticks() if 0 <= tick <= highest])
        axes.set_ylim(top=highest * HEADROOM)


def draw_log(axes: Axes, panel: Panel, _cloudwatch: CloudWatch, logged: Sequence[Line]) -> None:
    axes.axis("off")
    head, *body = counted(panel, logged)
    table = axes.table(
        cellText=body or [("",) * len(head)],
        colLabels=head,
        loc="upper center",
        cellLoc="left",
        edges="horizontal",
    )
    table.auto_set_font_size(False)
    table.set_fontsize(7.5)
    table.auto_set_column_width(list(range(len(head))))
    for (row, _), cell in table.get_celld().items():
        cell.set_edgecolor("#cbd5e1")
        cell.set_height(0.085)
        if row == 0:
            cell.set_text_props(weight="bold")


def draw_alarms(axes: Axes, panel: Panel, _cloudwatch: CloudWatch, _logged: Sequence[Line]) -> None:
    """Draw the alarms' names; two minutes are too short for their states."""
    names = [arn.rpartition(f"{STACK_NAME}-")[2].rpartition("-")[0] for arn in panel["properties"]["alarms"]]
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_color("#cbd5e1")
    columns = -(-len(names) // ALARM_ROWS)
    for place, name in enumerate(names):
        words = "\n".join(textwrap.wrap(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.removesuffix("Alarm")), 20))
        axes.text(
            (place % columns + 0.5) / columns,
            1 - (place // columns + 0.5) / ALARM_ROWS,
            words,
            ha="center",
            va="center",
            fontsize=8,
            bbox={"boxstyle": "round,pad=0.4", "facecolor": "#f1f5f9", "edgecolor": "#cbd5e1"},
            transform=axes.transAxes,
        )


_KINDS = {"metric": draw_metrics, "log": draw_log, "alarm": draw_alarms}


def main() -> None:
    """Run a stack and the traffic of `RushHour`, and draw the dashboard."""
    to = Path(sys.argv[1])
    with LocalStack(parameters=PARAMETERS, say=print) as stack:
        print(f"{datetime.now(UTC):%H:%M:%S} two minutes of traffic", flush=True)
        rush = RushHour(stack)
        rush.warm_up()
        start = time.time()
        rush.run()
        logged = lines(stack)
        cloudwatch = CloudWatch(stack, start, time.time())
        cloudwatch.take(logged)
        draw(cloudwatch.dashboard(), cloudwatch, logged, to)
    print(f"wrote {to}")


if __name__ == "__main__":
    main()
