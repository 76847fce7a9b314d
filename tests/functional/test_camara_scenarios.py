"""CAMARA's own test definitions, run against the functions: see `tests.camara`."""

import json
from collections.abc import Callable

import pytest

import request_otp.app
import verify_otp.app
from generators import events
from local.template import ROOT
from sms_otp.domain.provider import Refused
from tests.camara import AT_API_GATEWAY, SCENARIOS, Result, Scenario
from tests.functional.deployment import Answer, Context, Deployment
from tests.unit.test_security_doc import table

BASE = "/one-time-password-sms/v1"
NUMBER = "+14155550177"
LANDLINE, TOLL_FREE = "+442079460123", "+18005550123"
MESSAGE = "{{code}} is your short code"
MAX_LENGTH = 160
CORRELATOR = "b4333c46-49c0-4f62-80d7-f0ef930f1c46"
RIGHT, WRONG = "123456", "654321"

Request = Callable[[Deployment], Answer]


def post(operation: str, body: str | None, correlator: str | None = CORRELATOR) -> Answer:
    handler = {"send-code": request_otp.app, "validate-code": verify_otp.app}[operation].lambda_handler
    headers = events.JSON_TYPE | ({"x-correlator": correlator} if correlator else {})
    answered = handler(events.build(f"{BASE}/{operation}", body=body, headers=headers), Context())
    return Answer(answered["statusCode"], answered["headers"], answered.get("body", ""))


def send(correlator: str | None = CORRELATOR, **members: str) -> Answer:
    body = {"phoneNumber": NUMBER, "message": MESSAGE} | members
    return post("send-code", json.dumps(body), correlator)


def sent() -> str:
    """The authenticationId of a send-code request."""
    return str(send().body["authenticationId"])


def validate(authentication_id: str, code: str = RIGHT, correlator: str | None = CORRELATOR) -> Answer:
    return post(
        "validate-code", json.dumps({"authenticationId": authentication_id, "code": code}), correlator
    )


def send_one_too_many(deployed: Deployment) -> Answer:
    """Two sends in the same second: the gap allows only the first."""
    del deployed
    sent()
    return send()


def send_to_a_number_that_blocks(deployed: Deployment) -> Answer:
    deployed.provider.fails_with = lambda: Refused("fake", "blocked")
    return send()


def validate_after_expiry(deployed: Deployment) -> Answer:
    authentication_id = sent()
    deployed.clock.step(300)
    return validate(authentication_id)


def validate_the_first_of_two(deployed: Deployment) -> Answer:
    first = sent()
    deployed.clock.step(30)
    assert sent() != first
    return validate(first)


def validate_again(deployed: Deployment) -> Answer:
    del deployed
    authentication_id = sent()
    assert validate(authentication_id).status == 204
    return validate(authentication_id)


def spend_the_last_try(deployed: Deployment) -> Answer:
    del deployed
    authentication_id = sent()
    for _ in range(4):
        validate(authentication_id, WRONG)
    return validate(authentication_id, WRONG)


REQUESTS: dict[str, Request] = {
    "01_send_code_success_scenario": lambda _: send(),
    "02_send_code_success_scenario_without_x-correlator": lambda _: send(correlator=None),
    "400.1_send_code_no_request_body": lambda _: post("send-code", None),
    "400.2_send_code_empty_request_body": lambda _: post("send-code", "{}"),
    "400.4_send_code_incorrect_phone_number_request_body": lambda _: send(phoneNumber="3301"),
    "400.5_send_code_missing_message": lambda _: post("send-code", json.dumps({"phoneNumber": NUMBER})),
    "400.6_send_code_missing_code_request_body": lambda _: send(message="message without code"),
    "400.7_send_code_message_too_long": lambda _: send(message=MESSAGE.ljust(MAX_LENGTH + 1, ".")),
    "03_send_code_max_otp_code": send_one_too_many,
    "04_send_code_phone_number_not_allowed": lambda _: send(phoneNumber=TOLL_FREE),
    "05_send_code_phone_number_not_allowed_3": lambda _: send(phoneNumber=LANDLINE),
    "06_send_code_phone_number_blocked": send_to_a_number_that_blocks,
    "01_validate_code_sucess_scenario": lambda _: validate(sent()),
    "02_validate_code_sucess_scenario_without_x-correlator": lambda _: validate(sent(), correlator=None),
    "400.1_validate_code_no_request_body": lambda _: post("validate-code", None),
    "400.2_validate_code_empty_request_body": lambda _: post("validate-code", "{}"),
    "400.3_validate_code_missing_authenticationId": lambda _: post(
        "validate-code", json.dumps({"code": RIGHT})
    ),
    "400.3_validate_code_missing_code": lambda _: post(
        "validate-code", json.dumps({"authenticationId": sent()})
    ),
    "400.4_validate_code_exceed_code_max_length": lambda _: validate(sent(), "thisCodeExceedsTenCharacters"),
    "400.5_validate_code_invalid_otp_scenario": lambda _: validate(sent(), WRONG),
    "400.6_validate_code_verification_expired_scenario_1": validate_after_expiry,
    "400.7_validate_code_verification_expired_scenario_2": validate_the_first_of_two,
    "400.8_validate_code_verification_expired_scenario_3": validate_again,
    "400.9_validate_code_verification_failed_scenario": spend_the_last_try,
    "404_validate_code_resource_not_found": lambda _: validate("ea0840f3-3663-4149-bd10-c7c6b8912105"),
}


def met(scenario: Scenario, answer: Answer) -> bool:
    """Whether an answer matches the definition: status, code, text, correlator and schema."""
    if answer.status != scenario.status:
        return False
    if "without_x-correlator" not in scenario.tag and answer.headers.get("x-correlator") != CORRELATOR:
        return False
    if scenario.status == 204:
        return answer.text == ""
    if answer.headers["Content-Type"] != "application/json":
        return False
    body = answer.body
    if scenario.status == 200:
        return body.keys() == {"authenticationId"} and 0 < len(body["authenticationId"]) <= 36
    texts = isinstance(body["message"], str) and len(body["message"]) > 0
    return (body["status"], body["code"]) == (scenario.status, scenario.code) and texts


@pytest.mark.parametrize("tag", REQUESTS)
def test_a_scenario_has_the_result_in_the_table(deployed: Deployment, tag: str) -> None:
    scenario = SCENARIOS[tag]
    answer = REQUESTS[tag](deployed)
    assert met(scenario, answer) is (scenario.result is Result.PASSED), (answer.status, answer.text)


def test_every_scenario_that_applies_is_run() -> None:
    at_api_gateway = {scenario.tag for scenario in AT_API_GATEWAY}
    others = {tag for tag, scenario in SCENARIOS.items() if scenario.result is Result.NOT_APPLICABLE}
    assert len(SCENARIOS) == 32
    assert REQUESTS.keys() == SCENARIOS.keys() - at_api_gateway - others


def test_the_page_has_the_table() -> None:
    rows = table(ROOT / "docs/camara.md", "## The standard's own tests")
    columns = list(rows[0])
    documented = {row[columns[0]]: (row[columns[1]], row[columns[2]]) for row in rows}
    assert documented == {tag: (str(scenario.result), scenario.why) for tag, scenario in SCENARIOS.items()}
