"""The sandbox's own routes for inbox, calls and faults; its start, its counts and its stop."""

import asyncio
import base64
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Any

import pytest
import requests
from starlette.requests import Request
from starlette.types import Message

from fakes.memory import StepClock
from local.sandbox.app import create_wide_app
from local.sandbox.calls import Calls
from local.sandbox.credentials import credentials
from local.sandbox.faults import FAULTS, MOST_PENDING, MOST_TIMES, OF_PROVIDER, OPERATIONS, PROVIDERS
from local.sandbox.gateway import NOWHERE, hang
from local.sandbox.inbox import Inbox
from local.sandbox.memory import NEWEST_KEPT, Newest
from local.sandbox.server import bind, running_sandbox

NUMBER = "+14155550123"
OTHER = "+447700900123"
SHORT = 0.3
"""Seconds to wait where no answer may arrive."""

AWS_HEADERS = {
    "Content-Type": "application/x-amz-json-1.0",
    "X-Amz-Target": "PinpointSMSVoiceV2.SendTextMessage",
    "X-Amz-Date": "20240606T090841Z",
}
CHECKERS = ("infobip", "sinch")
"""The providers that check codes and report a status; AWS does neither."""


class Client:
    """Each provider's calls, and the control routes."""

    def __init__(self, sandbox: str) -> None:
        self.url = sandbox
        self.account = credentials(sandbox)

    def send(self, provider: str, to: str = NUMBER, *, timeout: float = 5) -> requests.Response:
        if provider == "infobip":
            ids = {name: self.account["infobip"][name] for name in ("applicationId", "messageId")}
            return self._call("POST", "/infobip/2fa/2/pin", ids | {"to": to[1:]}, timeout)
        if provider == "aws":
            text = {"DestinationPhoneNumber": to, "MessageBody": "Your verification code is 012345."}
            origin = {"OriginationIdentity": self.account["aws"]["originationIdentity"]}
            return self._call("POST", "/aws", text | origin, timeout)
        body = {"identity": {"type": "number", "endpoint": to}, "method": "sms"}
        return self._call("POST", "/sinch/verification/v1/verifications", body, timeout)

    def resend(self, ref: str) -> requests.Response:
        return self._call("POST", f"/infobip/2fa/2/pin/{ref}/resend")

    def check(self, provider: str, ref: str, code: str) -> requests.Response:
        if provider == "infobip":
            return self._call("POST", f"/infobip/2fa/2/pin/{ref}/verify", {"pin": code})
        body = {"method": "sms", "sms": {"code": code}}
        return self._call("PUT", f"/sinch/verification/v1/verifications/id/{ref}", body)

    def status(self, provider: str, ref: str) -> requests.Response:
        if provider == "infobip":
            application = self.account["infobip"]["applicationId"]
            path = f"/infobip/2fa/2/applications/{application}/verifications?msisdn={NUMBER[1:]}"
            return self._call("GET", path)
        return self._call("GET", f"/sinch/verification/v1/verifications/id/{ref}")

    def _call(self, method: str, path: str, body: Any = None, timeout: float = 5) -> requests.Response:
        headers = {"Authorization": self._authorization(path)}
        if path.startswith("/aws"):
            headers |= AWS_HEADERS
        return requests.request(
            method, self.url + path, json=body, headers=headers, timeout=timeout, allow_redirects=False
        )

    def _authorization(self, path: str) -> str:
        if path.startswith("/infobip"):
            return f"App {self.account['infobip']['apiKey']}"
        if path.startswith("/aws"):
            scope = "AKIDEXAMPLE/20240606/eu-west-1/sms-voice/aws4_request"
            return f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x-amz-date, Signature={'0' * 64}"
        account = self.account["sinch"]
        pair = f"{account['applicationKey']}:{account['applicationSecret']}"
        return f"Basic {base64.b64encode(pair.encode()).decode()}"

    def fault(self, provider: str, operation: str, fault: str, **times: int) -> None:
        body = {"provider": provider, "operation": operation, "fault": fault, **times}
        assert requests.post(f"{self.url}/faults", json=body, timeout=5).status_code == 201

    def get(self, name: str, **query: str) -> list[dict[str, Any]]:
        answer: list[dict[str, Any]] = requests.get(f"{self.url}/{name}", params=query, timeout=5).json()
        return answer


