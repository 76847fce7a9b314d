"""Which provider sends, and which one checks."""

from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

from sms_otp.clock import Deadline
from sms_otp.errors import ServiceMisconfigured
from sms_otp.phone import PhoneNumber
from sms_otp.providers.base import Channel, Check, Misconfigured, Provider, Sent

Answer = TypeVar("Answer")


class Credentials(Protocol):
    """Where the router gets a provider's credentials from. See `secrets.Vault`."""

    def credentials(self, provider: str) -> Mapping[str, str]: ...

    def forget_credentials(self) -> None: ...


class Router:
    """Sends through the first provider of the order; asks the provider that holds a code about it.

    Numbers whose code is fixed have a provider of their own, `test_numbers`.
    """

    def __init__(
        self,
        order: tuple[str, ...],
        vault: Credentials,
        build: Callable[[str, Mapping[str, str]], Provider],
        test_numbers: Provider,
    ) -> None:
        if not order:
            raise ServiceMisconfigured(reason="environment variable PROVIDER_ORDER")
        self._order = order
        self._vault = vault
        self._build = build
        self._test_numbers = test_numbers
        self._built: dict[str, tuple[Mapping[str, str], Provider]] = {}

    def send(
        self, to: PhoneNumber, *, channel: Channel, locale: str | None, reference: str, deadline: Deadline
    ) -> tuple[str, Sent]:
        """The name of the provider that took the code, and its handle. Raises a `ProviderError`."""
        name = self._test_numbers.name if to.is_test else self._order[0]

        def send(provider: Provider) -> Sent:
            return provider.send(to, channel=channel, locale=locale, reference=reference, deadline=deadline)

        return name, self._ask(name, send)

    def check(self, name: str, ref: str, otp: str, *, channel: Channel, deadline: Deadline) -> Check:
        """The holder's word on a guess. Raises a `ProviderError`."""

        def check(provider: Provider) -> Check:
            return provider.check(ref, otp, channel=channel, deadline=deadline)

        return self._ask(name, check)

    def _ask(self, name: str, ask: Callable[[Provider], Answer]) -> Answer:
        """Ask once more with fresh credentials when these are refused: a key may just have been rotated.

        A refused request was not carried out, so nothing is sent twice.
        """
        used = self._provider(name)
        try:
            return ask(used)
        except Misconfigured:
            self._vault.forget_credentials()
            fresh = self._provider(name)
            if fresh is used:
                raise
            return ask(fresh)

    def _provider(self, name: str) -> Provider:
        if name == self._test_numbers.name:
            return self._test_numbers
        credentials = self._vault.credentials(name)
        built_from, provider = self._built.get(name, (None, None))
        if provider is None or built_from != credentials:
            provider = self._build(name, credentials)
            self._built[name] = (credentials, provider)
        return provider
