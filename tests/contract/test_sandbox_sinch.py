"""The fake Sinch answers by the OpenAPI document and the SDKs of Sinch Verification."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from fakes.memory import StepClock
from local.sandbox.app import create_app
from local.sandbox.credentials import credentials
from local.sandbox.server import running_sandbox
from local.sandbox.sinch import WRONG_CODES_TOLERATED, SinchApplication, wide_sinch_application
from local.sandbox.sinch_auth import signature

NUMBER = "+14155550123"
PATH = "/sinch/verification/v1/verifications"


class Client:
    """Calls Sinch's API by hand, so that a test may send requests that no adapter of ours makes."""

    def __init__(self, sandbox: str, clock: StepClock) -> None:
        self.sandbox = sandbox
        self.clock = clock
        account = credentials(sandbox)["sinch"]
        self.key, self.secret = account["applicationKey"], account["applicationSecret"]

    def call(
        self, method: str, path: str = "", body: Any = None, *, headers: dict[str, str] | None = None
    ) -> requests.Response:
        data = b"" if body is None else json.dumps(body).encode()
        sent = self.signed(method, path, data) if headers is None else headers
        return requests.request(method, f"{self.sandbox}{PATH}{path}", data=data, headers=sent, timeout=5)

    def signed(
        self, method: str, path: str, data: bytes, *, age: float = 0, prefix: str = PATH
    ) -> dict[str, str]:
        timestamp = datetime.fromtimestamp(self.clock() - age, UTC).isoformat()
        content_type = "application/json; charset=utf-8" if data else ""
        made = signature(
            secret=self.secret,
            method=method,
            body=data,
            content_type=content_type,
            timestamp=timestamp,
            path=prefix + path,
        )
        headers = {"Authorization": f"Application {self.key}:{made}", "x-timestamp": timestamp}
        return headers | ({"Content-Type": content_type} if content_type else {})

    def start(self, **changes: Any) -> requests.Response:
        body = {"identity": {"type": "number", "endpoint": NUMBER}, "method": "sms"}
        return self.call("POST", body=body | changes)

    def started(self, **changes: Any) -> str:
        answer = self.start(**changes)
        assert answer.status_code == 200
        return str(answer.json()["id"])

    def report(self, verification_id: str, code: Any, method: str = "sms") -> requests.Response:
        return self.call("PUT", f"/id/{verification_id}", {"method": method, method: {"code": code}})

    def status(self, path: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.call("GET", path).json()
        return answer

    def inbox(self) -> list[dict[str, str]]:
        answer = requests.get(f"{self.sandbox}/inbox", params={"to": NUMBER}, timeout=5)
        messages: list[dict[str, str]] = answer.json()
        return messages

    def code(self) -> str:
        return self.inbox()[0]["code"]


@contextmanager
def client_of_its_own(clock: StepClock, application: SinchApplication | None = None) -> Iterator[Client]:
    with running_sandbox(app=create_app(sinch=application, clock=clock)) as url:
        yield Client(url, clock)


@pytest.fixture(scope="module")
def _client() -> Iterator[Client]:
    with client_of_its_own(StepClock(), wide_sinch_application()) as client:
        yield client


@pytest.fixture
def sinch(_client: Client) -> Client:
    requests.delete(f"{_client.sandbox}/inbox", timeout=5).raise_for_status()
    return _client


def another(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06d}"


def error(answer: requests.Response) -> tuple[int, int, str]:
    body = answer.json()
    assert set(body) == {"errorCode", "message", "reference"}
    return answer.status_code, body["errorCode"], body["message"]


@pytest.mark.parametrize(
    ("secret", "body", "content_type", "timestamp", "path", "expected"),
    [
        pytest.param(
            "JViE5vDor0Sw3WllZka15Q==",
            '{"message":"Hello world"}',
            "application/json",
            "2014-06-04T13:41:58Z",
            "/v1/sms/+46700000000",
            "qDXMwzfaxCRS849c/2R0hg0nphgdHciTo7OdM6MsdnM=",
            id="request",
        ),
        pytest.param(
            "BeIukql3pTKJ8RGL5zo0DA==",
            '{"event":"ace","callid":"822aa4b7-05b4-4d83-87c7-1f835ee0b6f6_257",'
            '"timestamp":"2014-09-24T10:59:41Z","version":1}',
            "application/json",
            "2014-09-24T10:59:41Z",
            "/sinch/callback/ace",
            "Tg6fMyo8mj9pYfWQ9ssbx3Tc1BNC87IEygAfLbJqZb4=",
            id="callback",
        ),
        pytest.param(
            base64.b64encode(b"my-key-secret").decode(),
            '{"identity":{"type":"number","endpoint":"+33444555666"},"method":"sms"}',
            "application/json; charset=UTF-8",
            "2023-11-22T09:10:11.999Z",
            "/path/pathParamValue",
            "QP3OzQZVzRZAEev6DBLvJkgpiqyZPuXYsc7oyjUV0K8=",
            id="java-sdk",
        ),
    ],
)
def test_signatures_match_the_vendors_test_vectors(
    secret: str, body: str, content_type: str, timestamp: str, path: str, expected: str
) -> None:
    made = signature(
        secret=secret,
        method="POST",
        body=body.encode(),
        content_type=content_type,
        timestamp=timestamp,
        path=path,
    )
    assert made == expected


def test_a_secret_signs_alike_with_and_without_its_padding() -> None:
    def sign(secret: str) -> str:
        return signature(secret=secret, method="GET", body=b"", content_type="", timestamp="", path="/")

    assert sign("9876543210") == sign("9876543210==")


def test_an_sms_answers_without_a_status_and_reaches_the_phone(sinch: Client) -> None:
    answer = sinch.start(smsOptions={"expiry": "00:05:00", "codeType": "Numeric"}).json()
    [message] = sinch.inbox()
    assert set(answer) == {"id", "method", "sms", "_links"}
    assert answer["sms"]["interceptionTimeout"] == 300
    assert [link["rel"] for link in answer["_links"]] == ["status", "report"]
    assert answer["_links"][0]["href"] == f"{sinch.sandbox}{PATH}/id/{answer['id']}"
    assert (message["to"], message["provider"], message["channel"]) == (NUMBER, "sinch", "sms")
    assert len(message["code"]) == 6
    assert message["code"].isdecimal()


def test_a_callout_is_reported_as_a_callout(sinch: Client) -> None:
    answer = sinch.start(method="callout", calloutOptions={"speech": {"locale": "en-US"}}).json()
    assert set(answer) == {"id", "method", "_links"}
    assert sinch.inbox()[0]["channel"] == "voice"
    assert error(sinch.report(answer["id"], sinch.code())) == (400, 40003, "Invalid identity or code.")
    assert sinch.report(answer["id"], sinch.code(), "callout").json() == {
        "id": answer["id"],
        "method": "callout",
        "status": "SUCCESSFUL",
        "callComplete": True,
    }


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"identity": {"type": "number", "endpoint": NUMBER[1:]}}, 40005),
        ({"identity": {"type": "number", "endpoint": "+1415"}}, 40001),
        ({"identity": {"type": "number"}}, 40002),
        ({"identity": {"type": "email", "endpoint": NUMBER}}, 40001),
        ({"identity": NUMBER}, 40001),
        ({"method": "pigeon"}, 40001),
        ({"smsOptions": {"codeType": "Roman"}}, 40001),
        ({"method": None}, 40001),
        ({"reference": "a/b"}, 40001),
        ({"reference": 7}, 40001),
        ({"custom": "x" * 4097}, 40001),
        ({"smsOptions": {"expiry": "300"}}, 40001),
        ({"smsOptions": {"expiry": 300}}, 40001),
    ],
)
def test_a_malformed_start_is_a_bad_request(sinch: Client, changes: dict[str, Any], code: int) -> None:
    answer = sinch.start(**changes)
    assert error(answer)[:2] == (400, code)
    assert sinch.inbox() == []


