"""Which provider sends, which one is next when it cannot, and which one checks."""

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
"""The providers to call, in their order, and what to call each with."""


class Router:
    """Sends through the first provider that can; checks a code at the provider that holds it.

    A country may have an order of its own in `routes`. Numbers whose code is fixed have a provider of
    their own, `test_numbers`.
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
        """`one_code_per_number`: those at which a new code ends the number's earlier one.

        `channels`: what each provider can send by; one that is not there can send by all.
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
        """Those of the providers that hold a code of a number which a new send to it would make wrong."""
        return self._one_code_per_number & {*holding}

    def send(
        self, order: Order, deadline: Deadline, on_failure: OnFailure, reserve_again: ReserveAgain
    ) -> tuple[str, Sent]:
        """The name of the provider that took the code, and its handle.

        The next provider is called after a failure that certainly sent nothing, and once after one that may
        have, if `reserve_again` has counted the second send. Raises the last provider's `ProviderError`, and
        at once what must not fail over.
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
        """As `send`, by the providers of `turns`: the holder alone can send the same code again.

        Where that one is stopped, another one sends a new code.
        """

        def again(provider: Provider, order: Order, deadline: Deadline) -> Sent:
            return provider.resend(ref, order, deadline)

        turns = self.turns(holder, order)
        calls: Calls = [(name, again if name == holder else _send) for name in turns]
        return self._first_of(calls, order, deadline, on_failure, reserve_again)

    def turns(self, holder: str, order: Order) -> tuple[str, ...]:
        """The providers that are called for a resend, one after the other until one sends: the holder first.

        Where the order `goes_on`, those that follow it in the preferred order come first, then those before
        it, and the holder last.
        """
        can_hold = self._has(holder, order.channel) and holder not in order.stopped
        held = [holder] if can_hold else []
        if order.goes_on:
            return (*self._after(holder, order), *held)
        return (*held, *(name for name in self._free(order) if name != holder))

    def check(self, name: str, ref: str, otp: str, *, channel: Channel, deadline: Deadline) -> Check:
        """The holder's word on a guess. Raises a `ProviderError`. No breaker ever skips a check."""

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
        """The others that may send, from the one that follows the holder in the preferred order on."""
        names = self.candidates(order.to, order.channel)
        first = names.index(holder) + 1 if holder in names else 0
        left_out = {holder, *order.avoid, *order.stopped}
        return [name for name in (*names[first:], *names[:first]) if name not in left_out]

    def _any_usable(self, names: list[str], deadline: Deadline) -> bool:
        """Whether one of these has credentials that an adapter can be built from."""
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
        # Before its circuit breaker decides: credentials that are missing say nothing of how it is.
        self._provider(name, deadline)
        _check_time(name, deadline)

        def act() -> Sent:
            return self._ask(name, lambda provider: call(provider, order, deadline), deadline)

        return self._breaker.call(name, order.circuits, order.number_key, act, has_next=has_next)

    def _timed(self, name: str, ask: Callable[[Provider], Result], provider: Provider) -> Result:
        """Emit how long a provider took, also to fail: a failure that takes ten seconds matters most."""
        if provider is self._test_numbers:
            return ask(provider)
        started = time.monotonic()
        try:
            return ask(provider)
        finally:
            taken = (time.monotonic() - started) * 1000
            self._emit("provider_answered", provider=name, milliseconds=round(taken, 1))

    def _ask(self, name: str, ask: Callable[[Provider], Result], deadline: Deadline) -> Result:
        """Ask once more with fresh credentials when these are refused: a key may just have been rotated.

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
            # An adapter knows more of what is wrong than the vault: the next request is to find it mended.
            self._secret_cache.forget_credentials()
            raise Misconfigured(name, str(error.reason)) from error
        return provider


def _send(provider: Provider, order: Order, deadline: Deadline) -> Sent:
    return provider.send(order, deadline)


def _check_time(name: str, deadline: Deadline) -> None:
    """Fetching credentials and reading the breaker takes time too, before the provider is called."""
    if not deadline.remaining():
        raise TooLate(name, "deadline")
