"""Deep health check: calls every dependency at once, by one deadline.

    unhealthy   the table or the secret does not answer, or no provider is up
    degraded    a provider cannot be sent by: it is not up, or its circuit breaker is open
    healthy     otherwise

Each call has a thread of its own that can be left behind, so that a dependency that hangs delays no answer.
"""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol, TypeVar

from sms_otp.domain.clock import Deadline
from sms_otp.domain.errors import ServiceMisconfigured
from sms_otp.domain.provider import Health, Misconfigured, Provider

CHECK_SECONDS = 1.2
"""For all calls together; the whole answer takes 2 seconds at most."""

UNKNOWN = "unknown"
"""Not called, because something that it needs did not answer."""
OPEN = "open"

Result = TypeVar("Result")


class Credentials(Protocol):
    """See `secrets.SecretCache`."""

    def credentials(self, provider: str) -> Mapping[str, str]: ...

    def fetch_credentials(self) -> None: ...


@dataclass(frozen=True, slots=True)
class ProviderReport:
    """A provider: `Health` or `unknown`, and its breaker's state or `unknown`."""

    status: str
    breaker: str

    @property
    def can_send(self) -> bool:
        """Whether a code would be tried by it, and be taken. A breaker that is half open lets the next one
        through, which the second provider of an order may wait for as long as the first is well."""
        return self.status == Health.UP and self.breaker != OPEN


@dataclass(frozen=True, slots=True)
class Report:
    """The result. `table` and `secret` are `Health`."""

    table: str
    secret: str
    providers: Mapping[str, ProviderReport]

    @property
    def status(self) -> str:
        """`healthy`, `degraded` or `unhealthy`."""
        providers = self.providers.values()
        # The last provider that is left for a destination is called although its circuit is open.
        is_any_up = any(report.status == Health.UP for report in providers)
        if self.table != Health.UP or self.secret != Health.UP or not is_any_up:
            return "unhealthy"
        return "healthy" if all(report.can_send for report in providers) else "degraded"


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """`breakers` reads each named provider's state from the table, `build` makes an adapter."""

    names: tuple[str, ...]
    breakers: Callable[[tuple[str, ...]], Mapping[str, str]]
    secret_cache: Credentials
    build: Callable[[str, Mapping[str, str]], Provider]

    def run(self, deadline: Deadline) -> Report:
        """Ask everything, and wait until the deadline at most. Raises nothing."""
        table = _begin(lambda: self.breakers(self.names))
        secret = _begin(self.secret_cache.fetch_credentials)
        probes = {name: _begin(self._probe(name, secret, deadline)) for name in self.names}
        states = _outcome(table, deadline)
        has_secret = _ended_well(secret, deadline)
        return Report(
            table=Health.DOWN if states is None else Health.UP,
            secret=Health.UP if has_secret else Health.DOWN,
            providers={
                name: ProviderReport(
                    status=_health(probe, deadline) if has_secret else UNKNOWN,
                    breaker=UNKNOWN if states is None else states[name],
                )
                for name, probe in probes.items()
            },
        )

    def _probe(self, name: str, secret: Future[None], deadline: Deadline) -> Callable[[], Health]:
        def probe() -> Health:
            secret.result(timeout=deadline.remaining())
            try:
                provider = self.build(name, self.secret_cache.credentials(name))
            except (ServiceMisconfigured, Misconfigured):
                return Health.MISCONFIGURED
            return provider.probe(deadline)

        return probe


def _begin(act: Callable[[], Result]) -> Future[Result]:
    answer: Future[Result] = Future()

    def work() -> None:
        try:
            answer.set_result(act())
        except BaseException as error:
            answer.set_exception(error)

    # A pool would wait for its threads where the process ends.
    threading.Thread(target=work, name="checkup", daemon=True).start()
    return answer


def _health(probe: Future[Health], deadline: Deadline) -> Health:
    found = _outcome(probe, deadline)
    return Health.DOWN if found is None else found


def _ended_well(answer: Future[None], deadline: Deadline) -> bool:
    try:
        return answer.exception(timeout=deadline.remaining()) is None
    except TimeoutError:
        return False


def _outcome(answer: Future[Result], deadline: Deadline) -> Result | None:
    """None where it failed or has not come. The cause is logged where it happened."""
    try:
        return answer.result(timeout=deadline.remaining())
    except Exception:
        return None