def test_a_body_that_is_no_json_object_is_a_bad_request(sinch: Client) -> None:
    assert error(sinch.call("POST", body=[NUMBER]))[:2] == (400, 40001)


def test_a_reference_can_be_used_once(sinch: Client) -> None:
    sinch.started(reference="taken-once")
    assert error(sinch.start(reference="taken-once")) == (409, 40900, "Reference already defined")
    assert len(sinch.inbox()) == 1


def test_a_new_start_aborts_the_pending_one_of_the_same_number(sinch: Client) -> None:
    first = sinch.started()
    first_code = sinch.code()
    second = sinch.started(method="callout")
    assert sinch.status(f"/id/{first}")["status"] == "ABORTED"
    assert error(sinch.report(first, first_code))[:2] == (404, 40400)
    assert sinch.status(f"/id/{second}")["status"] == "PENDING"


def test_a_right_code_succeeds_once(sinch: Client) -> None:
    verification = sinch.started()
    answer = sinch.report(verification, sinch.code())
    assert (answer.status_code, answer.json()) == (
        200,
        {"id": verification, "method": "sms", "status": "SUCCESSFUL"},
    )
    again = sinch.report(verification, sinch.code())
    assert error(again) == (404, 40400, "Requested resource was not found.")


def test_a_wrong_code_is_refused_and_the_right_one_still_succeeds(sinch: Client) -> None:
    verification = sinch.started()
    wrong = sinch.report(verification, another(sinch.code()))
    assert error(wrong) == (400, 40003, "Invalid identity or code.")
    assert sinch.report(verification, sinch.code()).json()["status"] == "SUCCESSFUL"


