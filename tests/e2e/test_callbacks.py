"""The providers' callbacks, signed by their stand-in and received by the deployed webhooks.

The stand-in signs the path of the URL that it calls, as Sinch does. Here that URL has the form of the API's
own URL on AWS, so the path contains the stage.
"""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from local.sandbox.credentials import (
    INFOBIP_WEBHOOK_PASSWORD,
    INFOBIP_WEBHOOK_USER,
    SINCH_APPLICATION_KEY,
    SINCH_APPLICATION_SECRET,
)
from local.sandbox.infobip_report import basic
from local.sandbox.sinch_auth import signature
from sms_otp.domain.keys import verification_key
from tests.e2e.conftest import Backend, fresh_number, passed
from tests.eventually import eventually

pytestmark = pytest.mark.e2e

TYPE = "application/json; charset=utf-8"


@pytest.fixture
def called_back(backend: Backend) -> Iterator[Backend]:
    """A stack that the providers' stand-in reports to."""
    backend.stack.take_callbacks()
    yield backend
    requests.put(f"{backend.stack.sandbox_url}/callbacks", json={}, timeout=10).raise_for_status()


def status(backend: Backend, verification_id: str) -> dict[str, Any]:
    answer = backend.post("/otp-status", {"verificationId": verification_id})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def delivery(backend: Backend, verification_id: str, expected: str) -> str:
    """The delivery in the status, once it is `expected` or the wait has timed out."""
    eventually(lambda: status(backend, verification_id)["delivery"] == expected)
    return str(status(backend, verification_id)["delivery"])


def reported(backend: Backend, number: str, outcome: str) -> None:
    """Have the stand-in report on the number's newest message once more."""
    report = {"to": number, "status": outcome}
    requests.post(f"{backend.stack.sandbox_url}/deliveries", json=report, timeout=10).raise_for_status()


def post(backend: Backend, provider: str, body: bytes, headers: dict[str, str]) -> tuple[int, Any]:
    """Call the deployed webhook without the stand-in. Returns the status and the body."""
    url = f"{backend.stack.base_url}/webhooks/{provider}"
    answer = requests.post(url, data=body, headers={"Content-Type": TYPE, **headers}, timeout=30)
    return answer.status_code, answer.json()


def signed(backend: Backend, event: dict[str, Any], *, age: float = 0.0) -> tuple[bytes, dict[str, str]]:
    """A callback of Sinch, `age` seconds old: its body and headers."""
    body = json.dumps(event).encode()
    timestamp = f"{datetime.fromtimestamp(time.time() - age, UTC):%Y-%m-%dT%H:%M:%S.%f}0Z"
    made = signature(
        secret=SINCH_APPLICATION_SECRET,
        method="POST",
        body=body,
        content_type=TYPE,
        timestamp=timestamp,
        path=f"{urlsplit(backend.stack.public_url).path}/webhooks/sinch",
    )
    return body, {"x-timestamp": timestamp, "Authorization": f"application {SINCH_APPLICATION_KEY}:{made}"}


def about(backend: Backend, verification_id: str) -> dict[str, Any]:
    """The fields that every event of Sinch has about a verification."""
    key = verification_key(verification_id)
    found = backend.stack.client("dynamodb").get_item(
        TableName=backend.stack.outputs["TableName"], Key={"pk": {"S": f"V#{key}"}}
    )["Item"]
    identity = {"type": "number", "endpoint": found["phone"]["S"]}
    return {"id": found["providerRef"]["S"], "method": "sms", "reference": key, "identity": identity}


@pytest.mark.parametrize(("provider", "area"), [("sinch", "787"), ("infobip", "")])
def test_a_delivery_report_shows_in_the_status(called_back: Backend, provider: str, area: str) -> None:
    number = fresh_number(area)
    verification_id = called_back.requested(number)
    (message,) = called_back.inbox(number)
    assert message["provider"] == provider
    assert delivery(called_back, verification_id, "delivered") == "delivered"
    # Out of order: a failure that is reported after the delivery is older.
    reported(called_back, number, "failed")
    assert called_back.verify(verification_id, message["code"]).status_code == 200
    assert status(called_back, verification_id)["delivery"] == "delivered"


