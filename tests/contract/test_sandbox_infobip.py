"""The fake Infobip answers by the OpenAPI document and the SDKs of Infobip 2FA."""

from dataclasses import replace
from typing import Any

import pytest
import requests

from fakes.memory import START, StepClock
from local.sandbox.app import create_app
from local.sandbox.credentials import (
    INFOBIP_MESSAGE_ID,
    INFOBIP_PASSWORD,
    INFOBIP_USERNAME,
    credentials,
)
from local.sandbox.infobip_application import Application, Template, wide_application
from local.sandbox.infobip_report import basic
from local.sandbox.server import running_sandbox

NUMBER = "14155550123"
WIDE = wide_application()


class Client:
    """Calls Infobip's API by hand, so that a test may send requests that no adapter of ours makes."""

    def __init__(self, sandbox: str) -> None:
        self.sandbox = sandbox
        self.account = credentials(sandbox)["infobip"]
        self.authorization = f"App {self.account['apiKey']}"

    def post(self, path: str, body: Any = None, **query: str) -> requests.Response:
        return requests.post(
            f"{self.account['baseUrl']}/2fa/2/{path}",
            json=body,
            params=query,
            headers={"Authorization": self.authorization},
            timeout=5,
        )

    def message(self, **changes: Any) -> dict[str, Any]:
        body = {
            "applicationId": self.account["applicationId"],
            "messageId": self.account["messageId"],
            "to": NUMBER,
        }
        return {name: value for name, value in (body | changes).items() if value is not None}

    def send(self, **changes: Any) -> str:
        answer = self.post("pin", self.message(**changes))
        assert answer.status_code == 200
        return str(answer.json()["pinId"])

    def verify(self, pin_id: str, pin: Any) -> requests.Response:
        return self.post(f"pin/{pin_id}/verify", {"pin": pin})

    def verifications(self, application_id: str, **query: str) -> requests.Response:
        return requests.get(
            f"{self.account['baseUrl']}/2fa/2/applications/{application_id}/verifications",
            params=query,
            headers={"Authorization": self.authorization},
            timeout=5,
        )

    def inbox(self) -> list[dict[str, str]]:
        answer = requests.get(f"{self.sandbox}/inbox", params={"to": f"+{NUMBER}"}, timeout=5)
        messages: list[dict[str, str]] = answer.json()
        return messages

    def code(self) -> str:
        return self.inbox()[0]["code"]


@pytest.fixture
def infobip(sandbox: str) -> Client:
    return Client(sandbox)


def another(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06d}"


def exception(answer: requests.Response) -> dict[str, Any]:
    body: dict[str, Any] = answer.json()
    assert set(body) == {"requestError"}
    assert set(body["requestError"]) == {"serviceException"}
    found: dict[str, Any] = body["requestError"]["serviceException"]
    return found


def test_an_sms_answers_in_the_documented_form_and_reaches_the_phone(infobip: Client) -> None:
    answer = infobip.post("pin", infobip.message(), ncNeeded="false").json()
    [message] = infobip.inbox()
    assert answer == {
        "pinId": answer["pinId"],
        "to": NUMBER,
        "ncStatus": "NC_DESTINATION_UNKNOWN",
        "smsStatus": "MESSAGE_SENT",
    }
    assert (message["to"], message["provider"], message["channel"]) == (f"+{NUMBER}", "infobip", "sms")
    assert message["text"] == f"Your verification code is {message['code']}."
    assert len(message["code"]) == 6
    assert message["code"].isdecimal()
    assert message["sentAt"].endswith("Z")


def test_a_lookup_is_made_unless_it_is_declined(infobip: Client) -> None:
    assert infobip.post("pin", infobip.message()).json()["ncStatus"] == "NC_DESTINATION_REACHABLE"


def test_only_a_tracked_message_has_an_external_id(infobip: Client) -> None:
    assert "externalMessageId" in infobip.post("pin", infobip.message(trackDelivery=True)).json()
    assert "externalMessageId" not in infobip.post("pin", infobip.message(trackDelivery=False)).json()


