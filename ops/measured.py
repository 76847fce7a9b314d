"""Log lines of a local stack's functions, and the metrics in them.

CloudWatch extracts metrics from lines in the embedded metric format (EMF); MiniStack only stores the lines.
So they are parsed here, by EMF's rules.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

LOG_GROUPS = (
    "RequestOtpLogGroup",
    "ResendOtpLogGroup",
    "VerifyOtpLogGroup",
    "WebhooksLogGroup",
)
"""Log groups of the functions that emit metrics, by logical id."""

Line = Mapping[str, Any]


class Stack(Protocol):
    """A stack whose logs can be read: see `local.stack.LocalStack` and `ops.deployed.Deployed`."""

    @property
    def outputs(self) -> Mapping[str, str]: ...

    def client(self, service: str) -> Any: ...

    def physical_id(self, resource: str) -> str: ...


@dataclass(frozen=True, slots=True)
class Datapoint:
    """One value of a metric under one set of dimensions. `at` in seconds since the epoch."""

    namespace: str
    name: str
    dimensions: Mapping[str, str]
    value: float
    unit: str
    at: float


def lines(stack: Stack, *groups: str, since: float = 0) -> list[Line]:
    """JSON lines of these log groups, oldest first within each; `since` in seconds since the epoch."""
    logs = stack.client("logs")
    found: list[Line] = []
    for group in groups or _measuring(stack):
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=stack.physical_id(group), startTime=int(since * 1000)
        )
        messages = (event["message"].strip() for page in pages for event in page["events"])
        found += [json.loads(message) for message in messages if message.startswith("{")]
    return found


def _measuring(stack: Stack) -> tuple[str, ...]:
    """`LOG_GROUPS`, plus the AWS events function's if the stack has one."""
    return (*LOG_GROUPS, "AwsEventsLogGroup") if "AwsEventsTopicArn" in stack.outputs else LOG_GROUPS


def datapoints(line: Line) -> Iterator[Datapoint]:
    """The datapoints of one line: each metric's values, under each of its sets of dimensions."""
    embedded = line.get("_aws", {})
    for directive in embedded.get("CloudWatchMetrics", ()):
        for names in directive["Dimensions"]:
            dimensions = {name: str(line[name]) for name in names}
            for metric in directive["Metrics"]:
                values = line[metric["Name"]]
                for value in values if isinstance(values, list) else [values]:
                    yield Datapoint(
                        directive["Namespace"],
                        metric["Name"],
                        dimensions,
                        float(value),
                        metric.get("Unit", "None"),
                        embedded["Timestamp"] / 1000,
                    )
