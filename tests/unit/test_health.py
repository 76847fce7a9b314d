"""Whether the service can do its job, whatever hangs, fails or is refused."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from sms_otp.adapters.providers.test_numbers import FixedCodes
from sms_otp.domain.clock import Deadline
from sms_otp.domain.errors import ServiceMisconfigured
from sms_otp.domain.ports import StoreError
from sms_otp.domain.provider import Health, Provider
from sms_otp.use_cases.health import HealthCheck, ProviderReport, Report

UP = ProviderReport(Health.UP, "closed")
DOWN = ProviderReport(Health.DOWN, "closed")
OPEN = ProviderReport(Health.UP, "open")
PROBING = ProviderReport(Health.UP, "half_open")
SHORT = 0.1


class Probed(FixedCodes):
    """A provider whose probe does what it is told."""

    def __init__(self, probe: Callable[[], Health]) -> None:
        super().__init__({})
        self._probe = probe

    def probe(self, deadline: Deadline) -> Health:
        del deadline
        return self._probe()


class Parts:
    """What a service leans on; each part does what a test has it do."""

    def __init__(self) -> None:
        self.released = threading.Event()
        self.states: Callable[[], Mapping[str, str]] = lambda: {"infobip": "closed", "sinch": "closed"}
        self.fetch: Callable[[], None] = lambda: None
        self.probes: dict[str, Callable[[], Health]] = dict.fromkeys(("infobip", "sinch"), lambda: Health.UP)
        self.missing: set[str] = set()

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
        health_check = HealthCheck(("infobip", "sinch"), lambda _: self.states(), self, self.build)
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


def test_where_all_answer_all_is_well(parts: Parts) -> None:
    report = parts.report()
    assert report == Report(Health.UP, Health.UP, {"infobip": UP, "sinch": UP})
    assert report.status == "healthy"


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
def test_one_provider_that_can_send_is_enough_to_do_the_job(
    infobip: ProviderReport, sinch: ProviderReport, status: str
) -> None:
    assert Report(Health.UP, Health.UP, {"infobip": infobip, "sinch": sinch}).status == status


def test_a_table_that_cannot_be_read_says_nothing_of_the_breakers(parts: Parts) -> None:
    parts.states = fail(StoreError("throttled"))
    report = parts.report()
    assert (report.table, report.secret, report.status) == (Health.DOWN, Health.UP, "unhealthy")
    assert report.providers["sinch"] == ProviderReport(Health.UP, "unknown")


def test_without_the_secret_no_provider_is_asked(parts: Parts) -> None:
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


def test_a_thread_that_hangs_keeps_no_process_from_ending(parts: Parts) -> None:
    before = {*threading.enumerate()}
    parts.states = parts.hang
    parts.report(SHORT)
    assert [thread.daemon for thread in {*threading.enumerate()} - before] == [True]


def test_a_probe_that_raises_after_all_found_nothing_up(parts: Parts) -> None:
    parts.probes["sinch"] = fail(RuntimeError("a defect of ours"))
    assert parts.report().providers["sinch"] == DOWN


@pytest.mark.parametrize("hanging", ["table", "secret", "infobip", "all"])
def test_whatever_hangs_the_answer_comes_with_the_deadline_and_names_it(parts: Parts, hanging: str) -> None:
    if hanging in ("table", "all"):
        parts.states = parts.hang
    if hanging in ("secret", "all"):
        parts.fetch = parts.hang
    if hanging in ("infobip", "all"):
        parts.probes["infobip"] = parts.hang
    began = time.monotonic()
    report = parts.report(SHORT)
    assert time.monotonic() - began < SHORT + 10, "what hangs does so for a minute"
    assert (report.table == Health.DOWN) is (hanging in ("table", "all"))
    assert (report.secret == Health.DOWN) is (hanging in ("secret", "all"))
    assert report.status == ("degraded" if hanging == "infobip" else "unhealthy")
    if hanging == "infobip":
        assert report.providers == {"infobip": DOWN, "sinch": UP}