@pytest.fixture
def client(sandbox: str) -> Client:
    return Client(sandbox)


def ref_of(answer: requests.Response) -> str:
    body = answer.json()
    return str(body.get("pinId") or body["id"])


def test_the_inbox_is_newest_first_and_can_be_filtered_by_phone(client: Client) -> None:
    for provider, to in (("infobip", NUMBER), ("sinch", OTHER), ("sinch", NUMBER)):
        client.send(provider, to)
    everything = client.get("inbox")
    assert [(m["provider"], m["to"]) for m in everything] == [
        ("sinch", NUMBER),
        ("sinch", OTHER),
        ("infobip", NUMBER),
    ]
    assert set(everything[0]) == {"to", "text", "code", "provider", "channel", "sentAt"}
    assert client.get("inbox", to=NUMBER) == [everything[0], everything[2]]
    assert client.get("inbox", to="+14155550199") == []


def test_a_plus_sign_that_became_a_space_still_finds_the_phone(client: Client) -> None:
    client.send("infobip")
    [message] = requests.get(f"{client.url}/inbox?to={NUMBER}", timeout=5).json()
    assert [message] == requests.get(f"{client.url}/inbox?to=%2B{NUMBER[1:]}", timeout=5).json()


@pytest.mark.parametrize("name", ["inbox", "calls", "faults"])
def test_deleting_empties_one_list_and_leaves_the_others(client: Client, name: str) -> None:
    client.send("infobip")
    client.fault("infobip", "send", "500")
    assert requests.delete(f"{client.url}/{name}", timeout=5).status_code == 204
    left = [kept for kept in ("inbox", "calls", "faults") if client.get(kept)]
    assert left == [kept for kept in ("inbox", "calls", "faults") if kept != name]


@pytest.mark.parametrize("provider", CHECKERS)
def test_every_call_is_listed_oldest_first_with_its_status(client: Client, provider: str) -> None:
    ref = ref_of(client.send(provider))
    client.check(provider, ref, client.get("inbox")[0]["code"])
    client.check(provider, "unknown", "123456")
    client.status(provider, ref)
    calls = client.get("calls")
    assert {tuple(call) for call in calls} == {("provider", "operation", "to", "status", "at")}
    assert [(c["provider"], c["operation"], c["to"], c["status"]) for c in calls] == [
        (provider, "send", NUMBER, 200),
        (provider, "check", NUMBER, 200),
        (provider, "check", None, 404),
        (provider, "status", NUMBER, 200),
    ]
    assert all(call["at"].endswith("Z") for call in calls)


def test_a_call_that_is_refused_or_malformed_is_listed_too(client: Client) -> None:
    requests.post(f"{client.url}/infobip/2fa/2/pin", data=b"{", timeout=5)
    requests.post(f"{client.url}/sinch/verification/v1/verifications", data=b"{", timeout=5)
    assert [(c["provider"], c["to"], c["status"]) for c in client.get("calls")] == [
        ("infobip", None, 401),
        ("sinch", None, 401),
    ]


def test_a_lone_surrogate_is_malformed_and_is_not_recorded(client: Client) -> None:
    client._call("POST", "/infobip/2fa/2/pin", {"to": "\ud800"})
    client._call("POST", "/sinch/verification/v1/verifications", {"identity": {"endpoint": "\ud800"}})
    assert [(c["provider"], c["to"], c["status"]) for c in client.get("calls")] == [
        ("infobip", None, 400),
        ("sinch", None, 400),
    ]