def test_a_call_answers_with_a_call_status_and_reaches_the_phone(infobip: Client) -> None:
    answer = infobip.post("pin/voice", infobip.message()).json()
    assert answer == {"pinId": answer["pinId"], "to": NUMBER, "callStatus": "PENDING_ACCEPTED"}
    assert [message["channel"] for message in infobip.inbox()] == ["voice"]
    assert infobip.verify(answer["pinId"], infobip.code()).json()["verified"] is True


@pytest.mark.parametrize("path", ["pin", "pin/voice", "pin/X/resend", "pin/X/resend/voice", "pin/X/verify"])
@pytest.mark.parametrize("scheme", ["Bearer", "app", "Basic", ""])
def test_any_other_scheme_for_the_key_is_unauthorized(infobip: Client, path: str, scheme: str) -> None:
    infobip.authorization = f"{scheme} {infobip.account['apiKey']}".strip()
    answer = infobip.post(path, infobip.message())
    assert answer.status_code == 401
    assert exception(answer) == {"messageId": "UNAUTHORIZED", "text": "Unauthorized"}
    assert infobip.inbox() == []


def test_another_key_is_unauthorized(infobip: Client) -> None:
    infobip.authorization = "App another-key"
    assert infobip.post("pin", infobip.message()).status_code == 401


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("to", f"+{NUMBER}"),
        ("to", "0014155550123"),
        ("to", "415"),
        ("to", 14155550123),
        ("to", None),
        ("messageId", None),
        ("applicationId", None),
        ("placeholders", {"pin": "123456"}),
        ("placeholders", {"name": 1}),
        ("placeholders", ["name"]),
    ],
)
def test_a_malformed_field_is_named_in_a_bad_request(infobip: Client, field: str, value: Any) -> None:
    answer = infobip.post("pin", infobip.message(**{field: value}))
    assert answer.status_code == 400
    assert exception(answer)["messageId"] == "BAD_REQUEST"
    assert list(exception(answer)["validationErrors"]) == [field]
    assert infobip.inbox() == []


def test_a_body_that_is_no_json_object_is_a_bad_request(infobip: Client) -> None:
    answer = infobip.post("pin", ["to", NUMBER])
    assert answer.status_code == 400
    assert exception(answer) == {"messageId": "BAD_REQUEST", "text": "Bad request"}


@pytest.mark.parametrize("field", ["applicationId", "messageId"])
def test_an_unknown_application_or_message_is_not_found(infobip: Client, field: str) -> None:
    answer = infobip.post("pin", infobip.message(**{field: "another"}))
    assert answer.status_code == 404
    assert exception(answer) == {
        "messageId": "RESOURCE_NOT_FOUND",
        "text": "Application or message with given ID cannot be found.",
    }


@pytest.mark.parametrize("path", ["resend", "resend/voice", "verify"])
def test_an_unknown_pin_is_not_found(infobip: Client, path: str) -> None:
    answer = infobip.post(f"pin/UNKNOWN/{path}", {"pin": "123456"})
    assert answer.status_code == 404
    assert exception(answer) == {"messageId": "NOT_FOUND", "text": "Not found"}


def test_resending_delivers_the_same_pin_again(infobip: Client) -> None:
    pin_id = infobip.send()
    assert infobip.post(f"pin/{pin_id}/resend").json()["pinId"] == pin_id
    assert infobip.post(f"pin/{pin_id}/resend/voice").json()["callStatus"] == "PENDING_ACCEPTED"
    messages = infobip.inbox()
    assert [message["channel"] for message in messages] == ["voice", "sms", "sms"]
    assert len({message["code"] for message in messages}) == 1


def test_a_right_pin_is_verified_and_leaves_no_attempts_in_the_answer(infobip: Client) -> None:
    pin_id = infobip.send()
    answer = infobip.verify(pin_id, infobip.code())
    assert answer.status_code == 200
    assert answer.json() == {"pinId": pin_id, "msisdn": NUMBER, "verified": True, "attemptsRemaining": 0}