def test_one_wrong_code_too_many_fails_the_verification(sinch: Client) -> None:
    verification = sinch.started()
    wrong = another(sinch.code())
    answers = [sinch.report(verification, wrong).status_code for _ in range(WRONG_CODES_TOLERATED)]
    assert set(answers) == {400}
    assert sinch.report(verification, wrong).json() == {
        "id": verification,
        "method": "sms",
        "status": "FAIL",
        "reason": "Invalid code",
    }
    assert sinch.report(verification, sinch.code()).status_code == 404


@pytest.mark.parametrize("code", ["", None, 123456])
def test_a_report_without_a_code_is_a_bad_request(sinch: Client, code: Any) -> None:
    assert error(sinch.report(sinch.started(), code))[:2] == (400, 40002)


def test_an_unknown_verification_is_not_found(sinch: Client) -> None:
    assert error(sinch.report("unknown", "123456"))[:2] == (404, 40400)
    assert error(sinch.call("GET", "/id/unknown"))[:2] == (404, 40400)
    assert error(sinch.call("GET", "/reference/unknown"))[:2] == (404, 40400)


def test_a_right_code_that_expired_fails_by_id_and_by_number(sinch: Client) -> None:
    verification = sinch.started(smsOptions={"expiry": "00:01:00"})
    sinch.clock.step(60)
    expired = {"id": verification, "method": "sms", "status": "FAIL", "reason": "Expired"}
    assert sinch.report(verification, sinch.code()).json() == expired
    by_number = sinch.call("PUT", f"/number/{NUMBER}", {"method": "sms", "sms": {"code": sinch.code()}})
    assert by_number.json() == expired


def test_a_code_is_right_until_the_second_it_expires(sinch: Client) -> None:
    verification = sinch.started(smsOptions={"expiry": "00:01:00"})
    sinch.clock.step(59)
    assert sinch.report(verification, sinch.code()).json()["status"] == "SUCCESSFUL"