def test_calls_at_the_same_time_are_counted_exactly(client: Client) -> None:
    client.fault("infobip", "send", "500", times=50)
    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(lambda _: client.send("infobip").status_code, range(200)))
    assert (statuses.count(500), statuses.count(200)) == (50, 150)
    assert len(client.get("calls")) == 200
    assert len(client.get("inbox")) == 150
    assert client.get("faults") == []


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (["infobip"], "object"),
        ({}, "provider"),
        ({"provider": "twilio", "operation": "send", "fault": "500"}, "provider"),
        ({"provider": "infobip", "operation": "cancel", "fault": "500"}, "operation"),
        ({"provider": "infobip", "operation": "send", "fault": "504"}, "fault"),
        ({"provider": "infobip", "operation": "send", "fault": 500}, "fault"),
        ({"provider": "infobip", "operation": "send", "fault": "500", "times": 0}, "times"),
        ({"provider": "infobip", "operation": "send", "fault": "500", "times": True}, "times"),
        ({"provider": "infobip", "operation": "send", "fault": "500", "times": "1"}, "times"),
        ({"provider": "infobip", "operation": "send", "fault": "500", "times": MOST_TIMES + 1}, "times"),
        ({"provider": "infobip", "operation": "send", "fault": "500", "time": 1}, "time"),
    ],
)
def test_a_malformed_fault_is_refused_and_the_error_says_what_is_wrong(
    client: Client, body: Any, named: str
) -> None:
    answer = requests.post(f"{client.url}/faults", json=body, timeout=5)
    assert answer.status_code == 400
    assert named in answer.json()["error"]
    assert client.get("faults") == []


def test_a_fault_that_is_not_json_is_refused(client: Client) -> None:
    answer = requests.post(f"{client.url}/faults", data=b"fault=500", timeout=5)
    assert (answer.status_code, answer.json()) == (400, {"error": "the body must be JSON"})


EVERY_FAULT = [*product(PROVIDERS, OPERATIONS, FAULTS), *product(["sinch"], OPERATIONS, OF_PROVIDER["sinch"])]


@pytest.mark.parametrize(("provider", "operation", "fault"), EVERY_FAULT)
def test_every_fault_can_be_queued(client: Client, provider: str, operation: str, fault: str) -> None:
    client.fault(provider, operation, fault)
    [pending] = client.get("faults")
    assert pending == {"provider": provider, "operation": operation, "fault": fault, "times": 1}


def test_the_queue_of_faults_is_bounded() -> None:
    with running_sandbox() as url, requests.Session() as session:
        body = {"provider": "infobip", "operation": "send", "fault": "500"}
        answers = [session.post(f"{url}/faults", json=body, timeout=5) for _ in range(MOST_PENDING + 1)]
    assert {answer.status_code for answer in answers[:-1]} == {201}
    assert answers[-1].status_code == 400


def test_faults_are_used_up_in_order_and_by_matching_calls_only(client: Client) -> None:
    client.fault("infobip", "send", "500", times=2)
    client.fault("infobip", "send", "429")
    client.fault("sinch", "send", "502")
    client.fault("infobip", "check", "500")
    assert [client.send("infobip").status_code for _ in range(4)] == [500, 500, 429, 200]
    assert [(f["provider"], f["operation"]) for f in client.get("faults")] == [
        ("sinch", "send"),
        ("infobip", "check"),
    ]


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    ("fault", "status", "media"),
    [
        ("401", 401, "application/"),
        ("429", 429, "application/"),
        ("500", 500, "application/"),
        ("502", 502, "text/html"),
        ("503", 503, "application/"),
        ("number-limit", 429, "application/"),
        ("html", 200, "text/html"),
    ],
)
def test_a_fault_with_an_answer_sends_nothing(
    client: Client, provider: str, fault: str, status: int, media: str
) -> None:
    client.fault(provider, "send", fault)
    answer = client.send(provider)
    if provider == "aws" and 400 <= status < 500:
        status = 400  # AWS's JSON protocol has one status for all of a caller's errors
    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith(media)
    assert client.get("inbox") == []
    assert [call["status"] for call in client.get("calls")] == [status]