def test_a_delivery_event_of_aws_arrives_through_its_topic(backend: Backend) -> None:
    verification_id = backend.requested(fresh_number("416"))
    key, table = verification_key(verification_id), backend.stack.outputs["TableName"]
    held = backend.stack.client("dynamodb").get_item(TableName=table, Key={"pk": {"S": f"V#{key}"}})["Item"]
    event = {"messageId": held["messages"]["SS"][0], "isFinal": True, "context": {"reference": key}}
    topic = backend.stack.outputs["AwsEventsTopicArn"]
    for event_type in ("TEXT_QUEUED", "TEXT_DELIVERED", "TEXT_CARRIER_UNREACHABLE"):
        message = json.dumps({**event, "eventType": event_type})
        backend.stack.client("sns").publish(TopicArn=topic, Message=message)
    assert delivery(backend, verification_id, "delivered") == "delivered"
    assert status(backend, verification_id)["status"] == "pending"


def test_a_sinch_result_event_counts_as_a_delivery_and_verifies_nobody(backend: Backend) -> None:
    number = fresh_number("787")
    verification_id = backend.requested(number)
    result = {**about(backend, verification_id), "event": "VerificationResultEvent", "status": "SUCCESSFUL"}
    sent = signed(backend, result)
    for _ in range(2):
        assert post(backend, "sinch", *sent) == (200, {})
    found = status(backend, verification_id)
    assert (found["status"], found["delivery"]) == ("pending", "delivered")
    assert backend.verify(verification_id, backend.code(number)).status_code == 200


def test_sinch_is_allowed_reserved_sends_and_denied_those_of_a_stolen_key(
    called_back: Backend,
) -> None:
    called_back.requested(fresh_number("787"))
    number = fresh_number("787")
    stolen = (SINCH_APPLICATION_KEY, SINCH_APPLICATION_SECRET)
    body = {"identity": {"type": "number", "endpoint": number}, "method": "sms", "reference": "a-stolen-key"}
    url = f"{called_back.stack.sandbox_url}/sinch/verification/v1/verifications"
    refused = requests.post(url, json=body, auth=stolen, timeout=30)
    assert (refused.status_code, refused.json()["message"]) == (403, "Denied by callback.")
    assert called_back.inbox(number) == []


@pytest.mark.parametrize("is_set_up", [True, False])
def test_a_resend_by_sinch_repeats_the_code_if_sinch_calls_back(
    called_back: Backend, is_set_up: bool
) -> None:
    if not is_set_up:
        requests.put(f"{called_back.stack.sandbox_url}/callbacks", json={}, timeout=10).raise_for_status()
    number = fresh_number("787")
    verification_id = called_back.requested(number)
    passed(called_back, number, 31)
    again = called_back.post("/resend-otp", {"verificationId": verification_id})
    assert (again.status_code, again.json()["sameCode"]) == (200, is_set_up)
    newest, oldest = (message["code"] for message in called_back.inbox(number))
    assert (newest == oldest) is is_set_up
    verified = called_back.verify(verification_id, oldest)
    assert verified.status_code == (200 if is_set_up else 400)


def test_forged_and_stale_callbacks_change_nothing(backend: Backend) -> None:
    number = fresh_number("787")
    verification_id = backend.requested(number)
    before = status(backend, verification_id)
    event = {**about(backend, verification_id), "event": "VerificationSmsDeliveredEvent"}
    body, headers = signed(backend, {**event, "smsResult": "Failed"})
    forgeries = {
        "unsigned": (body, {}),
        "another body": (body.replace(b"Failed", b"Successful"), headers),
        "another time": (body, {**headers, "x-timestamp": "2026-01-01T00:00:00.0000000Z"}),
        "stale": signed(backend, {**event, "smsResult": "Failed"}, age=600),
        "from the future": signed(backend, {**event, "smsResult": "Failed"}, age=-600),
    }
    assert {name: post(backend, "sinch", *sent)[0] for name, sent in forgeries.items()} == dict.fromkeys(
        forgeries, 401
    )
    report = b'{"results": [{"messageId": "any", "status": {"groupId": 2}}]}'
    assert post(backend, "infobip", report, basic(INFOBIP_WEBHOOK_USER, "another"))[0] == 401
    by_infobip = basic(INFOBIP_WEBHOOK_USER, INFOBIP_WEBHOOK_PASSWORD)
    assert post(backend, "infobip", report, by_infobip) == (200, {})
    after = status(backend, verification_id)
    # `resendAfter` counts down meanwhile.
    assert after == before | {"resendAfter": after["resendAfter"]}
