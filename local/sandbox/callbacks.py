"""What the providers call back with: where to, and the posting of it.

Nothing but this machine is called. A report is posted once and its answer is not waited for, whereas a
real provider repeats it until it is taken; order is not kept, as no provider promises any.
"""

import asyncio
import ipaddress
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

import requests

MOST_AT_ONCE = 32
"""Posts under way; a report beyond them is dropped."""
TIMEOUT_SECONDS = 3.0
UNDER_LOCALHOST = ".localhost"

_FIELDS = {"sinch": (), "infobip": ("username", "password")}


class BadCallbacks(ValueError):
    """The body of `PUT /callbacks` cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where one provider's callbacks go, and the credentials that they carry there."""

    url: str
    username: str = ""
    password: str = ""

    @property
    def path(self) -> str:
        """The URL's path, decoded: it is part of what Sinch signs."""
        return unquote(urlsplit(self.url).path) or "/"


class Callbacks:
    """Each provider's target, if it has one."""

    def __init__(self) -> None:
        self._targets: Mapping[str, Target] = {}
        self._free = threading.BoundedSemaphore(MOST_AT_ONCE)

    def replace(self, body: object) -> None:
        """Take these targets in the place of all others: `{"sinch": url, "infobip": {"url", …}}`.

        Raises `BadCallbacks`; the targets are then as they were.
        """
        if not isinstance(body, dict):
            raise BadCallbacks("the body must be a JSON object")
        self._targets = {provider: _target(provider, described) for provider, described in body.items()}

    def urls(self) -> dict[str, str]:
        """Where each provider's callbacks go."""
        return {provider: target.url for provider, target in self._targets.items()}

    def target(self, provider: str) -> Target | None:
        """Where this provider's callbacks go, if anywhere."""
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
    """The answer to a post; `None` where none comes in time."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[requests.Response | None] = loop.create_future()

    def emit(response: requests.Response | None) -> None:
        if not answer.done():
            answer.set_result(response)

    def work() -> None:
        loop.call_soon_threadsafe(emit, _posted(url, body, headers))

    # Not the loop's own threads, which it would wait for when it stops.
    threading.Thread(target=work, name="callback", daemon=True).start()
    return await answer


def _posted(url: str, body: bytes, headers: Mapping[str, str]) -> requests.Response | None:
    url, named = _resolved(url)
    with requests.Session() as session:
        session.trust_env = False
        try:
            return session.post(
                url, data=body, headers={**headers, **named}, timeout=TIMEOUT_SECONDS, allow_redirects=False
            )
        except requests.RequestException:
            return None


def _resolved(url: str) -> tuple[str, Mapping[str, str]]:
    """The URL to connect to, and the header that names the one that was meant.

    Names under `localhost` are this machine (RFC 6761 §6.3), but not every resolver knows.
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
        raise BadCallbacks(f"{provider} has a field that is empty or no string")
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
