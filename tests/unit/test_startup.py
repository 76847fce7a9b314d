"""The parts that each function loads before a snapshot or a first request, and the object that it makes."""

import gc
import importlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import pytest

from local.template import environment
from sms_otp.adapters import config
from sms_otp.adapters.aws import clients
from sms_otp.adapters.providers import registry
from sms_otp.adapters.telemetry import events
from sms_otp.domain import phone
from sms_otp.domain.errors import ServiceMisconfigured
from sms_otp.entry_points import bootstrap, schemas

DYNAMODB, BOTH, KMS = ("dynamodb",), ("dynamodb", "secretsmanager"), ("kms",)

# By function: the parts loaded, the object made, and the services whose data is read.
STARTS: dict[str, tuple[set[str], str, tuple[str, ...]]] = {
    "request_otp": ({"RequestOtp", "log", "countries", "providers"}, "service", BOTH),
    "resend_otp": ({"ResendOtp", "log", "countries", "providers"}, "service", BOTH),
    "verify_otp": ({"VerifyOtp", "log", "providers"}, "service", BOTH),
    "cancel_otp": ({"CancelOtp", "log"}, "lifecycle", DYNAMODB),
    "otp_status": ({"OtpStatus", "log"}, "lifecycle", DYNAMODB),
    "webhooks": ({"log"}, "webhooks", BOTH),
    "aws_events": ({"log"}, "webhooks", BOTH),
    "admin": ({"AdminNumber", "log"}, "administration", BOTH),
    "deep_health": ({"log"}, "health_check", BOTH),
    "jwks": ({"log"}, "kms_client", KMS),
}


@dataclass
class Environment:
    """An execution environment: its loaded parts, made objects and read models, and its snapshot hooks."""

    loaded: set[str] = field(default_factory=set)
    made: list[str] = field(default_factory=list)
    read: list[tuple[str, ...]] = field(default_factory=list)
    before: list[Callable[[], object]] = field(default_factory=list)
    after: list[Callable[[], object]] = field(default_factory=list)
    fails: Exception | None = None

    def make(self, name: str) -> None:
        assert not gc.isenabled(), "garbage is not collected among objects that stay"
        self.made.append(name)
        if self.fails is not None:
            raise self.fails

    def begin(self, function: str) -> None:
        """Import the function's module, as Lambda does."""
        importlib.reload(importlib.import_module(f"{function}.app"))


@pytest.fixture
def lambda_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[Environment]:
    for function in STARTS:
        importlib.import_module(f"{function}.app")
    for name, value in environment(AllowedCountries="US,GB", ProviderOrder="sinch,infobip").items():
        monkeypatch.setenv(name, value)
    config.settings.cache_clear()
    made, hooks = Environment(), ModuleType("snapshot_restore_py")
    hooks.register_before_snapshot = made.before.append  # type: ignore[attr-defined] # a module of Lambda's
    hooks.register_after_restore = made.after.append  # type: ignore[attr-defined] # as above
    monkeypatch.setitem(sys.modules, "snapshot_restore_py", hooks)

    def noting(name: str) -> Callable[..., None]:
        return lambda *_: made.loaded.add(name)

    def given(name: str, expected: tuple[str, ...]) -> Callable[[Any], None]:
        def load(listed: Any) -> None:
            assert tuple(listed) == expected
            made.loaded.add(name)

        return load

    monkeypatch.setattr(schemas, "validator", made.loaded.add)
    monkeypatch.setattr(events, "load", noting("log"))
    monkeypatch.setattr(phone, "load", given("countries", ("US", "GB")))
    monkeypatch.setattr(registry, "load", given("providers", ("sinch", "infobip")))
    monkeypatch.setattr(clients, "read_models", made.read.append)
    for _, name, _ in STARTS.values():
        monkeypatch.setattr(bootstrap, name, lambda name=name: made.make(name))
    yield made
    config.settings.cache_clear()
    gc.unfreeze()


@pytest.mark.parametrize("function", STARTS)
def test_an_environment_that_starts_on_demand_has_everything_ready(
    lambda_environment: Environment, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
    lambda_environment.begin(function)
    loaded, made, _ = STARTS[function]
    assert (lambda_environment.loaded, lambda_environment.made) == (loaded, [made])
    assert lambda_environment.before == lambda_environment.after == []
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0


@pytest.mark.parametrize("function", STARTS)
def test_a_snapshot_holds_the_loaded_parts_and_a_restore_makes_the_rest(
    lambda_environment: Environment, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start")
    lambda_environment.begin(function)
    assert lambda_environment.loaded == set()
    loaded, made, services = STARTS[function]
    (before,), (after,) = lambda_environment.before, lambda_environment.after
    before()
    assert (lambda_environment.loaded, lambda_environment.read) == (loaded, [services])
    assert lambda_environment.made == [], "each environment makes its own objects"
    after()
    assert lambda_environment.made == [made]
    assert gc.isenabled()


@pytest.mark.parametrize("kind", ["on-demand", "snap-start"])
def test_a_wrong_setting_does_not_fail_the_start(
    lambda_environment: Environment, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Every request answers and logs the error; a failed start would do neither."""
    monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", kind)
    lambda_environment.fails = ServiceMisconfigured(reason="environment variable STAGE")
    lambda_environment.begin("cancel_otp")
    for hook in lambda_environment.after:
        hook()
    assert lambda_environment.made == ["lifecycle"]
    assert gc.isenabled()


def test_outside_of_lambda_nothing_is_loaded(
    lambda_environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_LAMBDA_INITIALIZATION_TYPE", raising=False)
    monkeypatch.setitem(sys.modules, "snapshot_restore_py", None)
    lambda_environment.begin("request_otp")
    assert lambda_environment == Environment()
