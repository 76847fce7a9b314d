"""Events on the emulated EventBridge, sent to a queue by the rule of docs/events.md."""

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from local.stack import LocalStack
from local.template import ROOT
from sms_otp.domain.keys import verification_key
from tests.e2e.conftest import Backend, fresh_number

pytestmark = pytest.mark.e2e

PATTERN = re.search(r"--event-pattern '(.+)'", (ROOT / "docs/events.md").read_text())
WAIT_SECONDS = 30


@pytest.fixture
def backend(by_number: LocalStack) -> Backend:
    return Backend(by_number, by_number.api_key)


@pytest.fixture
def queue(by_number: LocalStack) -> Iterator[str]:
    """The URL of a queue that receives every verified sign-up by the page's rule."""
    assert PATTERN
    bus, sqs = by_number.client("events"), by_number.client("sqs")
    url = str(sqs.create_queue(QueueName="verified-sign-ups")["QueueUrl"])
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    bus.put_rule(Name="verified-sign-ups", EventPattern=PATTERN[1])
    bus.put_targets(Rule="verified-sign-ups", Targets=[{"Id": "queue", "Arn": arn}])
    yield url
    bus.remove_targets(Rule="verified-sign-ups", Ids=["queue"])
    bus.delete_rule(Name="verified-sign-ups")
    sqs.delete_queue(QueueUrl=url)


def received(stack: LocalStack, url: str) -> dict[str, Any]:
    """The first message of the queue."""
    sqs = stack.client("sqs")
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end:
        found = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", [])
        if found:
            event: dict[str, Any] = json.loads(found[0]["Body"])
            return event
    raise AssertionError("no message arrived")


def test_a_verified_sign_up_reaches_the_queue_without_its_number(backend: Backend, queue: str) -> None:
    number = fresh_number()
    other, sign_up = backend.requested(fresh_number()), backend.requested(number, purpose="sign-up")
    assert backend.verify(other, "000000").status_code in (200, 400)
    assert backend.verify(sign_up, backend.code(number)).status_code == 200
    event = received(backend.stack, queue)
    assert (event["source"], event["detail-type"]) == ("sms-otp", "otp.verified")
    detail = event["detail"]
    assert (detail["verification"], detail["purpose"]) == (verification_key(sign_up)[:16], "sign-up")
    assert (detail["country"], detail["provider"]) == ("US", "infobip")
    assert number[-9:] not in json.dumps(event)
