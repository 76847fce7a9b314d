"""CAMARA's one-time-password-sms 1.1.1, as a client of the mobile operators' standard uses it."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

import request_otp.app
import verify_otp.app
from generators import events
from sms_otp.domain import errors
from sms_otp.domain.provider import NotSent, Refused
from sms_otp.domain.verification import Verification
from sms_otp.entry_points import bootstrap, http
from tests.functional.canaries import LAST_DIGITS, Watch
from tests.functional.deployment import Answer, Context, Deployment

HANDLERS: dict[str, Callable[[dict[str, Any], Any], dict[str, Any]]] = {
    "send-code": request_otp.app.lambda_handler,
    "validate-code": verify_otp.app.lambda_handler,
}
BASE = "/one-time-password-sms/v1"
NUMBER = "+14155550177"
LANDLINE = "+442079460123"
MESSAGE = "{{code}} is your code for Example"
CORRELATOR = "b4333c46-49c0-4f62-80d7-f0ef930f1c46"
RIGHT, WRONG = "123456", "654321"


@pytest.fixture(autouse=True)
def _canaries(watch: Watch) -> None:
    for number in (NUMBER, LANDLINE):
        watch.look_for("number", number[-LAST_DIGITS:])
    for code in (RIGHT, WRONG):
        watch.look_for("code", code)


def call(operation: str, body: str | None, correlator: str = CORRELATOR, **headers: str) -> Answer:
    """One request. The shape of every answer is checked."""
    sent = events.JSON_TYPE | ({"x-correlator": correlator} if correlator else {}) | headers
    answered = HANDLERS[operation](events.build(f"{BASE}/{operation}", body=body, headers=sent), Context())
    answer = Answer(answered["statusCode"], answered["headers"], answered.get("body", ""))
    assert answer.headers.items() >= http.HEADERS.items()
    if answer.status == 204:
        assert "body" not in answered
        return answer
    assert answer.headers["Content-Type"] == "application/json"
    if answer.status != 200:
        assert answer.body.keys() == {"status", "code", "message"}
        assert answer.body["status"] == answer.status
        assert answer.body["message"].endswith(".")
    return answer


def send(number: str = NUMBER, **members: Any) -> Answer:
    return call("send-code", json.dumps({"phoneNumber": number, "message": MESSAGE} | members))


def sent(number: str = NUMBER) -> str:
    """The authenticationId of a code that is on its way."""
    answer = send(number)
    assert answer.status == 200, answer.text
    assert answer.body.keys() == {"authenticationId"}
    return str(answer.body["authenticationId"])


def validate(authentication_id: str, code: str = RIGHT) -> Answer:
    return call("validate-code", json.dumps({"authenticationId": authentication_id, "code": code}))


def status_and_code(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.body["code"].removeprefix("ONE_TIME_PASSWORD_SMS.")


def test_a_code_is_sent_and_verified_once(deployed: Deployment) -> None:
    authentication_id = sent()
    assert len(authentication_id) <= 36
    assert [number for number, _ in deployed.provider.sent] == [NUMBER]
    assert validate(authentication_id).status == 204
    assert status_and_code(validate(authentication_id)) == (400, "VERIFICATION_EXPIRED")


def test_the_correlator_is_returned_only_when_one_was_sent(deployed: Deployment) -> None:
    authentication_id = sent()
    for answer in (send(), validate(authentication_id, WRONG), validate(authentication_id)):
        assert answer.headers["x-correlator"] == CORRELATOR
    body = json.dumps({"authenticationId": authentication_id, "code": RIGHT})
    assert "x-correlator" not in call("validate-code", body, correlator="").headers
    assert deployed.provider.checked


@pytest.mark.parametrize("correlator", ["a_b", "req:1/2", "{a;b.c}<d>", "x" * 256])
def test_any_correlator_that_matches_the_standards_pattern_is_accepted(
    deployed: Deployment, correlator: str
) -> None:
    answer = call("send-code", json.dumps({"phoneNumber": NUMBER, "message": MESSAGE}), correlator)
    assert (answer.status, answer.headers["x-correlator"]) == (200, correlator)
    assert correlator not in deployed.log.getvalue()


@pytest.mark.parametrize("correlator", ["x" * 257, "two words", "a&b", "caf\u00e9", "a\r\nSet-Cookie: b"])
def test_a_malformed_correlator_is_refused_and_not_echoed(deployed: Deployment, correlator: str) -> None:
    answer = call("send-code", json.dumps({"phoneNumber": NUMBER, "message": MESSAGE}), correlator)
    assert status_and_code(answer) == (400, "INVALID_ARGUMENT")
    assert "x-correlator" in answer.body["message"]
    assert "x-correlator" not in answer.headers
    assert correlator not in answer.text + deployed.log.getvalue()
    assert deployed.untouched()


MALFORMED = {
    "no body": None,
    "no member": {},
    "no message": {"phoneNumber": NUMBER},
    "no number": {"message": MESSAGE},
    "a message without its code": {"phoneNumber": NUMBER, "message": "Your code"},
    "a message that is too long": {"phoneNumber": NUMBER, "message": MESSAGE.ljust(161)},
    "a number without its plus sign": {"phoneNumber": NUMBER[1:], "message": MESSAGE},
    "a number of no plan": {"phoneNumber": "+10000000000", "message": MESSAGE},
    "a number of another type": {"phoneNumber": 14155550177, "message": MESSAGE},
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_request_for_a_code_sends_nothing(deployed: Deployment, case: str) -> None:
    body = MALFORMED[case]
    answer = call("send-code", None if body is None else json.dumps(body))
    assert status_and_code(answer) == (400, "INVALID_ARGUMENT")
    assert deployed.untouched()


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"code": RIGHT},
        {"authenticationId": "an-id"},
        {"authenticationId": "an-id", "code": "12345678901"},
        {"authenticationId": "x" * 37, "code": RIGHT},
        {"authenticationId": "", "code": RIGHT},
    ],
)
def test_a_malformed_validation_is_refused(deployed: Deployment, body: dict[str, str]) -> None:
    assert status_and_code(call("validate-code", json.dumps(body))) == (400, "INVALID_ARGUMENT")
    assert deployed.untouched()


def test_members_outside_the_standard_are_ignored(deployed: Deployment) -> None:
    assert send(extra="member").status == 200
    assert len(deployed.provider.sent) == 1


def test_the_last_wrong_guess_says_that_there_are_no_more(deployed: Deployment) -> None:
    authentication_id = sent()
    answers = [status_and_code(validate(authentication_id, WRONG)) for _ in range(5)]
    assert answers == [(400, "INVALID_OTP")] * 4 + [(400, "VERIFICATION_FAILED")]
    assert status_and_code(validate(authentication_id)) == (400, "VERIFICATION_FAILED")
    assert len(deployed.provider.checked) == 5


def test_a_code_of_another_form_is_wrong_and_spends_no_attempt(deployed: Deployment) -> None:
    authentication_id = sent()
    for _ in range(6):
        assert status_and_code(validate(authentication_id, "AJY3")) == (400, "INVALID_OTP")
    assert not deployed.provider.checked
    assert validate(authentication_id).status == 204


def test_a_code_expires_after_its_lifetime(deployed: Deployment) -> None:
    authentication_id = sent()
    deployed.clock.step(300)
    assert status_and_code(validate(authentication_id)) == (400, "VERIFICATION_EXPIRED")


def test_an_unknown_authentication_id_is_not_found(deployed: Deployment) -> None:
    assert status_and_code(validate("ea0840f3-3663-4149-bd10-c7c6b8912105")) == (404, "NOT_FOUND")
    assert not deployed.provider.checked


def test_a_second_code_at_once_exceeds_the_maximum(deployed: Deployment) -> None:
    sent()
    answer = send()
    assert status_and_code(answer) == (403, "MAX_OTP_CODES_EXCEEDED")
    assert answer.headers["Retry-After"] == "30"
    assert len(deployed.provider.sent) == 1


def test_a_number_that_failed_too_often_must_wait(deployed: Deployment) -> None:
    authentication_id = sent()
    (listed,) = [item for item in deployed.items() if item["pk"]["S"].startswith("N#")]
    tenant = next(item["tenant"]["S"] for item in deployed.items() if item["pk"]["S"].startswith("V#"))
    counted = {
        f"failures#stranger#{tenant}": {"N": "15"},
        f"failedAt#stranger#{tenant}": {"N": "0"},
        f"failures#{tenant}": {"N": "15"},
    }
    deployed.dynamodb.put_item(TableName=deployed.table, Item=listed | counted)
    for _ in range(5):
        validate(authentication_id, WRONG)
    deployed.clock.step(1)
    answer = send()
    assert status_and_code(answer) == (429, "TOO_MANY_REQUESTS")
    assert int(answer.headers["Retry-After"]) > 1


def test_a_landline_is_not_allowed(deployed: Deployment) -> None:
    assert status_and_code(send(LANDLINE)) == (403, "PHONE_NUMBER_NOT_ALLOWED")
    assert deployed.untouched()


def test_a_number_that_the_provider_refuses_is_blocked(deployed: Deployment) -> None:
    deployed.provider.fails_with = lambda: Refused("fake", "opted out")
    assert status_and_code(send()) == (403, "PHONE_NUMBER_BLOCKED")


def test_a_provider_that_is_down_is_unavailable(deployed: Deployment) -> None:
    deployed.provider.fails_with = lambda: NotSent("fake", "500")
    answer = send()
    assert status_and_code(answer) == (503, "UNAVAILABLE")
    assert int(answer.headers["Retry-After"]) >= 1


@pytest.mark.parametrize("error", [errors.ServiceMisconfigured, errors.InternalError, ZeroDivisionError])
def test_an_internal_error_is_answered_without_its_cause(
    deployed: Deployment, error: type[Exception]
) -> None:
    def fail() -> Exception:
        return error()

    deployed.provider.fails_with = fail
    assert status_and_code(send()) == (500, "INTERNAL")


def test_no_token_is_issued_because_the_standard_has_no_member_for_it(
    deployed: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def issue(verification: Verification, api_url: str, verified_at: int) -> str:
        raise AssertionError(f"issued a token of {verification.key} at {api_url}, {verified_at}")

    service = replace(bootstrap.service(), issue_token=issue)
    monkeypatch.setattr(bootstrap, "service", lambda: service)
    assert validate(sent()).status == 204
    assert len(deployed.provider.checked) == 1


def test_both_apis_share_a_verification(deployed: Deployment) -> None:
    """A team can move from one to the other with codes on their way."""
    verification_id = deployed.post("request_otp", phoneNumber=NUMBER).body["verificationId"]
    assert validate(verification_id).status == 204
    number = "+14155550178"
    verified = deployed.post("verify_otp", verificationId=sent(number), otp=RIGHT)
    assert (verified.status, verified.body["phoneNumber"]) == (200, number)
