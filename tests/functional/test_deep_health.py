"""GET /health/deep while each of the service's dependencies hangs, is down or is misconfigured."""

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
"""How long a hanging dependency hangs."""
PATIENT_SECONDS = 30.0
WELL = {"status": "up", "breaker": "closed"}
OPERATION = DOCUMENT.root["paths"]["/health/deep"]["get"]
READS = {"table": "BatchGetItem", "secret": "GetSecretValue", "pepper": "GetSecretValue"}
PROBES = {"infobip": "provision", "sinch": "status"}


def public_key() -> bytes:
    """A made-up Ed25519 public key in the form that KMS returns."""
    return bytes.fromhex("302a300506032b6570032100") + bytes(range(32))


@pytest.fixture
def world(
    aws: Aws, sandbox: str, clock: StepClock, _log: object, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    with deployed_world(aws, "infobip,sinch", sandbox, clock, monkeypatch) as world:
        yield world


@pytest.fixture
def hung() -> Iterator[Any]:
    """An AWS fault that never answers. It ends with the test."""
    over = threading.Event()

    def hang(_url: str) -> AWSResponse:
        over.wait(NEVER_SECONDS)
        raise ConnectionError

    yield hang
    over.set()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deadline that a busy machine meets, too."""
    monkeypatch.setattr(deep_health.app, "CHECK_SECONDS", PATIENT_SECONDS)


def check_health(world: World) -> dict[str, Any]:
    """Read the report: it waits for no hanging dependency, has the declared shape and holds no secret."""
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
    """A fault of every read of its kind: the two secrets are read at once, so either may be the first."""
    return AwsFault(READS[part], instead, calls=2, tries=4)


def spoil(world: World, provider: str, fault: str) -> None:
    body = {"provider": provider, "operation": PROBES[provider], "fault": fault}
    requests.post(f"{world.sandbox}/faults", json=body, timeout=5).raise_for_status()


def test_the_deadline_leaves_time_to_answer_within_two_seconds() -> None:
    """`tests/unit/test_health.py` checks that the answer comes by the deadline."""
    assert CHECK_SECONDS < 1.5


@pytest.mark.usefixtures("patient")
def test_a_working_service_is_healthy_and_the_check_writes_nothing(world: World) -> None:
    report = check_health(world)
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
def test_a_hanging_aws_dependency_is_down_and_the_report_still_comes(
    world: World, part: str, hung: Any
) -> None:
    world.aws.faults = [spoiled(part, hung)]
    report = check_health(world)
    assert (report["status"], report[part]) == ("unhealthy", "down")


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("part", READS)
def test_an_aws_dependency_that_refuses_is_down(world: World, part: str) -> None:
    world.aws.faults = [spoiled(part, aws_error("AccessDeniedException"))]
    report = check_health(world)
    assert (report["status"], report[part]) == ("unhealthy", "down")
    assert "AccessDeniedException" in report["reasons"][part]
    world.heal()
    assert check_health(world)["status"] == "healthy"


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize(("fault", "found"), [("500", "down"), ("401", "misconfigured"), ("429", "up")])
@pytest.mark.parametrize("provider", PROBES)
def test_one_provider_in_trouble_leaves_the_service_degraded(
    world: World, provider: str, fault: str, found: str
) -> None:
    spoil(world, provider, fault)
    report = check_health(world)
    assert report["status"] == ("healthy" if found == "up" else "degraded")
    assert report["providers"][provider]["status"] == found
    assert WELL in report["providers"].values()


@pytest.mark.parametrize("provider", PROBES)
def test_a_provider_that_hangs_leaves_the_service_degraded(world: World, provider: str) -> None:
    spoil(world, provider, "timeout")
    report = check_health(world)
    assert (report["status"], report["providers"][provider]["status"]) == ("degraded", "down")
    assert WELL in report["providers"].values()


def test_the_service_is_unhealthy_when_no_provider_answers(world: World) -> None:
    for provider in PROBES:
        spoil(world, provider, "timeout")
    report = check_health(world)
    assert report["status"] == "unhealthy"
    assert {each["status"] for each in report["providers"].values()} == {"down"}


@pytest.mark.usefixtures("patient")
def test_the_check_reads_a_changed_secret_at_once(world: World) -> None:
    assert check_health(world)["status"] == "healthy"
    held = {name: fields for name, fields in credentials(world.sandbox).items() if name == "sinch"}
    world.put_secret("provider_secret_arn", json.dumps(held))
    report = check_health(world)
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
def test_an_invalid_field_of_the_provider_secret_is_named(
    world: World, monkeypatch: pytest.MonkeyPatch, field: str, value: object, reason: str
) -> None:
    alone(world, monkeypatch)
    fields: dict[str, object] = {**credentials(world.sandbox)["infobip"], field: value}
    world.put_secret("provider_secret_arn", json.dumps({"infobip": fields}))
    report = check_health(world)
    assert (report["status"], report["reasons"]) == ("unhealthy", {"infobip": reason})


@pytest.mark.usefixtures("patient")
def test_a_code_length_that_differs_from_the_providers_is_named(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone(world, monkeypatch, CODE_LENGTH="8")
    report = check_health(world)
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
def test_an_invalid_pepper_is_named(world: World, secret: dict[str, str], reason: str) -> None:
    assert check_health(world)["status"] == "healthy"
    world.put_secret("pepper_secret_arn", json.dumps(secret))
    report = check_health(world)
    assert (report["status"], report["pepper"]) == ("unhealthy", "down")
    assert report["reasons"] == {"pepper": reason}


TOKEN_KEY = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-4000-8000-000000000000"


@pytest.mark.usefixtures("patient")
def test_a_missing_token_key_is_named(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    alone(world, monkeypatch, TOKEN_KEYS=TOKEN_KEY)
    world.aws.faults = [AwsFault("GetPublicKey", aws_error("NotFoundException"))]
    report = check_health(world)
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
def test_a_token_key_is_up_only_if_it_is_an_ed25519_key(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    key: bytes,
    tokens: str,
    reasons: dict[str, str] | None,
) -> None:
    alone(world, monkeypatch, TOKEN_KEYS=TOKEN_KEY)
    shown = aws_answer(200, {"PublicKey": base64.b64encode(key).decode()})
    world.aws.faults = [AwsFault("GetPublicKey", shown)]
    report = check_health(world)
    assert (report["tokens"], report.get("reasons")) == (tokens, reasons)


@pytest.mark.usefixtures("patient")
def test_a_token_key_that_was_disabled_is_named(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    alone(world, monkeypatch, TOKEN_KEYS=TOKEN_KEY)
    shown = aws_answer(200, {"PublicKey": base64.b64encode(public_key()).decode()})
    world.aws.faults = [AwsFault("GetPublicKey", shown)]
    assert check_health(world)["status"] == "healthy"
    world.aws.faults = [AwsFault("GetPublicKey", aws_error("DisabledException"))]
    assert check_health(world)["reasons"] == {"tokens": "GetPublicKey: DisabledException"}


@pytest.mark.usefixtures("patient")
def test_an_open_circuit_breaker_is_reported(world: World) -> None:
    for index in range(NUMBERS):
        for each in ("infobip", "sinch"):
            body = {"provider": each, "operation": "send", "fault": "500"}
            requests.post(f"{world.sandbox}/faults", json=body, timeout=5).raise_for_status()
        assert world.request(key=None, number=f"+1415555014{index}").status == 503
    report = check_health(world)
    assert report["status"] == "degraded", "the last one left is called although its circuit is open"
    assert report["providers"]["sinch"] == {"status": "up", "breaker": "open"}


def test_without_its_settings_the_function_is_an_internal_error(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.restart()
    monkeypatch.delenv("TABLE_NAME")
    answered = deep_health.app.lambda_handler(events.CASES["deep_health-up"], Context())
    assert (answered["statusCode"], json.loads(answered["body"])["errorCode"]) == (500, "INTERNAL_ERROR")
