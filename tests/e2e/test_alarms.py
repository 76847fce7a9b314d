"""Every alarm of the template, driven into ALARM and back by the metrics of the deployed functions.

One stack with small limits is driven through good and bad hours in a few seconds. The test puts the metrics
that its functions logged (embedded metric format) into the emulated CloudWatch, and only those with the
alarm's dimensions, because MiniStack compares a metric's name alone. The points of bad hours are dated so
that they are about to leave the alarm's window; then the good ones alone decide. If a metric exists only when
something is wrong, a zero stands for the silence after it, which CloudWatch takes for no alarm
(`TreatMissingData: notBreaching`) and MiniStack does not evaluate.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from local.stack import STACK_NAME, LocalStack
from local.template import template
from ops.measured import Datapoint, datapoints, lines
from sms_otp.adapters.telemetry import metrics
from sms_otp.domain.budgets import DayCounter
from sms_otp.domain.clock import seconds
from sms_otp.domain.prices import USD
from tests.e2e.conftest import SENDER, Backend
from tests.e2e.test_iam_enforced import without
from tests.eventually import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.long]

Properties = dict[str, Any]

ALARMS: dict[str, Properties] = {
    name: made["Properties"]
    for name, made in template()["Resources"].items()
    if made["Type"] == "AWS::CloudWatch::Alarm"
}
STIMULI = {
    "DeliverySuccessAlarm": "a code is reported as not delivered",
    "VerifySuccessAlarm": "six wrong codes",
    "NumberSpikeAlarm": "twelve requests for one number, eleven of them refused",
    "NumberFailuresAlarm": "six wrong codes for one number, over two verifications",
    "RequestSurgeAlarm": "more than forty requests in all, of which an hour may have twenty",
    "UnverifiedRatioAlarm": "twenty codes to a country where nobody verifies",
    "ExpiredUnusedAlarm": "nine in ten of the day's earlier codes were never typed",
    "SuspectSendsAlarm": "nine in ten unused codes, as above: the guard records what it would refuse",
    "ProviderErrorAlarm": "Infobip answers 500",
    "ProviderCredentialsAlarm": "Infobip refuses the key",
    "BreakerOpenAlarm": "Infobip fails five times in a row",
    "DailyCapAlarm": "three fifths of a cap of 50 codes are sent",
    "WebhookRefusedAlarm": "five callbacks without a signature",
    "TokenFailedAlarm": "a right code while the function may not sign",
}
"""What sets off each alarm."""
ONLY_WHEN_WRONG = {
    "SuspectSendsAlarm",
    "ProviderErrorAlarm",
    "ProviderCredentialsAlarm",
    "BreakerOpenAlarm",
    "WebhookRefusedAlarm",
    "TokenFailedAlarm",
}
"""Alarms whose metric has no points while all is well."""
AWS_OWN: dict[tuple[str, str], tuple[set[str], float]] = {
    ("AWS/Lambda", "Errors"): ({"FunctionName"}, 1),
    ("AWS/Lambda", "Throttles"): ({"FunctionName"}, 1),
    ("AWS/Lambda", "Duration"): ({"FunctionName"}, 9_000),
    ("AWS/ApiGateway", "5XXError"): ({"ApiName", "Stage"}, 5),
    ("AWS/DynamoDB", "ReadThrottleEvents"): ({"TableName"}, 1),
    ("AWS/DynamoDB", "WriteThrottleEvents"): ({"TableName"}, 1),
}
"""The metrics of AWS services, as AWS documents them: their dimensions, and a bad value of each."""

SECONDS_LEFT = 4.0
"""How long a bad point stays in its alarm's window after it was put into CloudWatch."""
PRICE = USD // 50
USERS = 3
"""Users who verify in the good time."""
BAD_REQUESTS = 1 + 2 + 12 + 1 + 1 + 5 + 20
"""Requests for codes in the bad time."""


