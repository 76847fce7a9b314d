"""The callbacks of the fake providers: signed as the real ones are, and sent to this machine only."""

import base64
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from fakes.memory import START, StepClock
from local.sandbox.app import create_wide_app
from local.sandbox.callbacks import MOST_AT_ONCE, Callbacks
from local.sandbox.credentials import (
    INFOBIP_API_KEY,
    INFOBIP_APPLICATION_ID,
    INFOBIP_MESSAGE_ID,
    SINCH_APPLICATION_KEY,
    SINCH_APPLICATION_SECRET,
)
from local.sandbox.server import running_sandbox
from local.sandbox.sinch_auth import signature
from sms_otp.adapters.providers.infobip_callbacks import InfobipCallbacks
from sms_otp.adapters.providers.sinch_callbacks import SinchCallbacks
from sms_otp.domain.commands import Callback
from tests.contract.receiver import PATIENCE, Received, Receiver, receiving

NUMBER = "+14155550123"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as kept:
        yield kept


@pytest.fixture
def sandbox() -> Iterator[str]:
    """A sandbox for each test, so that no verification of another test is pending."""
    with running_sandbox(app=create_wide_app(clock=StepClock(), delivery_seconds=0)) as url:
        yield url


def callbacks(sandbox: str, body: object) -> requests.Response:
    return requests.put(f"{sandbox}/callbacks", json=body, timeout=5)


def start(sandbox: str, **more: object) -> requests.Response:
    body = {"identity": {"type": "number", "endpoint": NUMBER}, "method": "sms", **more}
    url = f"{sandbox}/sinch/verification/v1/verifications"
    return requests.post(url, json=body, auth=(SINCH_APPLICATION_KEY, SINCH_APPLICATION_SECRET), timeout=5)


def report(sandbox: str, verification_id: str, code: str) -> requests.Response:
    url = f"{sandbox}/sinch/verification/v1/verifications/id/{verification_id}"
    account = (SINCH_APPLICATION_KEY, SINCH_APPLICATION_SECRET)
    return requests.put(url, json={"method": "sms", "sms": {"code": code}}, auth=account, timeout=5)


def send_pin(sandbox: str, **more: object) -> Any:
    body = {
        "applicationId": INFOBIP_APPLICATION_ID,
        "messageId": INFOBIP_MESSAGE_ID,
        "to": NUMBER[1:],
        **more,
    }
    headers = {"Authorization": f"App {INFOBIP_API_KEY}"}
    return requests.post(f"{sandbox}/infobip/2fa/2/pin", json=body, headers=headers, timeout=5).json()


def deliver(sandbox: str, to: object = NUMBER, status: object = "failed") -> requests.Response:
    return requests.post(f"{sandbox}/deliveries", json={"to": to, "status": status}, timeout=5)


def inbox(sandbox: str) -> list[dict[str, str]]:
    messages: list[dict[str, str]] = requests.get(f"{sandbox}/inbox", timeout=5).json()
    return messages


def test_sinch_calls_back_before_a_send_and_after_its_delivery(sandbox: str, receiver: Receiver) -> None:
    url = f"{receiver.url}/prod/webhooks/sinch"
    assert callbacks(sandbox, {"sinch": url}).json() == {"sinch": url}
    answer = start(sandbox, reference="our-reference")
    assert answer.status_code == 200
    requested = receiver.next()
    subject = {
        "id": answer.json()["id"],
        "method": "sms",
        "identity": {"type": "number", "endpoint": NUMBER},
        "reference": "our-reference",
    }
    price = {"price": {"amount": 0.0453, "currencyId": "EUR"}}
    assert requested.json == {"event": "VerificationRequestEvent", **subject, **price}
    delivered = receiver.next_event("VerificationSmsDeliveredEvent")
    assert delivered.json == {
        "event": "VerificationSmsDeliveredEvent",
        **subject,
        "smsResult": "Successful",
    }
    for received in (requested, delivered):
        assert_signed_by_sinch(received, "/prod/webhooks/sinch")


