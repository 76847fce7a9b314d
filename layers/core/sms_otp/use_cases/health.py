"""Deep health check: calls every dependency in parallel, with one deadline.

    unhealthy   codes cannot be sent or verified, or tokens not checked: the table, a secret or a token key is
                not usable, or no provider is up
    degraded    a provider cannot send: it is not up, or its circuit breaker is open
    healthy     otherwise

Each call has its own thread, which can be abandoned, so that a dependency that hangs delays no answer.
The answer and the log name each fault: a field of a secret, an error code of AWS or of a provider.
"""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from sms_otp.domain.clock import Deadline
from sms_otp.domain.errors import ServiceMisconfigured
from sms_otp.domain.ports import EventSink, StoreError, TokenError
from sms_otp.domain.provider import Health, Misconfigured, Provider, ProviderError, Throttled

CHECK_SECONDS = 1.2
"""For all calls together, so that the whole answer takes 2 seconds at most."""

UNKNOWN = "unknown"
"""Not called, because a dependency of it did not answer."""
OPEN = "open"

Result = TypeVar("Result")


class Secrets(Protocol):
    """See `secrets.SecretCache`."""

    def credentials(self, provider: str) -> Mapping[str, str]: ...

    def fetch_credentials(self) -> None: ...

    def fetch_peppers(self) -> None: ...


@dataclass(frozen=True, slots=True)
class ProviderReport:
    """A provider's `Health` or `unknown`, and its breaker's state or `unknown`."""

    status: str
    breaker: str

    @property
    def can_send(self) -> bool:
        """Whether the provider would be called with a code, and take it. Half open counts: the next code gets
        through, though the second provider of an order gets none while the first one works."""
        return self.status == Health.UP and self.breaker != OPEN


@dataclass(frozen=True, slots=True)
class Report:
    """The result. `table`, `secret`, `pepper` and `tokens` are `up` or `down`."""

    table: str
    secret: str
    """The providers' credentials."""
    pepper: str
    providers: Mapping[str, ProviderReport]
    tokens: str | None = None
    """The keys of verification tokens; None if no tokens are issued."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """The fault of each failed part, by the part's or the provider's name. Safe to show and to log."""

    @property
    def status(self) -> str:
        """`healthy`, `degraded` or `unhealthy`."""
        providers = self.providers.values()
        # The last provider left for a destination is called even if its circuit is open.
        is_any_up = any(report.status == Health.UP for report in providers)
        needed = {self.table, self.secret, self.pepper, self.tokens or Health.UP}
        if needed != {Health.UP} or not is_any_up:
            return "unhealthy"
        return "healthy" if all(report.can_send for report in providers) else "degraded"


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """`breakers` reads each named provider's breaker state from the table; `build` makes an adapter."""

    names: tuple[str, ...]
    breakers: Callable[[tuple[str, ...]], Mapping[str, str]]
    secret_cache: Secrets
    build: Callable[[str, Mapping[str, str]], Provider]
    emit: EventSink
    read_token_keys: Callable[[], object] | None = None
    """Raises `TokenError`. None if no tokens are issued."""

    def run(self, deadline: Deadline) -> Report:
        """Call everything, wait until the deadline at most, and log each fault. Raises nothing."""
        table = _begin(lambda: self.breakers(self.names))
        secret = _begin(self.secret_cache.fetch_credentials)
        pepper = _begin(self.secret_cache.fetch_peppers)
        keys = _begin(self.read_token_keys) if self.read_token_keys else None
        probes = {name: _begin(self._probe(name, secret, deadline)) for name in self.names}
        failures = {
            "table": _failure(table, deadline),
            "secret": _failure(secret, deadline),
            "pepper": _failure(pepper, deadline),
            "tokens": _failure(keys, deadline) if keys else None,
        }
        if failures["secret"] is None:
            failures |= {name: _failure(probe, deadline) for name, probe in probes.items()}
        reasons = {part: _reason(error) for part, error in failures.items() if error is not None}
        for part, reason in reasons.items():
            self.emit("dependency_failed", dependency=part, reason=reason)
        states = dict.fromkeys(self.names, UNKNOWN) if failures["table"] else table.result()
        return Report(
            table=_up_or_down(failures["table"]),
            secret=_up_or_down(failures["secret"]),
            pepper=_up_or_down(failures["pepper"]),
            providers={
                name: ProviderReport(health_of(failures[name]) if name in failures else UNKNOWN, states[name])
                for name in self.names
            },
            tokens=_up_or_down(failures["tokens"]) if keys else None,
            reasons=reasons,
        )

    def _probe(self, name: str, secret: Future[None], deadline: Deadline) -> Callable[[], None]:
        def probe() -> None:
            secret.result(timeout=deadline.remaining())
            with suppress(Throttled):  # the provider answered, so it is up
                self.build(name, self.secret_cache.credentials(name)).probe(deadline)

        return probe


def _begin(act: Callable[[], Result]) -> Future[Result]:
    answer: Future[Result] = Future()

    def work() -> None:
        try:
            answer.set_result(act())
        except BaseException as error:
            answer.set_exception(error)

    # A pool would wait for its threads when the process ends.
    threading.Thread(target=work, name="checkup", daemon=True).start()
    return answer


def _failure(answer: Future[Any], deadline: Deadline) -> BaseException | None:
    """The exception of a call, or `TimeoutError` if it has not answered; None if it succeeded."""
    try:
        return answer.exception(timeout=deadline.remaining())
    except TimeoutError as late:
        return late


def _up_or_down(error: BaseException | None) -> Health:
    return Health.UP if error is None else Health.DOWN


def health_of(error: BaseException | None) -> Health:
    """A provider's health, by the exception that its probe raised."""
    is_refused = isinstance(error, (ServiceMisconfigured, Misconfigured))
    return Health.MISCONFIGURED if is_refused else _up_or_down(error)


def _reason(error: BaseException) -> str:
    """The fault, without the text of a foreign exception: that may hold data from a provider."""
    match error:
        case ServiceMisconfigured() | ProviderError() | StoreError() | TokenError():
            return str(error.reason)
        case TimeoutError():
            return "no answer in time"
        case _:
            return type(error).__name__
