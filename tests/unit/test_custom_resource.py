"""An event of CloudFormation gets exactly one answer, also when the function fails."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

import check_settings.app
import provision_infobip.app
from local.template import environment
from sms_otp.adapters import config
from sms_otp.adapters.providers.transport import NoAnswer, TransportError
from sms_otp.domain.errors import ServiceMisconfigured
from sms_otp.domain.provider import Misconfigured
from sms_otp.entry_points import bootstrap, custom_resource
from sms_otp.setup import desired_state, provisioning
from sms_otp.setup.desired_state import ProvisioningFailed
from tests.unit.providers.scripted import ScriptedTransport, answer

URL = "https://cloudformation-custom-resource-response.example/a?signature=b"
EVENT: custom_resource.Event = {
    "RequestType": "Create",
    "RequestId": "a-request",
    "StackId": "a-stack",
    "LogicalResourceId": "InfobipSetup",
    "ResponseURL": URL,
    "ResourceProperties": {"CodeLength": "6"},
}
OWN = {"PhysicalResourceId": "InfobipSetup", "LogicalResourceId": "InfobipSetup"}
NAMED = {**OWN, "StackId": "a-stack", "RequestId": "a-request"}


@dataclass
class World:
    """The function, its calls, and CloudFormation behind the response URL."""

    transport: ScriptedTransport = field(default_factory=lambda: ScriptedTransport(answer(200)))
    calls: list[tuple[str, Any]] = field(default_factory=list)
    fails: Exception | None = None

    def __call__(self, **changes: Any) -> dict[str, Any]:
        provision_infobip.app.lambda_handler({**EVENT, **changes}, None)  # type: ignore[typeddict-item] # as AWS sends it
        (put,) = self.transport.calls
        assert (put.method, put.url, put.headers) == (
            "PUT",
            changes.get("ResponseURL", URL),
            {"Content-Type": ""},
        )
        body = put.json
        assert isinstance(body, dict)
        return body


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    config.settings.cache_clear()
    made = World()

    def credentials(provider: str) -> dict[str, str]:
        made.calls.append(("credentials", provider))
        if made.fails is not None:
            raise made.fails
        return {"apiKey": "a-key"}

    def open_account(fields: dict[str, str], settings: config.Settings) -> str:
        assert settings == config.settings()
        made.calls.append(("account", fields))
        return "an-account"

    def provision(account: str, desired: str) -> SimpleNamespace:
        made.calls.append((account, desired))
        return SimpleNamespace(attributes={"ApplicationId": "an-id"})

    monkeypatch.setattr(bootstrap, "credentials", credentials)
    monkeypatch.setattr(desired_state, "desired_state_from", lambda parameters: parameters["CodeLength"])
    monkeypatch.setattr(provisioning, "open_account", open_account)
    monkeypatch.setattr(provisioning, "provision", provision)
    monkeypatch.setattr(custom_resource, "Transport", lambda: made.transport)
    yield made
    config.settings.cache_clear()


@pytest.mark.parametrize("kind", ["Create", "Update"])
def test_infobip_is_provisioned_with_its_credentials_and_the_stack_gets_the_ids(
    world: World, kind: str
) -> None:
    assert world(RequestType=kind) == {"Status": "SUCCESS", "Data": {"ApplicationId": "an-id"}, **NAMED}
    assert world.calls == [
        ("credentials", "infobip"),
        ("account", {"apiKey": "a-key"}),
        ("an-account", "6"),
    ]


def test_settings_are_checked_and_their_digest_answered(world: World) -> None:
    settings = environment() | {"POWERTOOLS_SERVICE_NAME": "sms-otp"}
    properties = {"Environment": settings, "AwsSmsIdentityArn": ""}
    check_settings.app.lambda_handler({**EVENT, "ResourceProperties": properties}, None)
    (put,) = world.transport.calls
    body = put.json
    assert isinstance(body, dict)
    assert (body["Status"], body["Data"].keys()) == ("SUCCESS", {"Digest"})


def test_a_deletion_changes_nothing_and_succeeds(world: World) -> None:
    assert world(RequestType="Delete") == {"Status": "SUCCESS", **NAMED}
    assert world.calls == []


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (ProvisioningFailed("template en: http_400"), "template en: http_400"),
        (ServiceMisconfigured(reason="secret field infobip"), "secret field infobip"),
        (Misconfigured("infobip", "base URL"), "base URL"),
        (RuntimeError("canary"), "RuntimeError"),
    ],
)
def test_a_failure_is_answered_with_its_reason_but_an_unexpected_one_by_class(
    world: World, fault: Exception, expected: str
) -> None:
    world.fails = fault
    body = world()
    reason = body.pop("Reason")
    assert body == {"Status": "FAILED", **NAMED}
    assert expected in reason
    assert "canary" not in reason


@pytest.mark.parametrize(
    ("stage", "url", "is_answered"),
    [
        ("dev", "http://127.0.0.1:4566/a", False),
        ("prod", "ftp://a.example/a", False),
        ("local", "http://127.0.0.1:4566/a", True),
        ("local", "ftp://127.0.0.1/a", False),
    ],
)
def test_an_answer_goes_over_https_or_to_a_local_stacks_emulator(
    world: World, monkeypatch: pytest.MonkeyPatch, stage: str, url: str, is_answered: bool
) -> None:
    monkeypatch.setenv("STAGE", stage)
    config.settings.cache_clear()
    if is_answered:
        assert world(ResponseURL=url)["Status"] == "SUCCESS"
        return
    with pytest.raises(ValueError, match="https"):
        world(ResponseURL=url)
    assert world.transport.calls == []


def test_the_check_of_settings_may_answer_an_emulator_at_stage_local(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAGE", "local")
    config.settings.cache_clear()
    at = "http://127.0.0.1:4566/a"
    check_settings.app.lambda_handler({**EVENT, "RequestType": "Delete", "ResponseURL": at}, None)
    assert [put.url for put in world.transport.calls] == [at]


@pytest.mark.parametrize("end", [answer(403), NoAnswer("timeout")])
def test_an_answer_that_fails_is_raised_so_that_lambda_retries(world: World, end: Any) -> None:
    world.transport = ScriptedTransport(end)
    with pytest.raises((RuntimeError, TransportError)):
        world()


def test_an_answer_may_take_six_seconds(world: World) -> None:
    world()
    (put,) = world.transport.calls
    assert 5 < put.deadline.remaining() <= 6
    assert json.loads(put.body)["RequestId"] == "a-request"
