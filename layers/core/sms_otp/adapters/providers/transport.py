"""The HTTP client for providers: one request and one answer, or an error that says whether the request left.

No redirects, no retries, nothing from the environment. `hosts` checks a provider's host before a URL gets
here.
"""

import io
import re
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from sms_otp.domain.clock import DAY, Clock, Deadline, Seconds
from sms_otp.domain.strict_json import parse_object

if TYPE_CHECKING:
    from requests import Session
    from urllib3 import BaseHTTPResponse

CONNECT_SECONDS = 2.0
READ_SECONDS = 4.0
"""The longest silence between two bytes of an answer."""
TOTAL_SECONDS = 6.0
"""From the call to the answer's last byte, name resolution included."""
IDLE_SECONDS = 20.0
"""A connection that was idle for longer is not used again: it may have died while the execution
environment was frozen, and a lost request would look like a lost answer."""
MAX_BODY_BYTES = 64 * 1024

_LONGEST_RETRY_AFTER = DAY

_HEADERS: Mapping[str, str] = {
    "User-Agent": "sms-otp",
    "Accept": "application/json",
    # Without compression, the limit on an answer's bytes also limits the memory it takes.
    "Accept-Encoding": "identity",
}


class TransportError(Exception):
    """No answer. `reason` is a short fixed word; no URL, header or body is part of it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class RequestNotSent(TransportError):
    """No byte of the request's body left, so the provider cannot have acted."""


class NoAnswer(TransportError):
    """The request may have left, and no complete, readable answer came."""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A complete HTTP answer, of any status."""

    status: int
    body: bytes = field(repr=False)
    retry_after: Seconds | None = None
    """From `Retry-After`; None if it is absent or invalid (RFC 9110 §10.2.3)."""

    @property
    def ok(self) -> bool:
        """Whether the status is of the 2xx class."""
        return 200 <= self.status < 300

    def json(self) -> dict[str, Any]:
        """Parse the body as one JSON object, see `strict_json`. Raises `NoAnswer` if it is not one."""
        try:
            return parse_object(self.body, limit=MAX_BODY_BYTES)
        except ValueError:
            raise NoAnswer("not_json") from None


class Transport:
    """Safe to share between requests and threads; one per execution environment."""

    def __init__(self, clock: Clock = time.time, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._session: Session | None = None
        self._last_used = 0.0

    def exchange(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes, deadline: Deadline
    ) -> HttpResponse:
        """Send once and wait for the whole answer, at most until `deadline` or `TOTAL_SECONDS`.

        A request has left once the first byte of `body` was read; one without a body counts as left. Raises
        `RequestNotSent` or `NoAnswer`.
        """
        seconds = min(TOTAL_SECONDS, deadline.remaining())
        if seconds <= 0:
            raise RequestNotSent("deadline")
        outgoing = _Outgoing(body)
        answer: Future[HttpResponse] = Future()

        # Timeouts of sockets bound neither name resolution nor an answer that drips in byte by byte.
        # A thread that can be left behind bounds both.
        def work() -> None:
            try:
                answer.set_result(self._perform(method, url, headers, outgoing, seconds))
            except BaseException as error:
                answer.set_exception(error)

        threading.Thread(target=work, name="provider-exchange", daemon=True).start()
        try:
            return answer.result(timeout=seconds)
        except TimeoutError:
            raise outgoing.failure("deadline") from None

    def _perform(
        self, method: str, url: str, headers: Mapping[str, str], outgoing: "_Outgoing", seconds: float
    ) -> HttpResponse:
        from urllib3.exceptions import HTTPError

        try:
            response = self._open_session().request(
                method,
                url,
                headers={**_HEADERS, **headers},
                data=outgoing if outgoing.length else None,
                timeout=(min(CONNECT_SECONDS, seconds), min(READ_SECONDS, seconds)),
                allow_redirects=False,
                stream=True,
            )
        # requests' own errors are OSErrors. `from None`, because their texts hold the URL or a malformed
        # header's value.
        except (HTTPError, OSError, ValueError) as error:
            raise outgoing.failure(_reason(error)) from None
        try:
            content = _content(response.raw, outgoing)
        except (HTTPError, OSError) as error:
            raise outgoing.failure(_reason(error, otherwise="truncated")) from None
        finally:
            response.close()
        retry_after = _retry_after(response.headers.get("Retry-After"), self._clock())
        return HttpResponse(response.status_code, content, retry_after)

    def _open_session(self) -> "Session":
        """The session in use, or a new one if its connections have been idle for too long.

        A connection that its other end has closed is replaced before anything is written to it.
        """
        from sms_otp.adapters.providers import session

        with self._lock:
            now = self._monotonic()
            if self._session is None or now - self._last_used > IDLE_SECONDS:
                self._session = session.new_session()
            self._last_used = now
            return self._session


def load() -> None:
    """Import the HTTP client and read the certificates that TLS trusts."""
    from sms_otp.adapters.providers import session

    session.new_session()


class _Outgoing(io.BytesIO):
    """A request's body that notes whether it has left, and can be abandoned before it does.

    Its first byte is read only after the connection is made and the headers are written. A provider
    cannot act on a request whose body it never got.
    """

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.length = len(content)
        self._lock = threading.Lock()
        self._left = not content
        self.abandoned = False

    def read(self, size: int | None = -1) -> bytes:
        """As `io.BytesIO.read`. Raises `OSError` once abandoned."""
        with self._lock:
            if self.abandoned:
                raise OSError("abandoned")
            self._left = True
        return super().read(size)

    def failure(self, reason: str) -> TransportError:
        """Abandon the request; return `NoAnswer` if its body may have left, else `RequestNotSent`."""
        with self._lock:
            self.abandoned = True
            return NoAnswer(reason) if self._left else RequestNotSent(reason)


def _content(raw: "BaseHTTPResponse", outgoing: _Outgoing) -> bytes:
    """Read the whole body, piece by piece, so that an abandoned thread ends at the next piece."""
    content = b""
    while piece := raw.read1(MAX_BODY_BYTES, decode_content=False):
        content += piece
        if len(content) > MAX_BODY_BYTES:
            raise outgoing.failure("oversize")
        if outgoing.abandoned:
            raise outgoing.failure("deadline")
    return content


def _reason(error: Exception, otherwise: str = "connection") -> str:
    from requests.exceptions import ConnectTimeout, ReadTimeout, SSLError
    from urllib3.exceptions import ReadTimeoutError

    words: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...] = (
        (ConnectTimeout, "connect_timeout"),
        # While the body is read, urllib3's own error arrives.
        ((ReadTimeout, ReadTimeoutError), "read_timeout"),
        (SSLError, "tls"),
    )
    return next((word for kind, word in words if isinstance(error, kind)), otherwise)


def _retry_after(value: str | None, now: float) -> Seconds | None:
    """Parse seconds or an HTTP date (RFC 9110 §10.2.3). None if invalid, past or over a day away."""
    if value is None:
        return None
    if re.fullmatch("[0-9]{1,6}", value):
        seconds = Seconds(value)
    else:
        try:
            seconds = Seconds(parsedate_to_datetime(value).replace(tzinfo=UTC).timestamp() - now)
        except (ValueError, IndexError, OverflowError):
            return None
    return seconds if 0 <= seconds <= _LONGEST_RETRY_AFTER else None