def test_wrong_pins_cost_attempts_until_none_is_left_even_for_the_right_one(infobip: Client) -> None:
    pin_id = infobip.send()
    code = infobip.code()
    wrong = [infobip.verify(pin_id, another(code)) for _ in range(10)]
    assert {answer.status_code for answer in wrong} == {200}
    assert [answer.json()["attemptsRemaining"] for answer in wrong] == list(range(9, -1, -1))
    assert {answer.json()["pinError"] for answer in wrong} == {"WRONG_PIN"}
    assert infobip.verify(pin_id, code).json() == {
        "pinId": pin_id,
        "msisdn": NUMBER,
        "verified": False,
        "attemptsRemaining": 0,
        "pinError": "NO_MORE_PIN_ATTEMPTS",
    }


@pytest.mark.parametrize("pin", ["", None, 123456])
def test_a_missing_pin_is_a_bad_request_and_costs_no_attempt(infobip: Client, pin: Any) -> None:
    pin_id = infobip.send()
    answer = infobip.verify(pin_id, pin)
    assert answer.status_code == 400
    assert list(exception(answer)["validationErrors"]) == ["pin"]
    assert infobip.verify(pin_id, another(infobip.code())).json()["attemptsRemaining"] == 9


def test_by_default_a_right_pin_may_be_verified_again(infobip: Client) -> None:
    pin_id = infobip.send()
    answers = [infobip.verify(pin_id, infobip.code()).json()["verified"] for _ in range(2)]
    assert answers == [True, True]


def test_a_pin_for_one_verification_is_refused_the_second_time() -> None:
    app = create_app(infobip=replace(WIDE, allow_multiple_pin_verifications=False))
    with running_sandbox(app=app) as url:
        infobip = Client(url)
        pin_id = infobip.send()
        answers = [infobip.verify(pin_id, infobip.code()).json() for _ in range(2)]
    assert [answer["verified"] for answer in answers] == [True, False]
    assert answers[1]["pinError"] == "NO_MORE_PIN_ATTEMPTS"


def test_a_pin_expires_after_its_time_to_live_and_resending_does_not_renew_it() -> None:
    clock = StepClock()
    with running_sandbox(app=create_app(infobip=WIDE, clock=clock)) as url:
        infobip = Client(url)
        in_time, late = infobip.send(), infobip.send()
        late_code, in_time_code = (message["code"] for message in infobip.inbox())
        clock.step(15 * 60 - 1)
        assert infobip.verify(in_time, in_time_code).json()["verified"] is True
        infobip.post(f"pin/{late}/resend")
        clock.step(1)
        answer = infobip.verify(late, late_code).json()
    assert (answer["verified"], answer["pinError"]) == (False, "TTL_EXPIRED")


def test_expiry_is_reported_before_exhausted_attempts() -> None:
    clock = StepClock()
    with running_sandbox(app=create_app(infobip=replace(WIDE, pin_attempts=1), clock=clock)) as url:
        infobip = Client(url)
        pin_id = infobip.send()
        infobip.verify(pin_id, another(infobip.code()))
        before = infobip.verify(pin_id, infobip.code()).json()["pinError"]
        clock.step(15 * 60)
        after = infobip.verify(pin_id, infobip.code()).json()["pinError"]
    assert (before, after) == ("NO_MORE_PIN_ATTEMPTS", "TTL_EXPIRED")


def test_a_verify_limit_refuses_until_its_window_is_over() -> None:
    clock = StepClock()
    app = create_app(clock=clock)
    with running_sandbox(app=app) as url:
        infobip = Client(url)
        pin_id = infobip.send()
        infobip.verify(pin_id, another(infobip.code()))
        clock.step(2)
        refused = infobip.verify(pin_id, infobip.code())
        clock.step(1)
        assert infobip.verify(pin_id, infobip.code()).json()["verified"] is True
    assert refused.status_code == 429
    assert exception(refused) == {"messageId": "TOO_MANY_REQUESTS", "text": "Too many requests"}


