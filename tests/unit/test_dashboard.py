"""The dashboard's picture: its shares, its colours, and where it is written."""

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from generators.dashboard import CALCULATED, COLOURS, CloudWatch, Series, calculated, colours_of
from local.template import ROOT, resource
from tests.make import make

PANELS: list[dict[str, Any]] = json.loads(resource("Dashboard")["DashboardBody"]["Fn::Sub"])["widgets"]


def cloudwatch(**places: str) -> CloudWatch:
    """A CloudWatch that knows only the colours of these places."""
    made: Any = SimpleNamespace(colours=places)
    return made  # type: ignore[no-any-return] # the only attribute that is used


def test_every_share_on_the_dashboard_is_within_0_and_100() -> None:
    shares = [
        (panel["properties"]["yAxis"]["left"], options)
        for panel in PANELS
        for row in panel["properties"].get("metrics", ())
        for options in row
        if isinstance(options, dict) and "100 *" in options.get("expression", "")
    ]
    assert shares
    for bounds, options in shares:
        assert CALCULATED.fullmatch(options["expression"]), options
        assert bounds == {"min": 0, "max": 100}


def test_a_code_that_was_sent_in_the_period_before_makes_no_share_above_100() -> None:
    options = {"expression": "IF(v > s, 100, 100 * v / s)", "label": "infobip"}
    by_id = {"v": {0.0: 1.0, 5.0: 7.0, 10.0: 2.0}, "s": {0.0: 4.0, 5.0: 3.0, 10.0: 0.0}}
    ((label, shares),) = calculated(options, by_id, cloudwatch())
    assert (label, shares[0.0], shares[5.0]) == ("infobip", 25.0, 100.0)
    assert math.isnan(shares[10.0])


def test_a_country_has_the_same_colour_on_every_panel() -> None:
    known = cloudwatch(CA=COLOURS[0], JM=COLOURS[1], US=COLOURS[2])
    panels = [("CA", "JM", "US"), ("CA", "US"), ("US", "% of the day's cap"), ("requested", "sent")]
    for labels in panels:
        drawn = dict(zip(labels, colours_of([Series(label, {}) for label in labels], known), strict=True))
        assert len(set(drawn.values())) == len(labels)
        for place in drawn.keys() & known.colours.keys():
            assert drawn[place] == known.colours[place]


@pytest.mark.parametrize(
    ("arguments", "written"),
    [((), ".local/dashboard.png"), (("TO=docs/images/dashboard.png",), "docs/images/dashboard.png")],
)
def test_make_dashboard_writes_nothing_that_is_tracked_unless_a_path_is_given(
    tmp_path: Path, arguments: tuple[str, ...], written: str
) -> None:
    assert f"started: -m generators.dashboard {written}\n" in make(tmp_path, "dashboard", *arguments)
    assert "/.local/" in (ROOT / ".gitignore").read_text().split()
