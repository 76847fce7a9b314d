"""GET /health/deep through its handler, with each thing that the service leans on hanging, down or wrong."""

import base64
import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from botocore.awsrequest import AWSResponse

import deep_health.app
from fakes.memory import PEPPER, StepClock
from generators import events
from local.sandbox.credentials import credentials
from sms_otp.domain.circuit import NUMBERS
from sms_otp.use_cases.health import CHECK_SECONDS
from tests.functional.deployment import Answer, Context
from tests.functional.faults.world import Aws, AwsFault, World, aws_answer, aws_error, deployed_world
from tests.functional.test_openapi_examples import DOCUMENT, check_declared

NEVER_SECONDS = 60
"""How long what hangs would hang."""
PATIENT_SECONDS = 30.0
WELL = {"status": "up", "breaker": "closed"}
OPERATION = DOCUMENT.root["paths"]["/health/deep"]["get"]
READS = {"table": "BatchGetItem", "secret": "GetSecretValue", "pepper": "GetSecretValue"}
PROBES = {"infobip": "provision", "sinch": "status"}


def public_key() -> bytes:
    """Of some Ed25519 key, as KMS shows it."""
    return bytes.fromhex("302a300506032b6570032100") + bytes(range(32))


@pytest.fixture
def world(
    aws: Aws, sandbox: str, clock: StepClock, _log: object, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    with deployed_world(aws, "infobip,sinch", sandbox, clock, monkeypatch) as world:
        yield world


@pytest.fixture
def hung() -> Iterator[Any]:
    """What an AWS that never answers does; it lets go at the test's end."""
    over = threading.Event()

    def hang(_url: str) -> AWSResponse:
        over.wait(NEVER_SECONDS)
        raise ConnectionError

    yield hang
    over.set()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy this machine is, what answers does so in time."""
    monkeypatch.setattr(deep_health.app, "CHECK_SECONDS", PATIENT_SECONDS)


def asked(world: World) -> dict[str, Any]:
    """The report, which waited for nothing that hangs, in the declared shape, and without a secret."""
    world.aws.calls.clear()
    began = time.monotonic()
    answered = deep_health.app.lambda_handler(events.CASES["deep_health-up"], Context())
    assert time.monotonic() - began < NEVER_SECONDS / 2
    check_declared(OPERATION, answered)
    answer = Answer(answered["statusCode"], answered["headers"], answered["body"])
    assert (answer.status == 503) is (answer.body["status"] == "unhealthy")
    secrets = [text for fields in credentials(world.sandbox).values() for text in fields.values()]  # type: ignore[attr-defined] # a TypedDict of mappings
    assert not [secret for secret in [*secrets, PEPPER] if secret in answer.text]
    return answer.body


def spoiled(part: str, instead: Any) -> AwsFault:
    """Every reading of its kind: the two secrets are read at once, so either may be the first."""
    return AwsFault(READS[part], instead, calls=2, tries=4)


def spoil(world: World, provider: str, fault: str) -> None:
    wanted = {"provider": provider, "operation": PROBES[provider], "fault": fault}
    requests.post(f"{world.sandbox}/faults", json=wanted, timeout=5).raise_for_status()


def test_the_answer_is_to_come_within_two_seconds() -> None:
    """That it comes with the deadline is seen in `tests/unit/test_health.py`."""
    assert CHECK_SECONDS < 1.5


@pytest.mark.usefixtures("patient")
def test_a_service_that_can_do_its_job_is_healthy_and_nothing_was_sent_or_written(world: World) -> None:
    report = asked(world)
    assert datetime.fromisoformat(report.pop("timestamp")) <= datetime.now(UTC)
    assert report == {
        "success": True,
        "status": "healthy",
        "table": "up",
        "secret": "up",
        "pepper": "up",
        "providers": {"infobip": WELL, "sinch": WELL},
    }
    assert world.inbox() == []
    assert world.aws.calls == {"BatchGetItem": 1, "GetSecretValue": 2}


@pytest.mark.parametrize("part", READS)
def test_what_hangs_in_aws_is_down_and_the_answer_comes_all_the_same(
    world: World, part: str, hung: Any
) -> None:
    world.aws.faults = [spoiled(part, hung)]
    report = asked(world)
    assert (report["status"], report[part]) == ("unhealthy", "down")


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("part", READS)
def test_what_aws_refuses_is_down(world: World, part: str) -> None:
    world.aws.faults = [spoiled(part, aws_error("AccessDeniedException"))]
    report = asked(world)
    assert (report["status"], report[part]) == ("unhealthy", "down")
    assert "AccessDeniedException" in report["reasons"][part]
    world.heal()
    assert asked(world)["status"] == "healthy"


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize(("fault", "found"), [("500", "down"), ("401", "misconfigured"), ("429", "up")])
@pytest.mark.parametrize("provider", PROBES)
def test_one_provider_in_trouble_leaves_the_service_degraded(
    world: World, provider: str, fault: str, found: str
) -> None:
    spoil(world, provider, fault)
    report = asked(world)
    assert report["status"] == ("healthy" if found == "up" else "degraded")
    assert report["providers"][provider]["status"] == found
    assert WELL in report["providers"].values()


@pytest.mark.parametrize("provider", PROBES)
def test_a_provider_that_hangs_leaves_the_service_degraded(world: World, provider: str) -> None:
    spoil(world, provider, "timeout")
    report = asked(world)
    assert (report["status"], report["providers"][provider]["status"]) == ("degraded", "down")
    assert WELL in report["providers"].values()


def test_no_provider_that_answers_is_no_service(world: World) -> None:
    for provider in PROBES:
        spoil(world, provider, "timeout")
    report = asked(world)
    assert report["status"] == "unhealthy"
    assert {each["status"] for each in report["providers"].values()} == {"down"}


@pytest.mark.usefixtures("patient")
def test_a_secret_that_was_just_changed_is_looked_at_as_it_is_now(world: World) -> None:
    assert asked(world)["status"] == "healthy"
    held = {name: fields for name, fields in credentials(world.sandbox).items() if name == "sinch"}
    world.put_secret("provider_secret_arn", json.dumps(held))
    report = asked(world)
    assert report["status"] == "degraded"
    assert report["providers"]["infobip"]["status"] == "misconfigured"
    assert report["reasons"] == {"infobip": "secret field infobip"}


def alone(world: World, monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    """A deployment with Infobip alone and these settings."""
    for name, value in {"PROVIDER_ORDER": "infobip", **variables}.items():
        monkeypatch.setenv(name, value)
    world.restart()


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("apiKey", "", "secret field infobip.apiKey"),
        ("apiKey", 5, "secret field infobip.apiKey"),
        ("baseUrl", "", "secret field infobip.baseUrl"),
        ("messageId", "of-another-application", "messageId"),
    ],
)
def test_a_field_of_the_secret_with_which_nobody_can_verify_is_named(
    world: World, monkeypatch: pytest.MonkeyPatch, field: str, value: object, reason: str
) -> None:
    alone(world, monkeypatch)
    fields: dict[str, object] = {**credentials(world.sandbox)["infobip"], field: value}
    world.put_secret("provider_secret_arn", json.dumps({"infobip": fields}))
    report = asked(world)
    assert (report["status"], report["reasons"]) == ("unhealthy", {"infobip": reason})


@pytest.mark.usefixtures("patient")
def test_a_code_of_another_length_than_the_providers_is_named(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone(world, monkeypatch, CODE_LENGTH="8")
    report = asked(world)
    assert (report["status"], report["reasons"]) == ("unhealthy", {"infobip": "CodeLength"})


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        ({"pepper": "short"}, "secret field pepper"),
        ({}, "secret field pepper"),
        ({"pepper": PEPPER, "alsoRead": "short"}, "secret field alsoRead"),
    ],
)
def test_a_pepper_without_which_nobody_can_verify_is_named(
    world: World, secret: dict[str, str], reason: str
) -> None:
    assert asked(world)["status"] == "healthy"
    world.put_secret("pepper_secret_arn", json.dumps(secret))
    report = asked(world)
    assert (report["status"], report["pepper"]) == ("unhealthy", "down")
    assert report["reasons"] == {"pepper": reason}


TOKEN_KEY = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-4000-8000-000000000000"


@pytest.mark.usefixtures("patient")
def test_a_key_of_tokens_that_there_is_none_of_is_named(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone(world, monkeypatch, TOKEN_KEYS=TOKEN_KEY)
    world.aws.faults = [AwsFault("GetPublicKey", aws_error("NotFoundException"))]
    report = asked(world)
    assert (report["status"], report["tokens"]) == ("unhealthy", "down")
    assert report["reasons"] == {"tokens": "GetPublicKey: NotFoundException"}


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize(
    ("key", "tokens", "reasons"),
    [
        (public_key(), "up", None),
        (b"a key of another kind", "down", {"tokens": "not an Ed25519 key"}),
    ],
)
def test_a_key_of_tokens_is_up_if_tokens_can_be_checked_with_it(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    key: bytes,
    tokens: str,
    reasons: dict[str, str] | None,
) -> None:
    alone(world, monkeypatch, TOKEN_KEYS=TOKEN_KEY)
    shown = aws_answer(200, {"PublicKey": base64.b64encode(key).decode()})
    world.aws.faults = [AwsFault("GetPublicKey", shown)]
    report = asked(world)
    assert (report["tokens"], report.get("reasons")) == (tokens, reasons)


@pytest.mark.usefixtures("patient")
def test_a_key_of_tokens_that_was_disabled_since_is_seen(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone(world, monkeypatch, TOKEN_KEYS=TOKEN_KEY)
    shown = aws_answer(200, {"PublicKey": base64.b64encode(public_key()).decode()})
    world.aws.faults = [AwsFault("GetPublicKey", shown)]
    assert asked(world)["status"] == "healthy"
    world.aws.faults = [AwsFault("GetPublicKey", aws_error("DisabledException"))]
    assert asked(world)["reasons"] == {"tokens": "GetPublicKey: DisabledException"}


@pytest.mark.usefixtures("patient")
def test_a_breaker_that_the_sends_have_opened_is_told(world: World) -> None:
    for index in range(NUMBERS):
        for each in ("infobip", "sinch"):
            wanted = {"provider": each, "operation": "send", "fault": "500"}
            requests.post(f"{world.sandbox}/faults", json=wanted, timeout=5).raise_for_status()
        assert world.request(key=None, number=f"+1415555014{index}").status == 503
    report = asked(world)
    assert report["status"] == "degraded", "the last one left is called although its circuit is open"
    assert report["providers"]["sinch"] == {"status": "up", "breaker": "open"}


def test_without_its_settings_the_function_says_so_in_the_log_alone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.restart()
    monkeypatch.delenv("TABLE_NAME")
    answered = deep_health.app.lambda_handler(events.CASES["deep_health-up"], Context())
    assert (answered["statusCode"], json.loads(answered["body"])["errorCode"]) == (500, "INTERNAL_ERROR")