def test_a_send_limit_counts_sends_and_resends_of_one_number_only() -> None:
    with running_sandbox() as url:
        infobip = Client(url)
        pin_id = infobip.send()
        assert infobip.post(f"pin/{pin_id}/resend/voice").status_code == 200
        assert infobip.post(f"pin/{pin_id}/resend").status_code == 200
        assert infobip.post(f"pin/{pin_id}/resend").status_code == 429
        assert infobip.post("pin", infobip.message()).status_code == 429
        assert infobip.post("pin", infobip.message(to="447700900123")).status_code == 200


def test_an_application_has_a_limit_of_sends_of_its_own() -> None:
    application = Application(send_pin_per_application_limit="2/1d")
    with running_sandbox(app=create_app(infobip=application)) as url:
        infobip = Client(url)
        numbers = [NUMBER, "447400123456", "447400123457"]
        assert [infobip.post("pin", infobip.message(to=to)).status_code for to in numbers] == [200, 200, 429]


def test_a_disabled_application_sends_nothing() -> None:
    with running_sandbox(app=create_app(infobip=Application(enabled=False))) as url:
        infobip = Client(url)
        assert infobip.post("pin", infobip.message()).status_code == 403
        assert infobip.inbox() == []


@pytest.mark.parametrize(
    ("kind", "length", "letters"),
    [
        ("NUMERIC", 8, "0123456789"),
        ("ALPHA", 5, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
        ("HEX", 10, "0123456789ABCDEF"),
        ("ALPHANUMERIC", 4, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    ],
)
def test_a_pin_has_the_type_and_length_of_its_template(kind: str, length: int, letters: str) -> None:
    templates = {INFOBIP_MESSAGE_ID: Template(pin_type=kind, pin_length=length)}
    with running_sandbox(app=create_app(infobip=replace(WIDE, templates=templates))) as url:
        infobip = Client(url)
        pin_id = infobip.send()
        assert len(infobip.code()) == length
        assert set(infobip.code()) <= set(letters)
        assert infobip.verify(pin_id, infobip.code()).json()["verified"] is True


def test_a_user_and_a_password_are_accepted_like_a_key(infobip: Client) -> None:
    infobip.authorization = basic(INFOBIP_USERNAME, INFOBIP_PASSWORD)["Authorization"]
    assert infobip.post("pin", infobip.message()).status_code == 200


def test_verifications_of_a_number_are_listed_newest_first_and_filtered() -> None:
    clock = StepClock()
    with running_sandbox(app=create_app(infobip=WIDE, clock=clock)) as url:
        infobip = Client(url)
        pin_id = infobip.send()
        clock.step(5)
        infobip.verify(pin_id, infobip.code())
        infobip.send()
        infobip.send(to="447700900123")
        application = infobip.account["applicationId"]
        pending = {"msisdn": NUMBER, "verified": False, "sentAt": START + 5}
        verified = {
            "msisdn": NUMBER,
            "verified": True,
            "verifiedAt": START + 5,
            "sentAt": START,
        }
        for query, expected in (
            ({}, [pending, verified]),
            ({"verified": "true"}, [verified]),
            ({"verified": "false", "sent": "true"}, [pending]),
            ({"sent": "false"}, []),
        ):
            answer = infobip.verifications(application, msisdn=NUMBER, **query)
            assert answer.json() == {"verifications": expected}


def test_verifications_need_a_number_a_known_application_and_the_key(infobip: Client) -> None:
    application = infobip.account["applicationId"]
    assert infobip.verifications(application).status_code == 400
    assert infobip.verifications(application, msisdn=NUMBER, verified="maybe").status_code == 400
    assert infobip.verifications("another", msisdn=NUMBER).status_code == 404
    infobip.authorization = f"Bearer {infobip.account['apiKey']}"
    assert infobip.verifications(application, msisdn=NUMBER).status_code == 401