@dataclass(frozen=True)
class Measured:
    """The points of a good time and of a bad one."""

    good: list[Datapoint]
    bad: list[Datapoint]

    @staticmethod
    def for_alarm(points: list[Datapoint], alarm: Properties) -> list[Datapoint]:
        """The points of the alarm's metric and dimensions."""
        dimensions = {each["Name"]: STACK_NAME for each in alarm["Dimensions"]}
        return [
            point for point in points if point.name == alarm["MetricName"] and point.dimensions == dimensions
        ]


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    """A deployment whose limits are soon reached."""
    parameters = {
        # 50 codes, of which 10 are kept for known numbers.
        "DailySpendCap": "1",
        "SmsPrices": f"*={PRICE / USD:g}",
        "PumpingGuard": "record",
        "ResendGapSeconds": "0",
        "AlarmRequestsPerHour": "20",
        "FailuresBeforeWait": "10",
        # These features have alarms only when they are on.
        "IssueTokens": "true",
        "KeepUsers": "true",
        "AwsSmsIdentityArn": SENDER,
        "EventBusName": "default",
        "TwilioApi": "true",
    }
    with LocalStack(parameters=parameters) as running:
        yield running


@pytest.fixture(scope="module")
def measured(stack: LocalStack) -> Measured:
    backend = Backend(stack, stack.api_key)
    earlier_today(stack, unverified=25, verified=75)
    be_well(backend)
    good = points_with(stack, "OtpVerified", USERS)
    earlier_today(stack, unverified=90, verified=10)
    go_wrong(backend)
    return Measured(good, points_with(stack, "OtpRequested", USERS + BAD_REQUESTS)[len(good) :])


def earlier_today(stack: LocalStack, unverified: int, verified: int) -> None:
    """Write codes of earlier hours, in thousands, into the country's item of the day."""
    day = DayCounter.of("B#US", seconds(time.time))
    amounts = {":open": unverified, ":verified": verified}
    stack.client("dynamodb").update_item(
        TableName=stack.outputs["TableName"],
        Key={"pk": {"S": day.first}},
        UpdateExpression="SET #open = :open, verified = :verified",
        ExpressionAttributeNames={"#open": "open"},
        ExpressionAttributeValues={
            name: {"N": str(1_000 * codes * PRICE)} for name, codes in amounts.items()
        },
    )


def points_of(stack: LocalStack) -> list[Datapoint]:
    return sorted((point for line in lines(stack) for point in datapoints(line)), key=lambda point: point.at)


def points_with(stack: LocalStack, metric: str, times: int) -> list[Datapoint]:
    """All points, once they contain `times` of one metric: a line reaches the log after its answer."""
    of_service = {"service": STACK_NAME}

    def found() -> list[Datapoint]:
        points = points_of(stack)
        of_metric = [point for point in points if (point.name, point.dimensions) == (metric, of_service)]
        return points if len(of_metric) == times else []

    points = eventually(found)
    assert points, f"not {times} points of {metric}"
    return points


def be_well(backend: Backend) -> None:
    """Three users request a code and verify it, one of them at the second attempt."""
    backend.stack.take_callbacks()
    for number in numbers("415", USERS):
        verification_id = backend.requested(number)
        await_delivery(backend, verification_id)
        if number.endswith("2"):
            guess_wrong(backend, number, verification_id)
        assert backend.verify(verification_id, backend.code(number)).status_code == 200


def go_wrong(backend: Backend) -> None:
    lost = backend.requested("+12125550100")
    report = {"to": "+12125550100", "status": "failed"}
    requests.post(f"{backend.stack.sandbox_url}/deliveries", json=report, timeout=10).raise_for_status()
    await_delivery(backend, lost)
    requests.put(f"{backend.stack.sandbox_url}/callbacks", json={}, timeout=10).raise_for_status()
    for guesses in (5, 1):
        guess_wrong(backend, "+12125550101", backend.requested("+12125550101"), guesses)
    for _ in range(12):
        backend.request("+12125550102")
    for _ in range(5):
        requests.post(f"{backend.stack.base_url}/webhooks/sinch", json={}, timeout=10)
    backend.spoil("infobip", "send", "401")
    backend.requested("+12125550103")
    unsigned = backend.requested("+12125550104")
    with without(backend.stack, "VerifyOtpRole", "kms:Sign"):
        assert backend.verify(unsigned, backend.code("+12125550104")).status_code == 200
    backend.spoil("infobip", "send", "500", times=5)
    for number in numbers("305", 5):
        backend.requested(number)
    for number in numbers("416", 20):
        backend.requested(number)


def numbers(area: str, count: int) -> list[str]:
    """Numbers of the range reserved for fiction in one area: 416 is Toronto, where nobody verifies."""
    return [f"+1{area}55501{index:02d}" for index in range(count)]


