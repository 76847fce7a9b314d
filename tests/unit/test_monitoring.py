"""Alarms, dashboard and saved queries name metrics, events and panels that exist."""

import ast
import json
import os
import re
import subprocess
import textwrap
from collections.abc import Iterator
from typing import Any

import pytest

from local.template import ROOT, resource, template
from sms_otp.adapters.telemetry import metrics
from sms_otp.domain.keys import verification_key

DASHBOARD = resource("Dashboard")["DashboardBody"]["Fn::Sub"]
DOCUMENT = (ROOT / "docs/monitoring.md").read_text()
WIDGETS: list[dict[str, Any]] = json.loads(DASHBOARD)["widgets"]
BY_NAME = {metric.name: metric for metric in metrics.all()}
SEARCH = re.compile(r"SEARCH\('\{SmsOtp,service,(?P<by>\w+)\} MetricName=\"(?P<name>\w+)\"")
OF_AWS = {
    ("AWS/Lambda", "Errors"),
    ("AWS/Lambda", "Throttles"),
    ("AWS/Lambda", "Duration"),
    ("AWS/ApiGateway", "4XXError"),
    ("AWS/ApiGateway", "5XXError"),
    ("AWS/DynamoDB", "ConsumedReadCapacityUnits"),
    ("AWS/DynamoDB", "ConsumedWriteCapacityUnits"),
    ("AWS/DynamoDB", "ReadThrottleEvents"),
    ("AWS/DynamoDB", "WriteThrottleEvents"),
}
"""As AWS's documentation names them."""


def of_type(kind: str) -> dict[str, dict[str, Any]]:
    made = template()["Resources"].items()
    return {name: resource["Properties"] for name, resource in made if resource["Type"] == kind}


ALARMS = of_type("AWS::CloudWatch::Alarm")
QUERIES = of_type("AWS::Logs::QueryDefinition")


def rows() -> Iterator[list[Any]]:
    """Every row of every panel of metrics."""
    for widget in WIDGETS:
        yield from widget["properties"].get("metrics", ())


def events() -> set[str]:
    """Every string constant of the code; the names of all its events are among them."""
    found = set()
    for path in (ROOT / "layers/core/sms_otp").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return found


def test_the_dashboard_shows_every_metric_by_dimensions_that_it_has() -> None:
    shown = set()
    for row in rows():
        *named, options = row if isinstance(row[-1], dict) else (*row, {})
        if "expression" in options:
            if (search := SEARCH.match(options["expression"])) is not None:
                assert search["by"] in BY_NAME[search["name"]].by, row
                shown.add(search["name"])
            continue
        namespace, name, *pairs = named
        if namespace != metrics.NAMESPACE:
            assert (namespace, name) in OF_AWS, row
            continue
        assert {*pairs[::2]} <= {"service", *BY_NAME[name].by}, row
        shown.add(name)
    assert shown == BY_NAME.keys(), "every metric of ours is on the dashboard"


def test_every_calculation_on_the_dashboard_uses_existing_rows() -> None:
    for widget in WIDGETS:
        own = [row[-1] for row in widget["properties"].get("metrics", ()) if isinstance(row[-1], dict)]
        ids = {options["id"] for options in own if "id" in options}
        for options in own:
            if not SEARCH.match(options.get("expression", "SEARCH")):
                used = set(re.findall(r"\b[a-z]\d\b", options.get("expression", "")))
                assert used <= ids


def test_the_panels_of_the_dashboard_fill_its_grid_and_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for widget in WIDGETS:
        columns = range(widget["x"], widget["x"] + widget["width"])
        cells = {(x, y) for x in columns for y in range(widget["y"], widget["y"] + widget["height"])}
        assert not cells & taken, widget["properties"]["title"]
        taken |= cells
    height = 1 + max(y for _, y in taken)
    assert taken == {(x, y) for x in range(24) for y in range(height)}