def assert_signed_by_sinch(received: Received, path: str) -> None:
    assert received.path == path
    timestamp = received.headers["x-timestamp"]
    made = signature(
        secret=SINCH_APPLICATION_SECRET,
        method="POST",
        body=received.body,
        content_type=received.headers["content-type"],
        timestamp=timestamp,
        path=path,
    )
    assert received.headers["authorization"] == f"application {SINCH_APPLICATION_KEY}:{made}"
    assert timestamp == "2027-01-15T08:00:00.0000000Z"


@pytest.mark.parametrize("method", ["sms", "callout"])
def test_the_callback_may_bring_the_code_to_be_sent(sandbox: str, receiver: Receiver, method: str) -> None:
    callbacks(sandbox, {"sinch": receiver.url})
    receiver.answer = (200, json.dumps({"action": "allow", method: {"code": "01234567"}}).encode())
    verification_id = start(sandbox, method=method).json()["id"]
    assert inbox(sandbox)[0]["code"] == "01234567"
    if method == "sms":
        assert report(sandbox, verification_id, "01234567").json()["status"] == "SUCCESSFUL"


def test_whatsapp_takes_no_code_from_the_callback(sandbox: str, receiver: Receiver) -> None:
    callbacks(sandbox, {"sinch": receiver.url})
    receiver.answer = (200, b'{"action":"allow","whatsapp":{"code":"01234567"}}')
    assert start(sandbox, method="whatsapp").status_code == 200
    assert len(inbox(sandbox)[0]["code"]) == 6


def test_a_start_that_the_callback_denies_is_not_sent(sandbox: str, receiver: Receiver) -> None:
    callbacks(sandbox, {"sinch": f"{receiver.url}/"})
    receiver.answer = (200, b'{"action":"deny"}')
    answer = start(sandbox)
    assert (answer.status_code, answer.json()["errorCode"]) == (403, 40303)
    assert "Denied" in answer.json()["message"]
    assert inbox(sandbox) == []
    result = receiver.next_event("VerificationResultEvent").json
    assert (result["status"], result["reason"]) == ("DENIED", "Denied by callback")


@pytest.mark.parametrize(
    "answer",
    [
        (500, b'{"action":"allow"}'),
        (200, b""),
        (200, b"[]"),
        (200, b'{"action":"maybe"}'),
        (200, b'{"action":"allow","sms":{"code":"too long a code"}}'),
        (302, b""),
    ],
)
def test_a_start_is_refused_if_the_answer_of_the_callback_is_invalid(
    sandbox: str, receiver: Receiver, answer: tuple[int, bytes]
) -> None:
    callbacks(sandbox, {"sinch": receiver.url})
    receiver.answer = answer
    refused = start(sandbox)
    assert (refused.status_code, refused.json()["message"]) == (403, "Invalid callback.")
    assert inbox(sandbox) == []
    assert receiver.next_event("VerificationResultEvent").json["reason"] == "Invalid callback"


def test_a_start_is_refused_if_the_callback_is_unreachable(sandbox: str) -> None:
    callbacks(sandbox, {"sinch": "http://127.0.0.1:1/"})
    assert start(sandbox).status_code == 403
    assert inbox(sandbox) == []


def test_the_sandbox_keeps_serving_while_a_callback_is_awaited(sandbox: str, receiver: Receiver) -> None:
    callbacks(sandbox, {"sinch": receiver.url})
    receiver.hangs.set()
    answers: list[int] = []
    waiting = threading.Thread(target=lambda: answers.append(start(sandbox, reference="once").status_code))
    waiting.start()
    receiver.next()
    assert requests.get(f"{sandbox}/healthz", timeout=1).status_code == 200
    # The reference is in use by then, so a second start with it is refused.
    assert start(sandbox, reference="once").status_code == 409
    receiver.let_go.set()
    waiting.join(PATIENCE)
    assert answers == [200]
    assert len(inbox(sandbox)) == 1