def test_a_report_by_number_is_for_the_pending_verification(sinch: Client) -> None:
    def report(endpoint: str) -> requests.Response:
        return sinch.call("PUT", f"/number/{endpoint}", {"method": "sms", "sms": {"code": sinch.code()}})

    verification = sinch.started()
    assert error(report(NUMBER[1:]))[:2] == (400, 40005)
    assert error(report("+447700900123"))[:2] == (400, 40003)
    assert report(NUMBER).json() == {"id": verification, "method": "sms", "status": "SUCCESSFUL"}


def test_a_status_is_found_by_id_by_reference_and_by_method_and_number(sinch: Client) -> None:
    verification = sinch.started(reference="status-paths")
    pending = sinch.status(f"/id/{verification}")
    expected = {"id", "method", "status", "identity", "countryId", "verificationTimestamp", "reference"}
    assert set(pending) == expected
    assert pending["countryId"] == "US"
    assert pending["status"] == "PENDING"
    assert pending["identity"] == {"type": "number", "endpoint": NUMBER}
    fraction = pending["verificationTimestamp"].partition(".")[2]
    assert (len(fraction), fraction.isdecimal()) == (7, True)
    assert sinch.status("/reference/status-paths") == pending
    assert sinch.status(f"/sms/number/{NUMBER}") == pending
    assert error(sinch.call("GET", "/flashcall/number/+14155550123"))[:2] == (404, 40400)


def test_status_after_success_has_a_price_and_a_source(sinch: Client) -> None:
    verification = sinch.started()
    sinch.report(verification, sinch.code())
    answer = sinch.status(f"/id/{verification}")
    assert (answer["status"], answer["source"], "price" in answer) == ("SUCCESSFUL", "manual", True)


def test_the_status_of_a_call_has_its_result_price_and_length(sinch: Client) -> None:
    verification = sinch.started(method="callout")
    sinch.report(verification, sinch.code(), "callout")
    answer = sinch.status(f"/id/{verification}")
    assert (answer["callComplete"], answer["callResult"]) == (True, "ANSWERED")
    assert set(answer["price"]) == {"verificationPrice", "terminationPrice", "billableDuration"}


def test_whatsapp_is_started_and_reported_as_itself(sinch: Client) -> None:
    answer = sinch.start(method="whatsapp", whatsappOptions={"codeType": "Numeric"}).json()
    assert answer["whatsapp"] == {"codeType": "Numeric"}
    assert sinch.inbox()[0]["channel"] == "whatsapp"
    assert error(sinch.report(answer["id"], sinch.code()))[:2] == (400, 40003)
    assert sinch.report(answer["id"], sinch.code(), "whatsapp").json()["status"] == "SUCCESSFUL"


def test_a_flash_call_is_reported_by_the_number_that_called(sinch: Client) -> None:
    answer = sinch.start(method="flashcall").json()
    caller = sinch.code()
    assert caller[-4:] in answer["flashCall"]["cliFilter"]
    report = {"method": "flashcall", "flashCall": {"cli": caller}}
    assert sinch.call("PUT", f"/id/{answer['id']}", report).json()["status"] == "SUCCESSFUL"


def test_a_number_off_its_own_mobile_network_cannot_be_verified_by_data(sinch: Client) -> None:
    assert error(sinch.start(method="seamless"))[:2] == (403, 40300)


@pytest.mark.parametrize(("kind", "is_of"), [("Alpha", str.isalpha), ("Alphanumeric", str.isalnum)])
def test_a_code_has_the_requested_type(sinch: Client, kind: str, is_of: Any) -> None:
    sinch.started(smsOptions={"codeType": kind})
    assert is_of(sinch.code())


def test_a_code_has_the_length_of_the_application() -> None:
    with client_of_its_own(StepClock(), wide_sinch_application(8)) as sinch:
        sinch.started()
        assert len(sinch.code()) == 8
    with client_of_its_own(StepClock()) as sinch:
        sinch.started()
        assert len(sinch.code()) == SinchApplication().code_length == 4


