"""Keeps requests away from a provider that fails. It may delay a send, never a check; see `domain.circuit`.

Its state is shared by all execution environments and is read with everything else that decides about a send,
so a send costs nothing more while its provider works. If the state cannot be written, sending goes on.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from sms_otp.domain import circuit
from sms_otp.domain.circuit import Circuit, State, number_id
from sms_otp.domain.clock import Clock, Milliseconds, milliseconds, to_seconds
from sms_otp.domain.ports import Circuits, EventSink, StoreError
from sms_otp.domain.provider import (
    COUNTED_BY_BREAKER,
    CircuitOpen,
    DestinationUnavailable,
    Refused,
)

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class CircuitBreaker:
    """One deployment's breakers."""

    circuits: Circuits
    clock: Clock
    emit: EventSink
    monotonic: Callable[[], float] = field(default=time.monotonic)

    def call(
        self,
        provider: str,
        read: Mapping[str, Circuit],
        number_key: str,
        act: Callable[[], Result],
        *,
        has_next: Callable[[], bool],
    ) -> Result:
        """Call the provider by `act`; returns its result. `read`: the circuits that the request read.

        Raises `CircuitOpen` without calling an open provider. The last provider left for a destination
        (`has_next` returns false) is always called, since a refusal would help nobody. Its slow answers do
        not count as failures: no faster provider is left.
        """
        found = read.get(provider, circuit.CLOSED)
        state = found.state(self._now())
        probes = state is State.HALF_OPEN and self._elected(provider, found)
        if state is not State.CLOSED and not probes and has_next():
            raise CircuitOpen(provider, "circuit_open", retry_after=to_seconds(circuit.OPEN))
        started = self.monotonic()
        try:
            result = act()
        except COUNTED_BY_BREAKER:
            self._failed(provider, found, number_key, probes=probes)
            raise
        except (Refused, DestinationUnavailable):
            if probes:
                self._write(lambda: self.circuits.hand_on(provider))
            raise
        if self.monotonic() - started > circuit.SLOW_SECONDS and has_next():
            self._failed(provider, found, number_key, probes=probes)
        elif state is not State.CLOSED:
            self._close(provider)
        return result

    def _now(self) -> Milliseconds:
        return milliseconds(self.clock)

    def _elected(self, provider: str, found: Circuit) -> bool:
        now = self._now()
        elected = self._write(lambda: self.circuits.elect(provider, found, now))
        if elected:
            self.emit("breaker_half_open", provider=provider)
        return elected

    def _failed(self, provider: str, found: Circuit, number_key: str, *, probes: bool) -> None:
        now = self._now()
        if probes:
            self._write(lambda: self.circuits.reopen(provider, now))
        elif found.opens_with(number_key, now):
            if self._write(lambda: self.circuits.open(provider, now)):
                self.emit("breaker_open", provider=provider)
        elif found.opened_at is None:
            self._write(
                lambda: self.circuits.add_failure(provider, number_id(number_key), now, found.stale(now))
            )

    def _close(self, provider: str) -> None:
        if self._write(lambda: self.circuits.close(provider)):
            self.emit("breaker_closed", provider=provider)

    def _write(self, write: Callable[[], bool]) -> bool:
        """Returns False if the write failed: sending goes on without it."""
        try:
            return write()
        except StoreError as error:
            self.emit("breaker_unrecorded", reason=error.reason)
            return False