@pytest.mark.parametrize(
    ("right", "status", "source"), [(True, "SUCCESSFUL", "manual"), (False, "FAIL", None)]
)
def test_sinch_calls_back_with_the_result_of_a_verification(
    sandbox: str, receiver: Receiver, right: bool, status: str, source: str | None
) -> None:
    callbacks(sandbox, {"sinch": receiver.url})
    verification_id = start(sandbox).json()["id"]
    code = inbox(sandbox)[0]["code"]
    other = f"{(int(code) + 1) % 10**6:06d}"
    for _ in range(1 if right else 11):
        report(sandbox, verification_id, code if right else other)
    result = receiver.next_event("VerificationResultEvent").json
    assert (result["id"], result["status"], result.get("source")) == (verification_id, status, source)


def test_a_newer_start_aborts_the_older_one_with_a_callback(sandbox: str, receiver: Receiver) -> None:
    callbacks(sandbox, {"sinch": receiver.url})
    older = start(sandbox).json()["id"]
    start(sandbox)
    result = receiver.next_event("VerificationResultEvent").json
    assert (result["id"], result["status"]) == (older, "ABORTED")


def test_a_call_has_no_delivery_report(sandbox: str, receiver: Receiver) -> None:
    callbacks(sandbox, {"sinch": receiver.url})
    start(sandbox, method="callout")
    requested = receiver.next().json
    assert (requested["event"], requested["method"]) == ("VerificationRequestEvent", "callout")
    assert deliver(sandbox).status_code == 400


def test_infobip_reports_the_delivery_of_a_tracked_message(sandbox: str, receiver: Receiver) -> None:
    callbacks(
        sandbox, {"infobip": {"url": f"{receiver.url}/infobip", "username": "user", "password": "word"}}
    )
    sent = send_pin(sandbox, trackDelivery=True)
    received = receiver.next()
    assert received.path == "/infobip"
    (result,) = received.json["results"]
    assert result["messageId"] == sent["externalMessageId"]
    assert result["to"] == NUMBER[1:]
    assert result["doneAt"] == "2027-01-15T08:00:00.000+0000"
    assert (result["status"]["groupName"], result["status"]["name"]) == ("DELIVERED", "DELIVERED_TO_HANDSET")
    assert result["error"]["name"] == "NO_ERROR"


def test_infobip_reports_with_and_without_basic_credentials(sandbox: str, receiver: Receiver) -> None:
    callbacks(sandbox, {"infobip": {"url": receiver.url, "username": "user", "password": "word"}})
    send_pin(sandbox, trackDelivery=True)
    basic = base64.b64encode(b"user:word").decode()
    assert receiver.next().headers["authorization"] == f"Basic {basic}"
    callbacks(sandbox, {"infobip": receiver.url})
    send_pin(sandbox, trackDelivery=True)
    assert "authorization" not in receiver.next().headers


def test_a_delivery_report_can_be_sent_by_hand_and_repeated(sandbox: str, receiver: Receiver) -> None:
    callbacks(sandbox, {"infobip": receiver.url, "sinch": receiver.url})
    message_id = send_pin(sandbox, trackDelivery=True)["externalMessageId"]
    receiver.next()
    for status, group in [
        ("failed", "UNDELIVERABLE"),
        ("delivered", "DELIVERED"),
        ("failed", "UNDELIVERABLE"),
    ]:
        assert deliver(sandbox, status=status).status_code == 202
        (result,) = receiver.next().json["results"]
        assert (result["messageId"], result["status"]["groupName"]) == (message_id, group)
        assert result["error"]["permanent"] is (status == "failed")
    start(sandbox)
    receiver.next_event("VerificationSmsDeliveredEvent")
    deliver(sandbox)
    assert receiver.next_event("VerificationSmsDeliveredEvent").json["smsResult"] == "Failed"


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ([], "object"),
        ({"to": NUMBER}, "status"),
        ({"to": NUMBER, "status": "lost"}, "delivered, failed"),
        ({"to": NUMBER, "status": ["failed"]}, "delivered, failed"),
        ({"to": "+14155550199", "status": "failed"}, "no message"),
        ({"to": 7, "status": "failed"}, "no message"),
    ],
)
def test_a_bad_request_for_a_delivery_report_says_what_is_wrong(
    sandbox: str, body: object, named: str
) -> None:
    answer = requests.post(f"{sandbox}/deliveries", json=body, timeout=5)
    assert answer.status_code == 400
    assert named in answer.json()["error"]