def test_failures_have_each_providers_own_form(client: Client) -> None:
    for provider in PROVIDERS:
        client.fault(provider, "send", "429")
    infobip, sinch, aws = (client.send(provider) for provider in PROVIDERS)
    assert infobip.json()["requestError"]["serviceException"]["messageId"] == "TOO_MANY_REQUESTS"
    assert infobip.headers["Retry-After"] == "2"
    assert sinch.json()["errorCode"] == 42900
    assert "Retry-After" not in sinch.headers
    assert aws.json()["__type"] == "ThrottlingException"


@pytest.mark.parametrize("provider", CHECKERS)
def test_a_redirect_leads_nowhere(client: Client, provider: str) -> None:
    client.fault(provider, "check", "redirect")
    answer = client.check(provider, "unknown", "123456")
    assert (answer.status_code, answer.headers["Location"]) == (302, NOWHERE)


def test_infobip_refuses_a_number_with_a_200(client: Client) -> None:
    client.fault("infobip", "send", "refused")
    answer = client.send("infobip")
    assert answer.status_code == 200
    assert answer.json()["smsStatus"] == "MESSAGE_NOT_SENT"
    assert answer.json()["ncStatus"] == "NC_DESTINATION_NOT_REACHABLE"
    assert answer.json()["to"] == NUMBER[1:]
    assert client.get("inbox") == []


def test_sinch_refuses_a_number_as_blacklisted(client: Client) -> None:
    client.fault("sinch", "send", "refused")
    answer = client.send("sinch")
    assert (answer.status_code, answer.json()["errorCode"]) == (403, 40300)
    assert answer.json()["message"] == "Identity is blacklisted."
    assert client.get("inbox") == []


@pytest.mark.parametrize("provider", CHECKERS)
@pytest.mark.parametrize("operation", ["check", "status"])
def test_a_refused_check_or_status_is_forbidden(client: Client, provider: str, operation: str) -> None:
    client.fault(provider, operation, "refused")
    ref = ref_of(client.send(provider))
    call: Callable[[], requests.Response] = (
        (lambda: client.check(provider, ref, "123456"))
        if operation == "check"
        else (lambda: client.status(provider, ref))
    )
    assert call().status_code == 403


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(("fault", "messages"), [("timeout", 0), ("lost", 1)])
def test_a_timeout_sends_nothing_a_lost_call_sends_and_neither_answers(
    client: Client, provider: str, fault: str, messages: int
) -> None:
    client.fault(provider, "send", fault)
    with pytest.raises(requests.ReadTimeout):
        client.send(provider, timeout=SHORT)
    assert len(client.get("inbox")) == messages
    [call] = client.get("calls")
    assert (call["operation"], call["to"], call["status"]) == ("send", NUMBER, None)
    assert client.send(provider).status_code == 200


def test_a_lost_check_spends_the_code(client: Client) -> None:
    ref = ref_of(client.send("sinch"))
    code = client.get("inbox")[0]["code"]
    client.fault("sinch", "check", "lost")
    path = f"/sinch/verification/v1/verifications/id/{ref}"
    with pytest.raises(requests.ReadTimeout):
        client._call("PUT", path, {"method": "sms", "sms": {"code": code}}, SHORT)
    assert client.status("sinch", ref).json()["status"] == "SUCCESSFUL"


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_call_may_send_and_still_answer_an_error(client: Client, provider: str, status: int) -> None:
    client.fault(provider, "send", f"acted-{status}")
    assert client.send(provider).status_code == status
    assert [message["provider"] for message in client.get("inbox")] == [provider]


