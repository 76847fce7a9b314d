"""One function stops sending. The others refuse it, with each API's own error and in the log."""

import json
from dataclasses import replace
from typing import Any

import pytest

import admin.app
import request_otp.app
from generators import events
from sms_otp.entry_points import bootstrap, http
from tests.answers import undocumented
from tests.functional.canaries import LAST_DIGITS, Watch
from tests.functional.deployment import Answer, Context, Deployment, check

NUMBER, OTHER, ABROAD = "+14155550177", "+14155550178", "+447400123456"
RIGHT, WRONG = "123456", "654321"
HOUR = 3600


@pytest.fixture(autouse=True)
def _canaries(watch: Watch) -> None:
    for number in (NUMBER, OTHER, ABROAD):
        watch.look_for("number", number[-LAST_DIGITS:])
    for code in (RIGHT, WRONG):
        watch.look_for("code", code)


@pytest.fixture(autouse=True)
def _control(deployed: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """The administrators' use cases at the deployment's time."""
    for name in ("sending_control", "administration"):
        made = replace(getattr(bootstrap, name)(), clock=deployed.clock)
        monkeypatch.setattr(bootstrap, name, lambda made=made: made)


def administer(operation: str, **members: Any) -> dict[str, Any]:
    """The body of a success."""
    path = f"/admin/{operation}"
    body = json.dumps(members)
    event = events.build(path, body=body, with_key=False, caller=events.ADMINISTRATOR)
    answered = admin.app.lambda_handler(event, Context())
    answer = Answer(answered["statusCode"], answered["headers"], answered["body"])
    check(answer)
    assert answer.status == 200, answer.text
    assert undocumented(path, 200, answer.body) == []
    return answer.body


def logged(deployed: Deployment, event: str) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, deployed.lines()) if line.get("message") == event]


def test_a_stop_holds_from_the_next_request_and_sent_codes_are_checked(deployed: Deployment) -> None:
    sent = deployed.post("request_otp", phoneNumber=NUMBER).body
    assert [stop["scope"] for stop in administer("stop-sending", all=True, seconds=HOUR)["stops"]] == ["all"]
    deployed.clock.step(60)
    for function, members in (
        ("request_otp", {"phoneNumber": OTHER}),
        ("resend_otp", {"verificationId": sent["verificationId"]}),
    ):
        refused = deployed.post(function, **members)
        assert (refused.status, refused.outcome) == (503, "SENDING_STOPPED")
        assert refused.headers["Retry-After"] == str(HOUR - 60)
    assert len(deployed.provider.sent) == 1
    given = {"verificationId": sent["verificationId"]}
    assert deployed.post("verify_otp", **given, otp=WRONG).outcome == "OTP_INCORRECT"
    assert deployed.post("verify_otp", **given, otp=RIGHT).status == 200
    administer("resume-sending", all=True)
    assert deployed.post("request_otp", phoneNumber=OTHER).status == 200


def test_a_country_is_stopped_and_the_others_are_not(deployed: Deployment) -> None:
    administer("stop-sending", countries=["GB"])
    assert deployed.post("request_otp", phoneNumber=NUMBER).status == 200
    service = bootstrap.service()
    allowed = replace(service.policy, countries=frozenset({"US", "GB"}))
    abroad = replace(service, policy=allowed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bootstrap, "service", lambda: abroad)
        assert deployed.post("request_otp", phoneNumber=ABROAD).outcome == "SENDING_STOPPED"


