"""Which provider sends, which one is next when it cannot, and which one checks."""

import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from sms_otp.domain.clock import Deadline
from sms_otp.domain.errors import ServiceMisconfigured
from sms_otp.domain.phone import PhoneNumber
from sms_otp.domain.ports import Breaker, Circuit, CredentialSource, EventSink
from sms_otp.domain.provider import (
    Channel,
    Check,
    Misconfigured,
    NotAsked,
    OnFailure,
    Order,
    Provider,
    Sent,
    Throttled,
    TooLate,
    Unavailable,
)

Result = TypeVar("Result")


class Router:
    """Sends through the first provider that can; asks the provider that holds a code about it.

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
    ) -> None:
        if not order:
            raise ServiceMisconfigured(reason="environment variable PROVIDER_ORDER")
        self._order = order
        self._routes = routes
        self._secret_cache = secret_cache
        self._build = build
        self._test_numbers = test_numbers
        self._breaker = breaker
        self._emit = emit
        self._built: dict[str, tuple[Mapping[str, str], Provider]] = {}

    def circuits(self, to: PhoneNumber) -> tuple[str, ...]:
        """The providers whose circuit breakers a send to this number asks; a resend may ask one more."""
        return self._candidates(to)

    def prime(self, circuits: Mapping[str, Circuit | None]) -> None:
        """What has just been read of them, so that none is read again."""
        self._breaker.prime(circuits)

    def send(self, order: Order, deadline: Deadline, on_failure: OnFailure) -> tuple[str, Sent]:
        """The name of the provider that took the code, and its handle.

        Only a failure that certainly sent nothing lets the next provider try. Raises the last one's
        `ProviderError`, or `Refused` and `Ambiguous` at once.
        """
        return self._first_of(self._candidates(order.to), order, deadline, on_failure)

    def resend(
        self, holder: str, ref: str, order: Order, deadline: Deadline, on_failure: OnFailure
    ) -> tuple[str, Sent]:
        """The same, by the holder of the code first: it alone can send the same code again."""

        def again(provider: Provider) -> Sent:
            return provider.resend(
                ref,
                order.to,
                channel=order.channel,
                locale=order.locale,
                reference=order.reference,
                ttl_seconds=order.ttl_seconds,
                deadline=deadline,
            )

        others = tuple(name for name in self._candidates(order.to) if name != holder)
        try:
            return holder, self._deliver(holder, order, again, deadline, has_next=bool(others))
        except (Throttled, Unavailable, Misconfigured) as failed:
            if not others:
                raise
            on_failure(failed)
        return self._first_of(others, order, deadline, on_failure)

    def check(self, name: str, ref: str, otp: str, *, channel: Channel, deadline: Deadline) -> Check:
        """The holder's word on a guess. Raises a `ProviderError`. No breaker ever skips a check."""

        def check(provider: Provider) -> Check:
            return provider.check(ref, otp, channel=channel, deadline=deadline)

        return self._ask(name, check, deadline)

    def _candidates(self, to: PhoneNumber) -> tuple[str, ...]:
        return (self._test_numbers.name,) if to.is_test else self._routes.get(to.country, self._order)

    def _first_of(
        self, names: tuple[str, ...], order: Order, deadline: Deadline, on_failure: OnFailure
    ) -> tuple[str, Sent]:
        def send(provider: Provider) -> Sent:
            return provider.send(
                order.to,
                channel=order.channel,
                locale=order.locale,
                reference=order.reference,
                ttl_seconds=order.ttl_seconds,
                deadline=deadline,
            )

        *earlier, last = names
        for name in earlier:
            try:
                return name, self._deliver(name, order, send, deadline, has_next=True)
            except (Throttled, Unavailable, Misconfigured) as failed:
                on_failure(failed)
        return last, self._deliver(last, order, send, deadline, has_next=False)

    def _deliver(
        self,
        name: str,
        order: Order,
        act: Callable[[Provider], Sent],
        deadline: Deadline,
        *,
        has_next: bool,
    ) -> Sent:
        # Before the breaker is asked: a channel that a provider never had says nothing of how it is.
        if order.channel not in self._provider(name, deadline).channels:
            raise NotAsked(name, "no such channel")
        _check_time(name, deadline)
        return self._breaker.call(name, lambda: self._ask(name, act, deadline), has_next=has_next)

    def _timed(self, name: str, ask: Callable[[Provider], Result], provider: Provider) -> Result:
        """How long a provider took is told whatever it said: a failure that takes ten seconds above all."""
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


def _check_time(name: str, deadline: Deadline) -> None:
    """What comes before the provider is asked, its credentials and the breaker's state, takes time too."""
    if not deadline.remaining():
        raise TooLate(name, "deadline")
