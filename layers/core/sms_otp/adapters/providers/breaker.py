"""A circuit breaker for each provider, over Powertools' utility: it may stop a send, never a check.

    closed ── 5 failures in a row ──► open ── 30 s ──► one probe ── success ──► closed
                                        ▲                  └── failure ──┐
                                        └────────────────────────────────┘

Failures are counted in each execution environment and shared, once they open the circuit, through
the table (`K#<provider>`), where the read that decides about a send finds them too. A slow provider fails
too: its time-outs are `Ambiguous`, and an answer that was long in coming counts as a failure where
another provider could have been asked. Where the table cannot be read the circuit counts as closed, so
that sending goes on.
"""

import time
from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast

from sms_otp.domain.ports import Circuit
from sms_otp.domain.provider import Ambiguous, Misconfigured, NotAsked, Throttled, Unavailable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from sms_otp.adapters.providers.circuits import Circuits

Result = TypeVar("Result")

FAILURES = 5
SLOW_SECONDS = 3.0
"""Half of what a provider may take in all: a success that takes longer is one that users give up on."""
OPEN_SECONDS = 30
PROBES = 1
STATE_AGE_SECONDS = 5
"""How old an environment's knowledge of the shared state may be. Older, it is read once more."""


def state_of(circuit: Circuit | None, now: float) -> str:
    """`closed`, `open`, or `half_open` where the next send is the probe; `now` in seconds.

    As the environments share it: each hears of it up to `STATE_AGE_SECONDS` later.
    """
    if circuit is None:
        return "closed"
    is_due = now >= (circuit.opened_at or 0) + OPEN_SECONDS
    return "half_open" if circuit.state == "OPEN" and is_due else circuit.state.lower()


class _Slow(Exception):
    """A success that counts as a failure."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.answer = answer


COUNTED = (Throttled, Unavailable, Misconfigured, Ambiguous, _Slow)


class NoBreaker:
    """Always closed: for whoever sends too rarely to learn from it, and for tests."""

    def prime(self, circuits: Mapping[str, Circuit | None]) -> None:
        """See `ports.Breaker`."""

    def call(self, name: str, act: Callable[[], Result], *, has_next: bool) -> Result:
        """See `ports.Breaker`."""
        del name, has_next
        return act()


class CircuitBreaker:
    """`ports.Breaker` on the service's own table."""

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        emit: Callable[..., Any],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._table = table
        self._tell = emit
        self._now = now
        self._guards: dict[str, Callable[[Callable[[], Any]], Any]] = {}
        self._told: Mapping[str, Circuit | None] = {}

    @cached_property
    def _circuits(self) -> "Circuits":
        # Not at import: a function that sends nothing has no use for Powertools' utility.
        from sms_otp.adapters.providers.circuits import Circuits

        return Circuits(self._client, self._table)

    def prime(self, circuits: Mapping[str, Circuit | None]) -> None:
        """See `ports.Breaker`."""
        self._told = circuits
        if self._guards:
            self._circuits.prime(circuits)

    def call(self, name: str, act: Callable[[], Result], *, has_next: bool) -> Result:
        """See `ports.Breaker`."""
        timed = partial(self._unless_slow, act, has_next)
        try:
            if name in self._guards or name not in self._told or self._told[name] is not None:
                return self._guarded(name, timed)
            return self._first(name, timed)
        except _Slow as slow:
            answer: Result = slow.answer
            return answer

    def _first(self, name: str, act: Callable[[], Result]) -> Result:
        # Closed, and nothing counted against it: Powertools' utility, whose import is the longest part of
        # a first send, has nothing to decide until something fails.
        try:
            return act()
        except COUNTED as failed:
            return self._guarded(name, _raising(failed))

    def _unless_slow(self, act: Callable[[], Result], has_next: bool) -> Result:
        started = self._now()
        answer = act()
        if has_next and self._now() - started > SLOW_SECONDS:
            raise _Slow(answer)
        return answer

    def _guarded(self, name: str, act: Callable[[], Result]) -> Result:
        from aws_lambda_powertools.utilities.circuit_breaker import CircuitBreakerOpenError

        if name not in self._guards:
            self._guards[name] = self._guard(name)
            self._circuits.prime(self._told)
        try:
            answer: Result = self._guards[name](act)
        except CircuitBreakerOpenError:
            raise NotAsked(name, "breaker_open", retry_after=OPEN_SECONDS) from None
        return answer

    def _guard(self, name: str) -> Callable[[Callable[[], Any]], Any]:
        from aws_lambda_powertools.utilities.circuit_breaker import CircuitBreakerConfig, circuit_breaker

        from sms_otp.adapters.providers.circuits import PREFIX

        @circuit_breaker(
            name=PREFIX + name,
            persistence_store=self._circuits,
            config=CircuitBreakerConfig(
                failure_threshold=FAILURES,
                recovery_timeout=OPEN_SECONDS,
                success_threshold=PROBES,
                handled_exceptions=COUNTED,
                local_cache_max_age=STATE_AGE_SECONDS,
            ),
            on_transition=lambda transition: self._changed(name, transition),
        )
        def guarded(act: Callable[[], Any]) -> Any:
            return act()

        return cast("Callable[[Callable[[], Any]], Any]", guarded)

    def _changed(self, name: str, transition: Any) -> None:
        self._tell(f"breaker_{transition.to_state.value.lower()}", provider=name)


def _raising(failed: Exception) -> Callable[[], NoReturn]:
    def act() -> NoReturn:
        raise failed

    return act
