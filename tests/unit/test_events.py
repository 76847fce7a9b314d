"""The files in `events/` are generated, fit the template, and are read by their handlers as intended."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from generators import events
from health.app import lambda_handler as health
from local.template import resource, template
from sms_otp.domain import phone
from sms_otp.domain.errors import OtpError
from sms_otp.entry_points import http

SCHEMAS = {"request_otp": "RequestOtp", "verify_otp": "VerifyOtp"}

ALL = events.CASES | events.PUBLISHED


def functions() -> dict[str, dict[str, dict[str, Any]]]:
    """The template's functions behind the API by package: the API events of each by path."""
    found = {}
    for described in template()["Resources"].values():
        if described["Type"] == "AWS::Serverless::Function" and "Events" in described["Properties"]:
            declared = described["Properties"]["Events"].values()
            package = described["Properties"]["Handler"].partition(".")[0]
            found[package] = {
                event["Properties"]["Path"]: event["Properties"]
                for event in declared
                if event["Type"] == "Api"
            }
    return found


def declared_event(name: str) -> dict[str, Any]:
    """The template's API event for the path of a case."""
    return functions()[name.partition("-")[0]][read(name)["path"]]


def read(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((events.DIRECTORY / f"{name}.json").read_text())
    return event


def test_the_directory_holds_a_file_for_each_case_and_no_other() -> None:
    assert {path.name for path in events.DIRECTORY.iterdir()} == {f"{name}.json" for name in ALL}


@pytest.mark.parametrize("name", ALL)
def test_a_file_has_the_text_that_the_generator_writes(name: str) -> None:
    assert (events.DIRECTORY / f"{name}.json").read_text() == events.text(ALL[name])


def test_the_generator_writes_every_case(tmp_path: Path) -> None:
    events.write(tmp_path / "events")
    assert len(list((tmp_path / "events").iterdir())) == len(ALL)


def test_each_function_has_an_event() -> None:
    assert {name.partition("-")[0] for name in ALL} == set(functions())


@pytest.mark.parametrize("name", events.CASES)
def test_an_event_has_the_path_method_and_stage_of_its_function(name: str) -> None:
    event, function = read(name), declared_event(name)
    context = event["requestContext"]
    assert event["resource"] == event["path"] == context["resourcePath"] == function["Path"]
    assert event["httpMethod"] == context["httpMethod"] == function["Method"]
    assert context["stage"] == resource("Api")["StageName"]
    assert context["path"] == f"/{context['stage']}{event['path']}"


@pytest.mark.parametrize("name", events.CASES)
def test_an_event_has_an_api_key_exactly_when_its_function_requires_one(name: str) -> None:
    event, function = read(name), declared_event(name)
    requires_key = function.get("Auth", {}).get("ApiKeyRequired", True)
    assert ("apiKeyId" in event["requestContext"]["identity"]) is requires_key
    assert ("x-api-key" in event["headers"]) is requires_key


def outcome(name: str) -> str:
    """`ok`, or the errorCode that reading the event raises."""
    try:
        body = http.read_body(read(name), SCHEMAS[name.partition("-")[0]])
        if name.startswith("request_otp"):
            phone.parse(body["phoneNumber"])
    except OtpError as error:
        return error.code
    return "ok"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("request_otp-sms", "ok"),
        ("request_otp-voice", "ok"),
        ("request_otp-with_session", "ok"),
        ("request_otp-invalid_number", "INVALID_PHONE_NUMBER"),
        ("request_otp-malformed_json", "INVALID_REQUEST"),
        ("request_otp-base64", "ok"),
        ("verify_otp-code", "ok"),
        ("verify_otp-wrong_form", "ok"),  # its form is judged later, by the deployment's code length
        ("verify_otp-unknown_id", "ok"),
    ],
)
def test_an_event_is_read_as_its_name_says(name: str, expected: str) -> None:
    assert outcome(name) == expected


def test_the_health_event_is_answered() -> None:
    answer = health(read("health-up"), None)
    assert answer["statusCode"] == 200
    assert answer["headers"] == {
        "Content-Type": "application/json; charset=utf-8",
        "Cache-Control": "public, max-age=5",
        "X-Content-Type-Options": "nosniff",
    }
    body = json.loads(answer["body"])
    assert datetime.strptime(body.pop("timestamp"), "%Y-%m-%dT%H:%M:%SZ")
    assert body == {"success": True, "status": "healthy"}