@pytest.mark.parametrize("code", [42901, 42201])
def test_sinch_refuses_a_number_by_its_own_codes(client: Client, code: int) -> None:
    client.fault("sinch", "send", str(code))
    answer = client.send("sinch")
    assert (answer.status_code, answer.json()["errorCode"]) == (code // 100, code)
    assert client.get("inbox") == []


def test_a_fault_that_only_another_provider_has_is_refused(client: Client) -> None:
    body = {"provider": "infobip", "operation": "send", "fault": "42901"}
    assert requests.post(f"{client.url}/faults", json=body, timeout=5).status_code == 400


def test_a_drip_sends_its_headers_at_once_and_then_an_endless_body(client: Client) -> None:
    client.fault("infobip", "send", "drip")
    address = client.url.removeprefix("http://").split(":")
    with socket.create_connection((address[0], int(address[1])), timeout=5) as connection:
        connection.sendall(b"POST /infobip/2fa/2/pin HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        received = b""
        while received.count(b"1\r\n \r\n") < 2:
            received += connection.recv(1024)
    assert received.startswith(b"HTTP/1.1 200 OK\r\n")
    assert client.get("inbox") == []


@pytest.fixture(scope="module")
def impatient() -> Iterator[str]:
    with running_sandbox(app=create_wide_app(hang_seconds=SHORT)) as url:
        yield url


@pytest.mark.parametrize(
    ("fault", "status", "body"), [("timeout", 504, ""), ("lost", 504, ""), ("drip", 200, " ")]
)
def test_a_hanging_call_ends_even_if_its_client_waits_on(
    impatient: str, fault: str, status: int, body: str
) -> None:
    client = Client(impatient)
    client.fault("infobip", "send", fault)
    answer = client.send("infobip")
    assert (answer.status_code, answer.text) == (status, body)


def test_a_hanging_call_ends_when_its_client_leaves() -> None:
    async def disconnect() -> Message:
        return {"type": "http.disconnect"}

    async def hang_for_long() -> int:
        async with asyncio.timeout(5):
            return (await hang(Request({"type": "http"}, disconnect), 3600)).status_code

    assert asyncio.run(hang_for_long()) == 504


def test_infobip_resends_fail_separately_from_sends(client: Client) -> None:
    client.fault("infobip", "resend", "500")
    ref = ref_of(client.send("infobip"))
    assert [client.resend(ref).status_code for _ in range(2)] == [500, 200]
    assert [call["operation"] for call in client.get("calls")] == ["send", "resend", "resend"]


def test_a_resend_fault_hits_a_sinch_start_while_another_is_pending(client: Client) -> None:
    client.fault("sinch", "resend", "500")
    first = client.send("sinch", "+14155550144")
    assert first.status_code == 200
    assert client.send("sinch", "+14155550144").status_code == 500
    assert client.status("sinch", ref_of(first)).json()["status"] == "PENDING"
    assert [call["operation"] for call in client.get("calls")] == ["send", "send", "status"]


def test_health_is_ok(client: Client) -> None:
    assert requests.get(f"{client.url}/healthz", timeout=5).json() == {"status": "ok"}


def test_inbox_calls_and_state_keep_the_newest_and_forget_the_rest() -> None:
    inbox, calls, state = Inbox(StepClock()), Calls(StepClock()), Newest[int, int]()
    for number in range(NEWEST_KEPT + 1):
        inbox.deliver(NUMBER, str(number), "123456", provider="infobip", channel="sms")
        calls.record("infobip", "send", str(number))
        state[number] = number
    messages, called = inbox.newest_first(), calls.oldest_first()
    assert (len(messages), messages[-1]["text"]) == (NEWEST_KEPT, "1")
    assert (len(called), called[0]["to"]) == (NEWEST_KEPT, "1")
    assert (len(state), 0 in state) == (NEWEST_KEPT, False)


def test_a_sandbox_stops_while_a_call_hangs_and_frees_its_port() -> None:
    before = threading.active_count()
    with running_sandbox() as url, ThreadPoolExecutor(1) as pool:
        client = Client(url)
        client.fault("infobip", "send", "timeout")
        with pytest.raises(requests.ReadTimeout):
            pool.submit(client.send, "infobip", timeout=SHORT).result()
    assert threading.active_count() == before
    with running_sandbox(port=int(url.rsplit(":", 1)[1])) as again:
        assert again == url


def test_a_taken_port_is_an_error_at_once() -> None:
    with running_sandbox() as url:
        taken = running_sandbox(port=int(url.rsplit(":", 1)[1]))
        with pytest.raises(OSError, match="in use"):
            taken.__enter__()


def test_answers_do_not_wait_for_acknowledgements() -> None:
    with bind("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname(), timeout=5):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
