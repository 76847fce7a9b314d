"""The deep health check, when a dependency hangs, fails or refuses."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from sms_otp.adapters.providers.test_numbers import FixedCodes
from sms_otp.domain.clock import Deadline
from sms_otp.domain.errors import ServiceMisconfigured
from sms_otp.domain.ports import StoreError, TokenError
from sms_otp.domain.provider import (
    Ambiguous,
    Health,
    Misconfigured,
    NotSent,
    Provider,
    ProviderError,
    Throttled,
)
from sms_otp.use_cases.health import HealthCheck, ProviderReport, Report

UP = ProviderReport(Health.UP, "closed")
DOWN = ProviderReport(Health.DOWN, "closed")
OPEN = ProviderReport(Health.UP, "open")
PROBING = ProviderReport(Health.UP, "half_open")
SHORT = 0.1


class Probed(FixedCodes):
    """A provider with a scripted probe."""

    def __init__(self, probe: Callable[[], object]) -> None:
        super().__init__({})
        self._probe = probe

    def probe(self, deadline: Deadline) -> None:
        del deadline
        self._probe()


class Parts:
    """The dependencies of a service, each scripted by the test."""

    def __init__(self) -> None:
        self.released = threading.Event()
        self.states: Callable[[], Mapping[str, str]] = lambda: {"infobip": "closed", "sinch": "closed"}
        self.fetch: Callable[[], None] = lambda: None
        self.fetch_peppers: Callable[[], None] = lambda: None
        self.read_token_keys: Callable[[], object] | None = None
        self.probes: dict[str, Callable[[], object]] = dict.fromkeys(("infobip", "sinch"), lambda: None)
        self.missing: set[str] = set()
        self.logged: list[tuple[str, dict[str, Any]]] = []

    def hang(self, *_: object) -> Any:
        """Not a sleep: it ends with the test."""
        self.released.wait(60)
        raise AssertionError("nobody waits for this")

    def fetch_credentials(self) -> None:
        self.fetch()

    def credentials(self, provider: str) -> Mapping[str, str]:
        if provider in self.missing:
            raise ServiceMisconfigured(reason=f"secret field {provider}")
        return {"name": provider}

    def build(self, name: str, credentials: Mapping[str, str]) -> Provider:
        assert credentials == {"name": name}
        return Probed(self.probes[name])

    def report(self, seconds: float = 10) -> Report:
        health_check = HealthCheck(
            names=("infobip", "sinch"),
            breakers=lambda _: self.states(),
            secret_cache=self,
            build=self.build,
            emit=lambda event, **fields: self.logged.append((event, fields)),
            read_token_keys=self.read_token_keys,
        )
        return health_check.run(Deadline(seconds))


@pytest.fixture
def parts() -> Any:
    parts = Parts()
    yield parts
    parts.released.set()


def fail(error: Exception) -> Callable[[], Any]:
    def act() -> Any:
        raise error

    return act


def test_a_service_with_all_dependencies_up_is_healthy(parts: Parts) -> None:
    report = parts.report()
    assert report == Report(Health.UP, Health.UP, Health.UP, {"infobip": UP, "sinch": UP})
    assert report.status == "healthy"
    assert parts.logged == []


@pytest.mark.parametrize(
    ("infobip", "sinch", "status"),
    [
        (UP, UP, "healthy"),
        (DOWN, UP, "degraded"),
        (OPEN, UP, "degraded"),
        (UP, PROBING, "healthy"),
        (DOWN, PROBING, "degraded"),
        (DOWN, DOWN, "unhealthy"),
        (DOWN, OPEN, "degraded"),
        (OPEN, OPEN, "degraded"),
        (ProviderReport(Health.MISCONFIGURED, "closed"), DOWN, "unhealthy"),
    ],
)
def test_the_service_is_not_unhealthy_while_one_provider_can_send(
    infobip: ProviderReport, sinch: ProviderReport, status: str
) -> None:
    assert Report(Health.UP, Health.UP, Health.UP, {"infobip": infobip, "sinch": sinch}).status == status


def test_the_breakers_are_unknown_when_the_table_cannot_be_read(parts: Parts) -> None:
    parts.states = fail(StoreError("throttled"))
    report = parts.report()
    assert (report.table, report.secret, report.status) == (Health.DOWN, Health.UP, "unhealthy")
    assert report.providers["sinch"] == ProviderReport(Health.UP, "unknown")


def test_without_the_secret_no_provider_is_probed(parts: Parts) -> None:
    parts.fetch = fail(ServiceMisconfigured(reason="provider secret: not text"))
    parts.probes = {}
    report = parts.report()
    assert (report.table, report.secret, report.status) == (Health.UP, Health.DOWN, "unhealthy")
    assert report.providers["infobip"] == ProviderReport("unknown", "closed")


def test_a_provider_without_its_field_in_the_secret_is_misconfigured(parts: Parts) -> None:
    parts.missing.add("sinch")
    report = parts.report()
    assert report.providers == {"infobip": UP, "sinch": ProviderReport(Health.MISCONFIGURED, "closed")}
    assert report.status == "degraded"


def test_a_hanging_thread_does_not_keep_the_process_alive(parts: Parts) -> None:
    before = {*threading.enumerate()}
    parts.states = parts.hang
    parts.report(SHORT)
    left = {*threading.enumerate()} - before
    assert [(thread.name, thread.daemon) for thread in left] == [("checkup", True)]


def test_a_provider_whose_probe_has_a_defect_is_down(parts: Parts) -> None:
    parts.probes["sinch"] = fail(RuntimeError("a defect of ours"))
    report = parts.report()
    assert report.providers["sinch"] == DOWN
    assert report.reasons == {"sinch": "RuntimeError"}, "the class and not the text"


def test_a_provider_that_throttles_its_probe_is_up(parts: Parts) -> None:
    parts.probes["sinch"] = fail(Throttled("sinch", "429"))
    report = parts.report()
    assert (report.providers["sinch"], report.reasons) == (UP, {})


@pytest.mark.parametrize(
    ("failure", "found"),
    [(Misconfigured, Health.MISCONFIGURED), (NotSent, Health.DOWN), (Ambiguous, Health.DOWN)],
)
def test_a_provider_whose_probe_fails_is_named_with_the_reason(
    parts: Parts, failure: type[ProviderError], found: Health
) -> None:
    parts.probes["sinch"] = fail(failure("sinch", "a_code"))
    report = parts.report()
    assert report.providers["sinch"].status == found
    assert report.reasons == {"sinch": "a_code"}


def test_an_unreadable_pepper_is_unhealthy(parts: Parts) -> None:
    parts.fetch_peppers = fail(ServiceMisconfigured(reason="secret field pepper"))
    report = parts.report()
    assert (report.pepper, report.status) == (Health.DOWN, "unhealthy")
    assert report.reasons == {"pepper": "secret field pepper"}


def test_the_token_keys_are_checked_when_tokens_are_issued(parts: Parts) -> None:
    parts.read_token_keys = lambda: {"keys": []}
    report = parts.report()
    assert (report.tokens, report.status) == (Health.UP, "healthy")


def test_an_unavailable_token_key_is_unhealthy(parts: Parts) -> None:
    parts.read_token_keys = fail(TokenError("GetPublicKey: NotFoundException"))
    report = parts.report()
    assert (report.tokens, report.status) == (Health.DOWN, "unhealthy")
    assert report.reasons == {"tokens": "GetPublicKey: NotFoundException"}


def test_the_report_has_no_token_keys_when_no_tokens_are_issued(parts: Parts) -> None:
    assert parts.report().tokens is None


def test_each_failed_dependency_is_logged_by_name(parts: Parts) -> None:
    parts.missing.add("sinch")
    parts.states = fail(StoreError("throttled"))
    report = parts.report()
    assert report.reasons == {"table": "throttled", "sinch": "secret field sinch"}
    assert parts.logged == [
        ("dependency_failed", {"dependency": "table", "reason": "throttled"}),
        ("dependency_failed", {"dependency": "sinch", "reason": "secret field sinch"}),
    ]


@pytest.mark.parametrize("hanging", ["table", "secret", "pepper", "tokens", "infobip", "all"])
def test_a_hanging_dependency_is_named_in_an_answer_within_the_deadline(parts: Parts, hanging: str) -> None:
    if hanging in ("table", "all"):
        parts.states = parts.hang
    if hanging in ("secret", "all"):
        parts.fetch = parts.hang
    if hanging in ("pepper", "all"):
        parts.fetch_peppers = parts.hang
    if hanging in ("tokens", "all"):
        parts.read_token_keys = parts.hang
    if hanging in ("infobip", "all"):
        parts.probes["infobip"] = parts.hang
    began = time.monotonic()
    report = parts.report(SHORT)
    assert time.monotonic() - began < SHORT + 10, "a dependency that hangs does so for a minute"
    assert (report.table == Health.DOWN) is (hanging in ("table", "all"))
    assert (report.secret == Health.DOWN) is (hanging in ("secret", "all"))
    assert (report.pepper == Health.DOWN) is (hanging in ("pepper", "all"))
    assert (report.tokens == Health.DOWN) is (hanging in ("tokens", "all"))
    assert set(report.reasons.values()) == {"no answer in time"}
    assert report.status == ("degraded" if hanging == "infobip" else "unhealthy")
    if hanging == "infobip":
        assert report.providers == {"infobip": DOWN, "sinch": UP}
