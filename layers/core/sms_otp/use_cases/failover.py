"""Chooses the provider that sends, the next one when it cannot, and the one that checks."""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import TypeVar

from sms_otp.domain.clock import Deadline
from sms_otp.domain.errors import ServiceMisconfigured
from sms_otp.domain.phone import PhoneNumber
from sms_otp.domain.ports import Breaker, CredentialSource, EventSink
from sms_otp.domain.provider import (
    FAILS_OVER,
    Channel,
    Check,
    Doubtful,
    Misconfigured,
    OnFailure,
    Order,
    Provider,
    ProviderError,
    ReserveAgain,
    Sent,
    TooLate,
)

Result = TypeVar("Result")
ALL_CHANNELS = frozenset(Channel)
SendCall = Callable[[Provider, Order, Deadline], Sent]
Calls = list[tuple[str, SendCall]]
"""The providers to call, in order, each with the function that calls it."""


class Router:
    """Sends through the first provider that can; checks a code at the provider that holds it.

    A country may have an order of its own in `routes`. The provider `test_numbers` serves numbers with a
    fixed code.
    """

    def __init__(
        self,
        order: tuple[str, ...],
        routes: Mapping[str, tuple[str, ...]],
        secret_cache: CredentialSource,
        build: Callable[[str, Mapping[str, str]], Provider],
        test_numbers: Provider,
        breaker: Breaker,
        emit: EventSink,
        one_code_per_number: frozenset[str] = frozenset(),
        channels: Mapping[str, frozenset[Channel]] = MappingProxyType({}),
    ) -> None:
        """`one_code_per_number`: providers at which a new code ends the number's earlier one.

        `channels`: each provider's channels; a provider that is missing has all of them.
        """
        if not order:
            raise ServiceMisconfigured(reason="environment variable PROVIDER_ORDER")
        self._order = order
        self._routes = routes
        self._secret_cache = secret_cache
        self._build = build
        self._test_numbers = test_numbers
        self._breaker = breaker
        self._emit = emit
        self._one_code_per_number = one_code_per_number
        self._channels = channels
        self._built: dict[str, tuple[Mapping[str, str], Provider]] = {}

    def candidates(self, to: PhoneNumber, channel: Channel) -> tuple[str, ...]:
        """The providers that may send to this number by this channel, the preferred one first."""
        order = (self._test_numbers.name,) if to.is_test else self._routes.get(to.country, self._order)
        return tuple(name for name in order if self._has(name, channel))

    def ends_a_code(self, holding: Collection[str]) -> frozenset[str]:
        """The providers, of those `holding` a code of the number, at which a new send would end that code."""
        return self._one_code_per_number & {*holding}

    def send(
        self, order: Order, deadline: Deadline, on_failure: OnFailure, reserve_again: ReserveAgain
    ) -> tuple[str, Sent]:
        """Send a code; returns the name of the provider that took it, and what it answered.

        Calls the next provider after a failure that certainly sent nothing, and once after one that may have,
        if `reserve_again` has counted the second send. Raises the last provider's `ProviderError`; one that
        must not fail over, at once.
        """

        calls: Calls = [(name, _send) for name in self._free(order)]
        return self._first_of(calls, order, deadline, on_failure, reserve_again)

    def resend(
        self,
        holder: str,
        ref: str,
        order: Order,
        deadline: Deadline,
        on_failure: OnFailure,
        reserve_again: ReserveAgain,
    ) -> tuple[str, Sent]:
        """As `send`, by the providers of `turns`: only the holder can send the same code again.

        If the holder is stopped, another provider sends a new code.
        """

        def again(provider: Provider, order: Order, deadline: Deadline) -> Sent:
            return provider.resend(ref, order, deadline)

        turns = self.turns(holder, order)
        calls: Calls = [(name, again if name == holder else _send) for name in turns]
        return self._first_of(calls, order, deadline, on_failure, reserve_again)

    def turns(self, holder: str, order: Order) -> tuple[str, ...]:
        """The providers to try for a resend, in order: the holder first.

        If the order `goes_on`, the providers after the holder in the preferred order come first, then those
        before it, and the holder last.
        """
        can_hold = self._has(holder, order.channel) and holder not in order.stopped
        held = [holder] if can_hold else []
        if order.goes_on:
            return (*self._after(holder, order), *held)
        return (*held, *(name for name in self._free(order) if name != holder))

    def check(self, name: str, ref: str, otp: str, *, channel: Channel, deadline: Deadline) -> Check:
        """Have the holder check a guess. Raises a `ProviderError`. No breaker ever skips a check."""

        def check(provider: Provider) -> Check:
            return provider.check(ref, otp, channel=channel, deadline=deadline)

        return self._ask(name, check, deadline)

    def _first_of(
        self,
        calls: Calls,
        order: Order,
        deadline: Deadline,
        on_failure: OnFailure,
        reserve_again: ReserveAgain,
    ) -> tuple[str, Sent]:
        is_repeated = False
        for position, (name, call) in enumerate(calls, start=1):
            later = [name for name, _ in calls[position:]]
            has_next = partial(self._any_usable, later, deadline)
            try:
                return name, self._deliver(name, order, call, deadline, has_next)
            except FAILS_OVER as failed:
                if not later:
                    raise
                on_failure(failed)
            except Doubtful as failed:
                reference = None if is_repeated or not has_next() else reserve_again()
                if reference is None:
                    raise
                is_repeated, order = True, replace(order, reference=reference)
                on_failure(failed)
        raise AssertionError("the last call returns or raises")

    def _has(self, name: str, channel: Channel) -> bool:
        return channel in self._channels.get(name, ALL_CHANNELS)

    def _free(self, order: Order) -> list[str]:
        left_out = order.avoid | order.stopped.keys()
        return [name for name in self.candidates(order.to, order.channel) if name not in left_out]

    def _after(self, holder: str, order: Order) -> list[str]:
        """The others that may send, starting after the holder in the preferred order."""
        names = self.candidates(order.to, order.channel)
        first = names.index(holder) + 1 if holder in names else 0
        left_out = {holder, *order.avoid, *order.stopped}
        return [name for name in (*names[first:], *names[:first]) if name not in left_out]

    def _any_usable(self, names: list[str], deadline: Deadline) -> bool:
        """Whether an adapter can be built from the credentials of one of these."""
        for name in names:
            try:
                self._provider(name, deadline)
            except ProviderError:
                continue
            return True
        return False

    def _deliver(
        self,
        name: str,
        order: Order,
        call: SendCall,
        deadline: Deadline,
        has_next: Callable[[], bool],
    ) -> Sent:
        # Before its circuit breaker decides: missing credentials say nothing about the provider's health.
        self._provider(name, deadline)
        _check_time(name, deadline)

        def act() -> Sent:
            return self._ask(name, lambda provider: call(provider, order, deadline), deadline)

        return self._breaker.call(name, order.circuits, order.number_key, act, has_next=has_next)

    def _timed(self, name: str, ask: Callable[[Provider], Result], provider: Provider) -> Result:
        """Emit how long the call took, even if it failed: a failure after ten seconds matters most."""
        if provider is self._test_numbers:
            return ask(provider)
        started = time.monotonic()
        try:
            return ask(provider)
        finally:
            taken = (time.monotonic() - started) * 1000
            self._emit("provider_answered", provider=name, milliseconds=round(taken, 1))

    def _ask(self, name: str, ask: Callable[[Provider], Result], deadline: Deadline) -> Result:
        """Retry once with fresh credentials if these are refused: a key may just have been rotated.

        A refused request was not carried out, so nothing is sent twice.
        """
        used = self._provider(name, deadline)
        try:
            return self._timed(name, ask, used)
        except Misconfigured:
            self._secret_cache.forget_credentials()
            fresh = self._provider(name, deadline)
            if fresh is used:
                raise
            return self._timed(name, ask, fresh)

    def _provider(self, name: str, deadline: Deadline) -> Provider:
        if name == self._test_numbers.name:
            return self._test_numbers
        _check_time(name, deadline)
        try:
            credentials = self._secret_cache.credentials(name)
            built_from, provider = self._built.get(name, (None, None))
            if provider is None or built_from != credentials:
                provider = self._build(name, credentials)
                self._built[name] = (credentials, provider)
        except ServiceMisconfigured as error:
            # An adapter finds faults that the secret cache cannot: the next request must read it afresh.
            self._secret_cache.forget_credentials()
            raise Misconfigured(name, str(error.reason)) from error
        return provider


def _send(provider: Provider, order: Order, deadline: Deadline) -> Sent:
    return provider.send(order, deadline)


def _check_time(name: str, deadline: Deadline) -> None:
    """Raise `TooLate` after the deadline: fetching credentials takes time before the provider is called."""
    if not deadline.remaining():
        raise TooLate(name, "deadline")
