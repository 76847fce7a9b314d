"""Reads of Secrets Manager, their frequency, and the errors for a wrong secret."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from fakes.memory import PEPPER, StepClock
from sms_otp.adapters.aws.secrets import SecretCache
from sms_otp.domain.errors import ServiceMisconfigured
from sms_otp.domain.keys import Peppers

CREDENTIALS = {"infobip": {"apiKey": "canary-key"}, "sinch": {"applicationKey": "canary-app"}}


class FakeSecretsManager:
    """Returns the secrets that it holds, and records its calls."""

    def __init__(self, **secrets: Any) -> None:
        self.secrets = secrets
        self.calls: list[str] = []

    def get_secret_value(self, *, SecretId: str) -> dict[str, Any]:  # noqa: N803 # boto3's name
        self.calls.append(SecretId)
        held = self.secrets[SecretId]
        if isinstance(held, Exception):
            raise held
        return held if isinstance(held, dict) else {"SecretString": held}


def secret_cache(client: FakeSecretsManager, clock: StepClock) -> SecretCache:
    return SecretCache(client, "providers", "pepper", clock)  # type: ignore[arg-type] # has the one method used


@pytest.fixture
def client() -> FakeSecretsManager:
    return FakeSecretsManager(providers=json.dumps(CREDENTIALS), pepper=json.dumps({"pepper": PEPPER}))


def test_secrets_are_read_once_in_five_minutes(client: FakeSecretsManager, clock: StepClock) -> None:
    kept = secret_cache(client, clock)
    for _ in range(3):
        assert kept.peppers() == Peppers(PEPPER)
        assert kept.credentials("infobip") == CREDENTIALS["infobip"]
    assert client.calls == ["pepper", "providers"]
    clock.step(300)
    kept.peppers()
    assert client.calls == ["pepper", "providers", "pepper"]


def test_a_stranger_can_renew_credentials_at_most_once_a_minute(
    client: FakeSecretsManager, clock: StepClock
) -> None:
    kept = secret_cache(client, clock)
    kept.credentials("sinch")
    clock.step(59)
    assert not kept.renew_credentials()
    clock.step(1)
    assert kept.renew_credentials()
    kept.credentials("sinch")
    assert not kept.renew_credentials()
    assert client.calls == ["providers", "providers"]


def test_forgotten_credentials_are_fetched_anew_and_the_pepper_is_not(
    client: FakeSecretsManager, clock: StepClock
) -> None:
    kept = secret_cache(client, clock)
    kept.peppers()
    kept.credentials("sinch")
    client.secrets["providers"] = json.dumps({"sinch": {"applicationKey": "rotated"}})
    kept.forget_credentials()
    assert kept.credentials("sinch") == {"applicationKey": "rotated"}
    kept.peppers()
    assert client.calls == ["pepper", "providers", "providers"]


@pytest.mark.parametrize("wrong", ["{}", '{"infobip": "canary"}'])
def test_a_wrong_secret_is_not_cached(client: FakeSecretsManager, clock: StepClock, wrong: str) -> None:
    right, client.secrets["providers"] = client.secrets["providers"], wrong
    kept = secret_cache(client, clock)
    with pytest.raises(ServiceMisconfigured):
        kept.credentials("infobip")
    client.secrets["providers"] = right
    assert kept.credentials("infobip") == CREDENTIALS["infobip"]
    kept.credentials("infobip")
    assert client.calls == ["providers", "providers"]


def test_a_wrong_pepper_is_not_cached(client: FakeSecretsManager, clock: StepClock) -> None:
    right, client.secrets["pepper"] = client.secrets["pepper"], '{"pepper": "short"}'
    kept = secret_cache(client, clock)
    with pytest.raises(ServiceMisconfigured):
        kept.peppers()
    client.secrets["pepper"] = right
    assert kept.peppers() == Peppers(PEPPER)


def refused_by_aws(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "canary-message"}}, "GetSecretValue")


@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        ("", "provider secret: not a JSON object"),
        ("canary-not-json", "provider secret: not a JSON object"),
        ('["canary"]', "provider secret: not a JSON object"),
        ("[" * 100_000, "provider secret: not a JSON object"),
        ("{}", "secret field infobip"),
        ('{"infobip": "canary"}', "secret field infobip"),
        ({"SecretBinary": b"canary"}, "provider secret: not text"),
        (refused_by_aws("ResourceNotFoundException"), "provider secret: ResourceNotFoundException"),
        (refused_by_aws("AccessDeniedException"), "provider secret: AccessDeniedException"),
        (ConnectTimeoutError(endpoint_url="canary"), "provider secret: ConnectTimeoutError"),
    ],
)
def test_a_wrong_secret_is_named_and_never_shown(
    clock: StepClock, client: FakeSecretsManager, secret: Any, reason: str
) -> None:
    client.secrets["providers"] = secret
    with pytest.raises(ServiceMisconfigured) as refused:
        secret_cache(client, clock).credentials("infobip")
    assert refused.value.reason == reason
    assert "canary" not in repr(refused.value) + str(refused.value)


def test_a_field_that_is_no_text_is_ignored(clock: StepClock, client: FakeSecretsManager) -> None:
    fields = {"apiKey": "a-key", "comment": 5, "webhookUser": "", "webhookPassword": None}
    client.secrets["providers"] = json.dumps({"infobip": fields})
    assert secret_cache(client, clock).credentials("infobip") == {"apiKey": "a-key"}


def test_a_pepper_of_32_characters_is_long_enough(client: FakeSecretsManager, clock: StepClock) -> None:
    client.secrets["pepper"] = json.dumps({"pepper": "p" * 32})
    assert secret_cache(client, clock).peppers().all == ("p" * 32,)


@pytest.mark.parametrize("pepper", ["", "short", "p" * 31, None, 7])
def test_a_pepper_that_is_missing_or_weak_is_refused(
    clock: StepClock, client: FakeSecretsManager, pepper: Any
) -> None:
    client.secrets["pepper"] = json.dumps({"pepper": pepper})
    with pytest.raises(ServiceMisconfigured) as refused:
        secret_cache(client, clock).peppers()
    assert refused.value.reason == "secret field pepper"


def test_during_rotation_a_second_pepper_is_read(client: FakeSecretsManager, clock: StepClock) -> None:
    client.secrets["pepper"] = json.dumps({"pepper": PEPPER, "alsoRead": PEPPER[::-1]})
    assert secret_cache(client, clock).peppers().all == (PEPPER, PEPPER[::-1])


def test_a_pepper_that_is_listed_twice_counts_as_one(client: FakeSecretsManager, clock: StepClock) -> None:
    client.secrets["pepper"] = json.dumps({"pepper": PEPPER, "alsoRead": PEPPER})
    assert secret_cache(client, clock).peppers().all == (PEPPER,)


@pytest.mark.parametrize("previous", ["", "short", 7])
def test_a_second_pepper_that_is_weak_is_refused(
    client: FakeSecretsManager, clock: StepClock, previous: object
) -> None:
    client.secrets["pepper"] = json.dumps({"pepper": PEPPER, "alsoRead": previous})
    with pytest.raises(ServiceMisconfigured) as refused:
        secret_cache(client, clock).peppers()
    assert refused.value.reason == "secret field alsoRead"


def test_the_repr_of_a_pair_shows_no_pepper() -> None:
    assert PEPPER not in repr(Peppers(PEPPER, PEPPER))