def test_the_service_accepts_callbacks_that_the_sandbox_signs(sandbox: str, receiver: Receiver) -> None:
    password = "a-password-that-is-shared"
    infobip = {"url": f"{receiver.url}/v1/webhooks/infobip", "username": "user", "password": password}
    callbacks(sandbox, {"sinch": f"{receiver.url}/v1/webhooks/sinch", "infobip": infobip})
    start(sandbox)
    send_pin(sandbox, trackDelivery=True)
    got = [receiver.next() for _ in range(3)]
    events = [Callback(each.path, each.headers, each.body) for each in got]
    account = {"applicationKey": SINCH_APPLICATION_KEY, "applicationSecret": SINCH_APPLICATION_SECRET}
    by_sinch = [event for event in events if event.path.endswith("/sinch")]
    (by_infobip,) = [event for event in events if event.path.endswith("/infobip")]
    assert [SinchCallbacks().refusal(event, account, START) for event in by_sinch] == [None, None]
    shared = {"webhookUser": "user", "webhookPassword": password}
    assert InfobipCallbacks().refusal(by_infobip, shared, START) is None
    another = shared | {"webhookPassword": "another"}
    assert InfobipCallbacks().refusal(by_infobip, another, START) == "password"


def test_a_callback_to_a_name_under_localhost_reaches_this_machine(sandbox: str, receiver: Receiver) -> None:
    port = receiver.url.rpartition(":")[2]
    url = f"http://an-api.execute-api.localhost:{port}/v1/webhooks/sinch"
    assert callbacks(sandbox, {"sinch": url}).status_code == 200
    assert start(sandbox).status_code == 200
    requested = receiver.next_event("VerificationRequestEvent")
    assert (requested.path, requested.headers["host"]) == (
        "/v1/webhooks/sinch",
        f"an-api.execute-api.localhost:{port}",
    )


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"aws": "http://127.0.0.1:1/"},
        {"sinch": 7},
        {"sinch": ""},
        {"sinch": "https://127.0.0.1:1/"},
        {"sinch": "http://example.com/"},
        {"sinch": "http://169.254.169.254/"},
        {"sinch": "http://10.0.0.1/"},
        {"sinch": "http://0.0.0.0/"},
        {"sinch": "http://user@127.0.0.1/"},
        {"sinch": "http://examplelocalhost/"},
        {"sinch": "http://127.0.0.1@example.com/"},
        {"sinch": "http://localhost.example.com/"},
        {"sinch": "http://[::1/"},
        {"sinch": {"url": "http://127.0.0.1:1/", "secret": "x"}},
        {"infobip": {"username": "x"}},
        {"infobip": {"url": "http://127.0.0.1:1/", "password": 7}},
        {"infobip": {"url": "http://127.0.0.1:1/", "key": "x"}},
    ],
)
def test_only_this_machine_is_called_back(sandbox: str, body: object) -> None:
    kept = {"sinch": "http://[::1]:4601/a", "infobip": "http://localhost:4601/b"}
    assert callbacks(sandbox, kept).json() == kept
    answer = callbacks(sandbox, body)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert requests.get(f"{sandbox}/callbacks", timeout=5).json() == kept


def test_a_body_that_is_not_json_is_refused(sandbox: str) -> None:
    for method, path in (("PUT", "callbacks"), ("POST", "deliveries")):
        answer = requests.request(method, f"{sandbox}/{path}", data=b"{", timeout=5)
        assert (answer.status_code, answer.json()) == (400, {"error": "the body must be JSON"})


def test_callbacks_under_way_are_bounded_and_the_rest_are_dropped(receiver: Receiver) -> None:
    receiver.hangs.set()
    posting = Callbacks()
    for _ in range(2 * MOST_AT_ONCE):
        posting.post(receiver.url, b"{}", {})
    under_way = [thread for thread in threading.enumerate() if thread.name == "callback"]
    assert len(under_way) == MOST_AT_ONCE
    receiver.let_go.set()
    for thread in under_way:
        thread.join(PATIENCE)
    assert receiver.received.qsize() == MOST_AT_ONCE
