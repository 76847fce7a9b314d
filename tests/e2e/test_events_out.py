"""Events on the emulated EventBridge, brought to a queue by the rule that docs/events.md has."""

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
    """A queue's URL, to which the page's rule brings every verified sign-up."""
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
    raise AssertionError("nothing came")


def test_a_verified_sign_up_comes_to_the_queue_without_its_number(backend: Backend, queue: str) -> None:
    number = fresh_number()
    other, asked = backend.requested(fresh_number()), backend.requested(number, purpose="sign-up")
    assert backend.verify(other, "000000").status_code in (200, 400)
    assert backend.verify(asked, backend.code(number)).status_code == 200
    event = received(backend.stack, queue)
    assert (event["source"], event["detail-type"]) == ("sms-otp", "otp.verified")
    detail = event["detail"]
    assert (detail["verification"], detail["purpose"]) == (verification_key(asked)[:16], "sign-up")
    assert (detail["country"], detail["provider"]) == ("US", "infobip")
    assert number[-9:] not in json.dumps(event)