def test_a_client_may_sign_the_path_that_sinchs_own_host_has(sinch: Client) -> None:
    data = json.dumps({"identity": {"type": "number", "endpoint": NUMBER}, "method": "sms"}).encode()
    headers = sinch.signed("POST", "", data, prefix="/verification/v1/verifications")
    answer = requests.post(f"{sinch.sandbox}{PATH}", data=data, headers=headers, timeout=5)
    assert answer.status_code == 200


def test_a_start_limit_refuses_one_number_only() -> None:
    with client_of_its_own(StepClock()) as sinch:
        sinch.started()
        message = "Cannot initiate verification to the same number too quickly"
        assert error(sinch.start()) == (429, 42901, message)
        sinch.started(identity={"type": "number", "endpoint": "+447400123456"})
        sinch.clock.step(10)
        sinch.started()


BODY = {"identity": {"type": "number", "endpoint": NUMBER}, "method": "sms"}
DATA = json.dumps(BODY).encode()


def test_basic_credentials_are_accepted(sinch: Client) -> None:
    pair = base64.b64encode(f"{sinch.key}:{sinch.secret}".encode()).decode()
    assert sinch.call("POST", body=BODY, headers={"Authorization": f"Basic {pair}"}).status_code == 200


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"Authorization": None}, (401, 40104, "Authorization required")),
        ({"Authorization": "Bearer x"}, (401, 40100, "Invalid authorization header")),
        ({"Authorization": "Basic eDp5"}, (401, 40107, "Invalid authorization")),
        ({"Authorization": "Application another:x"}, (401, 40107, "Invalid authorization")),
        ({"x-timestamp": None}, (401, 40101, "X-Timestamp required")),
        ({"x-timestamp": "yesterday"}, (401, 40101, "X-Timestamp required")),
        ({"Content-Type": "application/json"}, (401, 40102, "Invalid signature")),
    ],
)
def test_a_request_without_a_valid_signature_is_unauthorized(
    sinch: Client, changes: dict[str, str | None], expected: tuple[int, int, str]
) -> None:
    merged = sinch.signed("POST", "", DATA) | changes
    headers = {name: value for name, value in merged.items() if value is not None}
    assert error(sinch.call("POST", body=BODY, headers=headers)) == expected
    assert sinch.inbox() == []


def test_a_signature_is_for_one_body_one_method_and_one_path(sinch: Client) -> None:
    verification = sinch.started()
    for method, path, data in (
        ("POST", "", b"{}"),
        ("PUT", "", DATA),
        ("POST", f"/id/{verification}", DATA),
    ):
        answer = sinch.call("POST", body=BODY, headers=sinch.signed(method, path, data))
        assert error(answer) == (401, 40102, "Invalid signature")


@pytest.mark.parametrize("age", [301, -301])
def test_a_signature_too_old_or_too_new_is_refused(sinch: Client, age: float) -> None:
    answer = sinch.call("POST", body=BODY, headers=sinch.signed("POST", "", DATA, age=age))
    assert error(answer) == (401, 40101, "X-Timestamp required")


def test_a_timestamp_without_a_zone_is_refused(sinch: Client) -> None:
    headers = sinch.signed("POST", "", DATA)
    headers["x-timestamp"] = headers["x-timestamp"].removesuffix("+00:00")
    assert error(sinch.call("POST", body=BODY, headers=headers))[:2] == (401, 40101)


def test_a_signature_five_minutes_old_is_accepted(sinch: Client) -> None:
    answer = sinch.call("POST", body=BODY, headers=sinch.signed("POST", "", DATA, age=300))
    assert answer.status_code == 200


def test_a_key_without_a_signature_needs_a_callback_url(sinch: Client) -> None:
    answer = sinch.call("POST", body=BODY, headers={"Authorization": f"Application {sinch.key}"})
    message = "Callback URL must be set when using public authorization method."
    assert error(answer) == (403, 40303, message)