def test_a_stop_and_each_refusal_are_in_the_log_with_who_and_why(deployed: Deployment) -> None:
    administer("stop-sending", channels=["sms"], seconds=HOUR)
    deployed.post("request_otp", phoneNumber=NUMBER)
    administer("resume-sending", channels=["sms"])
    (stopped,), (resumed,) = logged(deployed, "sending_stopped"), logged(deployed, "sending_resumed")
    assert (stopped["level"], stopped["caller"]) == ("WARNING", events.ADMINISTRATOR)
    assert (stopped["stops"], stopped["seconds"]) == (["channel sms"], HOUR)
    assert (resumed["caller"], resumed["stops"]) == (events.ADMINISTRATOR, ["channel sms"])
    assert [line["operation"] for line in logged(deployed, "admin_called")] == ["stop", "resume"]
    (refused,) = logged(deployed, "request_refused")
    assert (refused["level"], refused["error_code"], refused["reason"]) == (
        "INFO",
        "SENDING_STOPPED",
        "channel",
    )
    assert logged(deployed, "service_failed") == []


def test_a_refused_request_writes_nothing_to_the_table(deployed: Deployment) -> None:
    administer("stop-sending", all=True)
    before = deployed.items()
    for _ in range(3):
        deployed.post("request_otp", phoneNumber=NUMBER)
    assert deployed.items() == before


def test_camara_and_twilio_answer_a_stop_with_their_own_codes() -> None:
    administer("stop-sending", all=True, seconds=HOUR)
    body = json.dumps({"phoneNumber": NUMBER, "message": "{{code}} is your code"})
    event = events.build("/one-time-password-sms/v1/send-code", body=body)
    refused = request_otp.app.lambda_handler(event, Context())
    assert (refused["statusCode"], json.loads(refused["body"])["code"]) == (503, "UNAVAILABLE")
    assert refused["headers"]["Retry-After"] == str(HOUR)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    path = "/v2/Services/{ServiceSid}/Verifications"
    event = events.build(path, body=f"To=%2B{NUMBER[1:]}&Channel=sms", headers=form)
    event["pathParameters"] = {"ServiceSid": "VA" + "1" * 32}
    refused = request_otp.app.lambda_handler(event, Context())
    assert (refused["statusCode"], json.loads(refused["body"])["code"]) == (503, 20503)
    assert refused["headers"]["Retry-After"] == str(HOUR)


def test_an_unreadable_stop_item_blocks_sends_but_not_checks(deployed: Deployment) -> None:
    sent = deployed.post("request_otp", phoneNumber=NUMBER).body
    item: Any = {"pk": {"S": "S#"}, "everything": {"BOOL": True}}
    deployed.dynamodb.put_item(TableName=deployed.table, Item=item)
    refused = deployed.post("request_otp", phoneNumber=OTHER)
    assert (refused.status, refused.outcome) == (500, "INTERNAL_ERROR")
    (failed,) = logged(deployed, "store_failed")
    assert failed["reason"].startswith("malformed item of stops")
    assert len(deployed.provider.sent) == 1
    verified = deployed.post("verify_otp", verificationId=sent["verificationId"], otp=RIGHT)
    assert verified.status == 200


def test_a_numbers_status_predicts_the_next_request(deployed: Deployment) -> None:
    sent = deployed.post("request_otp", phoneNumber=NUMBER).body
    deployed.post("verify_otp", verificationId=sent["verificationId"], otp=RIGHT)
    deployed.clock.step(HOUR)
    before = deployed.items()
    as_stranger, with_token = administer("number-status", phoneNumber=NUMBER)["nextRequest"]
    assert as_stranger == {
        "tenant": events.API_KEY_ID,
        "comesAs": "stranger",
        "lane": "stranger",
        "admitted": True,
        "budget": "known",
    }
    assert with_token == as_stranger | {"comesAs": "token", "lane": "token", "budget": "own"}
    assert deployed.items() == before
    administer("stop-sending", countries=["US"], seconds=HOUR)
    for decision in administer("number-status", phoneNumber=NUMBER)["nextRequest"]:
        assert (decision["admitted"], decision["errorCode"]) == (False, "SENDING_STOPPED")
        assert (decision["reason"], decision["retryAfter"]) == ("country", HOUR)
    met = deployed.post("request_otp", phoneNumber=NUMBER)
    assert (met.outcome, met.status) == ("SENDING_STOPPED", http.PROBLEMS["SENDING_STOPPED"][0])