def test_every_unconditional_alarm_is_on_the_dashboard() -> None:
    (widget,) = (widget for widget in WIDGETS if widget["type"] == "alarm")
    shown = {arn.removeprefix("${").removesuffix(".Arn}") for arn in widget["properties"]["alarms"]}
    always = {name for name in ALARMS if "Condition" not in template()["Resources"][name]}
    assert shown == always


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_has_one_metric_the_topic_and_a_first_step(name: str) -> None:
    alarm = ALARMS[name]
    assert "Metrics" not in alarm
    assert alarm["AlarmActions"] == alarm["OKActions"] == [{"Ref": "AlarmTopic"}]
    assert ". First: " in alarm["AlarmDescription"]
    assert len(alarm["AlarmDescription"]) <= 1024
    # Nothing measured is nothing wrong: at night there may be no request for hours.
    assert alarm["TreatMissingData"] == "notBreaching"


def test_every_function_but_custom_resources_has_an_alarm_on_errors() -> None:
    """API Gateway counts a crash that it rewords as 4XX. A custom resource fails the deployment."""
    watched = {
        dimension["Value"]["Ref"]
        for alarm in ALARMS.values()
        for dimension in alarm["Dimensions"]
        if alarm["MetricName"] == "Errors"
    }
    functions = of_type("AWS::Serverless::Function").keys()
    assert watched == functions - {"CheckSettingsFunction", "ProvisionInfobipFunction"}


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarms_threshold_is_constant_except_for_request_surges(name: str) -> None:
    threshold = ALARMS[name]["Threshold"]
    assert isinstance(threshold, int | float) or (name == "RequestSurgeAlarm" and "Ref" in threshold)


@pytest.mark.parametrize("name", [name for name in ALARMS if ALARMS[name]["Namespace"] == "SmsOtp"])
def test_an_alarm_of_ours_is_on_a_metric_of_the_whole_service(name: str) -> None:
    assert ALARMS[name]["MetricName"] in BY_NAME
    assert ALARMS[name]["Dimensions"] == [{"Name": "service", "Value": {"Ref": "AWS::StackName"}}]


def test_every_event_that_a_query_or_an_alarm_names_is_emitted() -> None:
    texts = [widget["properties"].get("query", "") for widget in WIDGETS]
    texts += [alarm["AlarmDescription"] for alarm in ALARMS.values()]
    texts += [query["QueryString"] for query in QUERIES.values()]
    named = set(re.findall(r"\b(?:otp|provider|breaker|webhook|send|request)_[a-z]+\b", " ".join(texts)))
    fields = {"request_id", "provider_ref"}
    assert len(named - fields) >= 5
    assert named - fields <= events()


def test_every_event_that_troubleshooting_looks_for_is_emitted() -> None:
    page = (ROOT / "docs/troubleshooting.md").read_text()
    queries = [
        text for text in re.findall(r"^```\n(.*?)^```$", page, re.DOTALL | re.MULTILINE) if "fields " in text
    ]
    named = {name for query in queries for name in re.findall(r'"([a-z]+_[a-z_]+)"', query)}
    assert len(named) >= 5
    assert named <= events()


def test_every_panel_that_an_alarm_names_is_on_the_dashboard() -> None:
    titles = [widget["properties"]["title"].lower() for widget in WIDGETS]
    texts = " ".join(alarm["AlarmDescription"] for alarm in ALARMS.values())
    sent_to = {
        panel
        for panels in re.findall(r"the dashboard's ([a-z' ]+)", texts)
        for panel in panels.strip().split(" and ")
    }
    assert len(sent_to) >= 5
    for panel in sent_to:
        assert any(title.startswith(panel) for title in titles), panel


def test_alarms_name_only_existing_parameters_and_metrics() -> None:
    known = {*template()["Parameters"], *BY_NAME, "Misconfigured"}
    for name, alarm in ALARMS.items():
        camel = set(re.findall(r"\b(?:[A-Z][a-z]+){2,}\b", alarm["AlarmDescription"]))
        assert camel <= known, name


