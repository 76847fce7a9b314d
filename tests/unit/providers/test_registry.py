"""Providers, built from a deployment's secret and settings."""

import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from local.template import ROOT
from sms_otp.adapters.aws import clients
from sms_otp.adapters.config import Settings
from sms_otp.adapters.providers import registry
from sms_otp.adapters.providers.aws import Aws
from sms_otp.adapters.providers.infobip import Infobip
from sms_otp.adapters.providers.sinch import Sinch
from sms_otp.adapters.providers.transport import CONNECT_SECONDS, READ_SECONDS
from sms_otp.domain.errors import ServiceMisconfigured
from sms_otp.domain.provider import Misconfigured

LAYER = ROOT / "layers/core"

INFOBIP = {
    "apiKey": "a-key",
    "baseUrl": "https://abc123.api.infobip.com",
    "applicationId": "an-application",
    "messageId": "a-message",
}
SINCH = {"applicationKey": "a-key", "applicationSecret": "JViE5vDor0Sw3WllZka15Q=="}
AWS = {"codeKey": "a-key-of-no-less-than-32-letters", "originationIdentity": "SENDER"}
CREDENTIALS = {"infobip": INFOBIP, "sinch": SINCH, "aws": AWS}
FIELDS = [(provider, field) for provider, fields in CREDENTIALS.items() for field in fields]


@pytest.fixture
def chosen(settings: Settings) -> Settings:
    return replace(settings, stage="prod", provider_sandbox_url="", sinch_auth="application")


def test_each_name_builds_its_own_provider(chosen: Settings) -> None:
    assert isinstance(registry.build("infobip", INFOBIP, chosen), Infobip)
    assert isinstance(registry.build("sinch", SINCH, chosen), Sinch)
    assert isinstance(registry.build("aws", AWS, chosen), Aws)


@pytest.mark.parametrize(("stage", "sandbox"), [("prod", ""), ("local", "http://127.0.0.1:4600")])
def test_an_aws_message_goes_to_aws_or_the_sandbox_without_retries(
    stage: str, sandbox: str, chosen: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    made: list[Any] = []
    make = clients.client

    def kept(service: str, **named: Any) -> Any:
        made.append(make(service, **named))
        return made[0]

    monkeypatch.setattr(clients, "client", kept)
    registry._end_user_messaging.cache_clear()
    local = replace(chosen, stage=stage, provider_sandbox_url=sandbox)
    for _ in range(2):
        registry.build("aws", AWS, local)
    registry._end_user_messaging.cache_clear()
    (client,) = made
    host = f"{sandbox}/aws" if sandbox else "https://sms-voice.eu-west-1.amazonaws.com"
    assert client.meta.endpoint_url == host
    assert client.meta.config.retries == {"total_max_attempts": 1, "mode": "standard"}
    assert client.meta.config.proxies == {}
    assert (client.meta.config.connect_timeout, client.meta.config.read_timeout) == (
        CONNECT_SECONDS,
        READ_SECONDS,
    )


@pytest.mark.parametrize(("names", "services"), [(["aws"], ["pinpoint-sms-voice-v2"]), (["sinch"], [])])
def test_a_client_of_aws_is_made_in_advance_only_where_aws_sends(
    names: list[str], services: list[str], chosen: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    monkeypatch.setattr(clients, "client", lambda service, **_: made.append(service))
    registry._end_user_messaging.cache_clear()
    registry.prepare(names, chosen)
    registry._end_user_messaging.cache_clear()
    assert made == services


def test_an_unknown_provider_is_a_misconfiguration(chosen: Settings) -> None:
    with pytest.raises(ServiceMisconfigured) as caught:
        registry.build("twilio", {}, chosen)
    assert caught.value.reason == "environment variable PROVIDER_ORDER"


@pytest.mark.parametrize(("provider", "field"), FIELDS)
@pytest.mark.parametrize("value", [None, "", " ", 7, ["x"], "a\nb", "a b", "é"])
def test_an_unusable_field_is_named_and_not_shown(
    provider: str, field: str, value: object, chosen: Settings
) -> None:
    with pytest.raises(ServiceMisconfigured) as caught:
        registry.build(provider, {**CREDENTIALS[provider], field: value}, chosen)
    assert caught.value.reason == f"secret field {provider}.{field}"


@pytest.mark.parametrize(("provider", "field"), FIELDS)
@pytest.mark.parametrize("pasted", [" {}", "{} ", "{}\n", "\t{}\r\n"])
def test_pasted_whitespace_around_a_field_is_stripped(
    provider: str, field: str, pasted: str, chosen: Settings
) -> None:
    held = {**CREDENTIALS[provider], field: pasted.format(CREDENTIALS[provider][field])}
    registry.build(provider, held, chosen)


@pytest.mark.parametrize(("provider", "field"), FIELDS)
def test_a_missing_field_is_named(provider: str, field: str, chosen: Settings) -> None:
    held = {name: value for name, value in CREDENTIALS[provider].items() if name != field}
    with pytest.raises(ServiceMisconfigured) as caught:
        registry.build(provider, held, chosen)
    assert caught.value.reason == f"secret field {provider}.{field}"


def test_the_ids_of_a_provisioned_infobip_need_not_be_in_the_secret(chosen: Settings) -> None:
    provisioned = replace(
        chosen, infobip_application_id="a-provisioned-one", infobip_message_id="its-message"
    )
    held = {"apiKey": INFOBIP["apiKey"], "baseUrl": INFOBIP["baseUrl"]}
    assert isinstance(registry.build("infobip", held, provisioned), Infobip)


def test_a_sinch_secret_that_is_not_base64_is_refused_where_requests_are_signed(chosen: Settings) -> None:
    malformed = {**SINCH, "applicationSecret": "not-base64!"}
    with pytest.raises(Misconfigured):
        registry.build("sinch", malformed, chosen)
    assert isinstance(registry.build("sinch", malformed, replace(chosen, sinch_auth="basic")), Sinch)


def test_an_unknown_sinch_auth_is_a_misconfiguration(chosen: Settings) -> None:
    with pytest.raises(ServiceMisconfigured) as caught:
        registry.build("sinch", SINCH, replace(chosen, sinch_auth="public"))
    assert caught.value.reason == "environment variable SINCH_AUTH"


def test_importing_the_providers_loads_no_http_client_and_no_adapter() -> None:
    not_needed = {
        "boto3",
        "requests",
        "urllib3",
        *(f"sms_otp.adapters.providers.{name}" for name in CREDENTIALS),
    }
    loaded = loaded_after("import sms_otp.adapters.providers.registry, sms_otp.domain.provider")
    assert "sms_otp.domain.provider" in loaded
    assert not not_needed & loaded


def test_importing_an_adapter_loads_no_http_client() -> None:
    loaded = loaded_after("import " + ", ".join(f"sms_otp.adapters.providers.{name}" for name in CREDENTIALS))
    assert "sms_otp.adapters.providers.transport" in loaded
    assert not {"boto3", "requests", "urllib3"} & loaded


def loaded_after(statement: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after `statement`."""
    done = subprocess.run(  # noqa: S603 - the interpreter itself, and words of this file
        [sys.executable, "-c", f"{statement}; import sys; print(*sys.modules)"],
        env={**os.environ, "PYTHONPATH": str(LAYER)},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())