def guess_wrong(backend: Backend, number: str, verification_id: str, times: int = 1) -> None:
    wrong = "000000" if backend.code(number) != "000000" else "111111"
    for _ in range(times):
        answer = backend.verify(verification_id, wrong)
        assert answer.json()["errorCode"] == "OTP_INCORRECT", answer.text


def await_delivery(backend: Backend, verification_id: str) -> None:
    def delivery() -> str:
        return str(backend.post("/otp-status", {"verificationId": verification_id}).json()["delivery"])

    assert eventually(lambda: delivery() != "accepted"), "no delivery report came"


class CloudWatch:
    """The emulated CloudWatch, with alarms by their names in the template."""

    def __init__(self, stack: LocalStack) -> None:
        self._client = stack.client("cloudwatch")
        made = stack.client("cloudformation").describe_stack_resources(StackName=STACK_NAME)
        self._names = {
            each["PhysicalResourceId"]: each["LogicalResourceId"] for each in made["StackResources"]
        }

    def put(self, alarm: Properties, values: list[float], at: float) -> None:
        """Put values of an alarm's metric, measured `at` seconds since the epoch."""
        metric = alarm["MetricName"]
        data = [{"MetricName": metric, "Value": value, "Timestamp": at} for value in values]
        self._client.put_metric_data(Namespace=alarm["Namespace"], MetricData=data)

    def states(self) -> dict[str, str]:
        """The state of each alarm."""
        described = self._client.describe_alarms()["MetricAlarms"]
        return {self._names[alarm["AlarmName"]]: alarm["StateValue"] for alarm in described}


def test_every_alarm_fires_on_bad_measurements_and_recovers_on_good_ones(
    stack: LocalStack, measured: Measured, capsys: pytest.CaptureFixture[str]
) -> None:
    cloudwatch, off = CloudWatch(stack), dict[str, float]()
    for name, alarm in ALARMS.items():
        values = bad_values(alarm, measured)
        assert values, f"{name}: nothing measured {alarm['MetricName']}"
        started = time.monotonic()
        window = alarm["Period"] * alarm["EvaluationPeriods"]
        cloudwatch.put(alarm, values, time.time() - window + SECONDS_LEFT)
        assert cloudwatch.states()[name] == "ALARM", (name, values)
        off[name] = time.monotonic() - started
    # The bad points must leave their windows before an alarm can recover.
    time.sleep(SECONDS_LEFT)
    for name, alarm in ALARMS.items():
        cloudwatch.put(alarm, good_values(name, alarm, measured), time.time())
    assert cloudwatch.states() == dict.fromkeys(ALARMS, "OK")
    with capsys.disabled():
        print(report(off))


def bad_values(alarm: Properties, measured: Measured) -> list[float]:
    own = AWS_OWN.get((alarm["Namespace"], alarm["MetricName"]))
    return [own[1]] if own else [point.value for point in measured.for_alarm(measured.bad, alarm)]


def good_values(name: str, alarm: Properties, measured: Measured) -> list[float]:
    silent = alarm["Namespace"] != metrics.NAMESPACE or name in ONLY_WHEN_WRONG
    return [0.0] if silent else [point.value for point in measured.for_alarm(measured.good, alarm)]


def report(off: dict[str, float]) -> str:
    rows = [f"\n{'alarm':32}{'within':>8}  {'seconds':>8}  stimulus"]
    for name, passed in off.items():
        period = f"{ALARMS[name]['Period'] // 60} min"
        rows.append(f"{name:32}{period:>8}  {passed:8.2f}  {STIMULI.get(name, 'a value of AWS')}")
    return "\n".join(rows)


def test_every_alarm_watches_a_metric_that_exists() -> None:
    known = {(metrics.NAMESPACE, metric.name) for metric in metrics.all()} | AWS_OWN.keys()
    for name, alarm in ALARMS.items():
        assert (alarm["Namespace"], alarm["MetricName"]) in known, name


def test_each_alarm_uses_the_dimensions_of_its_metric() -> None:
    for name, alarm in ALARMS.items():
        used = {each["Name"] for each in alarm["Dimensions"]}
        own = AWS_OWN.get((alarm["Namespace"], alarm["MetricName"]))
        assert used == (own[0] if own else {"service"}), name


def test_every_alarm_on_our_metrics_has_a_stimulus() -> None:
    ours = {name for name, alarm in ALARMS.items() if alarm["Namespace"] == metrics.NAMESPACE}
    assert STIMULI.keys() == ours