def groups_of(*names: str) -> list[dict[str, Any]]:
    """The functions' log groups as a query names them; a conditional group under its condition."""
    groups = [f"{name}LogGroup" for name in names]
    conditions = {group: template()["Resources"][group].get("Condition") for group in groups}
    refs = {group: {"Ref": group} for group in groups}
    return [
        {"Fn::If": [conditions[group], ref, {"Ref": "AWS::NoValue"}]} if conditions[group] else ref
        for group, ref in refs.items()
    ]


SENDING = ("RequestOtp", "ResendOtp", "VerifyOtp", "CancelOtp")


@pytest.mark.parametrize(
    ("query", "functions"),
    [
        ("NumberQuery", (*SENDING, "Webhooks", "AwsEvents", "Admin")),
        ("VerificationQuery", (*SENDING, "Webhooks", "AwsEvents")),
        ("RequestQuery", (*SENDING, "OtpStatus", "Webhooks", "Admin", "Jwks", "DeepHealth")),
    ],
)
def test_a_query_reads_the_log_group_of_every_function_that_it_needs(
    query: str, functions: tuple[str, ...]
) -> None:
    groups = QUERIES[query]["LogGroupNames"]
    of_functions = [group for group in groups if group != {"Ref": "AccessLogGroup"}]
    assert sorted(map(str, of_functions)) == sorted(map(str, groups_of(*functions)))


def test_the_access_log_and_the_functions_logs_share_the_request_id() -> None:
    logged = json.loads(resource("Api")["AccessLogSetting"]["Format"])
    assert logged["requestId"] == "$context.requestId"
    (fields,) = re.findall("^fields (.+)$", QUERIES["RequestQuery"]["QueryString"], re.MULTILINE)
    assert set(fields.split(", ")) & logged.keys() == {"resourcePath", "status", "errorType"}
    assert {"Ref": "AccessLogGroup"} in QUERIES["RequestQuery"]["LogGroupNames"]


def table(heading: str) -> list[list[str]]:
    section = DOCUMENT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip(" `") for cell in row.strip("|").split("|")] for row in rows]


def test_the_page_lists_every_metric_with_its_dimensions_and_unit() -> None:
    listed = {name: (by, unit) for name, _, by, unit in table("Metrics")}
    widest = {metric.name: metric for metric in sorted(metrics.all(), key=lambda metric: len(metric.by))}
    assert listed == {name: (", ".join(metric.by) or "–", metric.unit) for name, metric in widest.items()}
    by_country = sum("country" in metric.by for metric in widest.values())
    by_provider = sum("provider" in metric.by for metric in widest.values())
    counted = f"{len(widest)} for the service, {by_country} more for each country and {by_provider} more"
    assert counted in DOCUMENT


def test_the_page_lists_every_alarm_with_its_metric_threshold_and_time() -> None:
    listed = {name: (metric, limit, within) for name, metric, _, limit, within in table("Alarms")}
    assert listed == {
        name: (alarm["MetricName"], threshold_of(alarm), f"{alarm['Period'] // 60} min")
        for name, alarm in ALARMS.items()
    }


def threshold_of(alarm: dict[str, Any]) -> str:
    threshold = alarm["Threshold"]
    if isinstance(threshold, int | float):
        return str(threshold)
    return f"{threshold['Ref']}={template()['Parameters'][threshold['Ref']]['Default']}"


def test_the_page_shows_the_saved_queries_as_they_are() -> None:
    blocks = re.findall(r"^ *```\n(.*?)^ *```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    shown = [textwrap.dedent(block) for block in blocks]
    assert shown == [query["QueryString"] for query in QUERIES.values()]


def test_the_page_shows_how_to_find_a_verification_in_the_log() -> None:
    (command,) = re.findall(r"`(printf .*?)`", DOCUMENT)
    environment = {"VERIFICATION_ID": "an-id", "PATH": os.environ["PATH"]}
    found = subprocess.run(["sh", "-c", command], env=environment, capture_output=True, text=True, check=True)  # noqa: S603, S607 - the page's own
    assert found.stdout.strip() == verification_key("an-id")[:16]
