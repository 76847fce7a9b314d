"""Provider callbacks: their targets, and posting them.

Only this machine is called. Reports are posted once without waiting for the answer; real providers retry
until they get a 2xx. Order is not guaranteed, as at the providers.
"""

import asyncio
import ipaddress
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

import requests

MOST_AT_ONCE = 32
"""Concurrent posts; further reports are dropped."""
TIMEOUT_SECONDS = 3.0
UNDER_LOCALHOST = ".localhost"

_FIELDS = {"sinch": (), "infobip": ("username", "password")}


class BadCallbacks(ValueError):
    """The body of `PUT /callbacks` is invalid; the message says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """The URL of one provider's callbacks, and their credentials."""

    url: str
    username: str = ""
    password: str = ""

    @property
    def path(self) -> str:
        """The URL's decoded path, which Sinch's signature covers."""
        return unquote(urlsplit(self.url).path) or "/"


class Callbacks:
    """The providers' callback targets."""

    def __init__(self) -> None:
        self._targets: Mapping[str, Target] = {}
        self._free = threading.BoundedSemaphore(MOST_AT_ONCE)

    def replace(self, body: object) -> None:
        """Replace all targets: `{"sinch": url, "infobip": {"url", …}}`.

        Raises `BadCallbacks` and leaves the targets unchanged.
        """
        if not isinstance(body, dict):
            raise BadCallbacks("the body must be a JSON object")
        self._targets = {provider: _target(provider, described) for provider, described in body.items()}

    def urls(self) -> dict[str, str]:
        """The callback URLs by provider."""
        return {provider: target.url for provider, target in self._targets.items()}

    def target(self, provider: str) -> Target | None:
        """The provider's callback target, or `None`."""
        return self._targets.get(provider)

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Post in the background, at most `MOST_AT_ONCE` at a time."""

        def work() -> None:
            try:
                _posted(url, body, headers)
            finally:
                self._free.release()

        if self._free.acquire(blocking=False):
            threading.Thread(target=work, name="callback", daemon=True).start()


async def ask(url: str, body: bytes, headers: Mapping[str, str]) -> requests.Response | None:
    """Post and return the answer; `None` if none arrives within `TIMEOUT_SECONDS`."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[requests.Response | None] = loop.create_future()

    def resolve(response: requests.Response | None) -> None:
        if not answer.done():
            answer.set_result(response)

    def work() -> None:
        loop.call_soon_threadsafe(resolve, _posted(url, body, headers))

    # Not the loop's executor, whose threads delay the loop's shutdown.
    threading.Thread(target=work, name="callback", daemon=True).start()
    return await answer


def _posted(url: str, body: bytes, headers: Mapping[str, str]) -> requests.Response | None:
    url, host = _resolved(url)
    with requests.Session() as session:
        session.trust_env = False
        try:
            return session.post(
                url, data=body, headers={**headers, **host}, timeout=TIMEOUT_SECONDS, allow_redirects=False
            )
        except requests.RequestException:
            return None


def _resolved(url: str) -> tuple[str, Mapping[str, str]]:
    """The URL to connect to, and a Host header with the original host.

    Names under `localhost` are this machine (RFC 6761 §6.3), but not every resolver supports it.
    """
    parts = urlsplit(url)
    if not (parts.hostname or "").endswith(UNDER_LOCALHOST):
        return url, {}
    return parts._replace(netloc=f"127.0.0.1:{parts.port or 80}").geturl(), {"Host": parts.netloc}


def _target(provider: str, described: object) -> Target:
    if provider not in _FIELDS:
        raise BadCallbacks(f"no such provider: {provider}")
    fields = {"url": described} if isinstance(described, str) else described
    if not isinstance(fields, dict) or not set(fields) <= {"url", *_FIELDS[provider]}:
        raise BadCallbacks(
            f"{provider} must be a URL, or an object of {', '.join(('url', *_FIELDS[provider]))}"
        )
    if not all(isinstance(value, str) and value for value in fields.values()):
        raise BadCallbacks(f"{provider} has an empty or non-string field")
    if not _is_on_this_machine(fields.get("url", "")):
        raise BadCallbacks(f"{provider}: the url must be plain HTTP to this machine")
    return Target(**fields)


def _is_on_this_machine(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        is_named = host == "localhost" or host.endswith(UNDER_LOCALHOST)
        is_loopback = is_named or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
    return parts.scheme == "http" and is_loopback and not parts.username
