"""The one HTTP client for providers: one request, one answer, by a deadline, or a word on what may have left.

Nothing is followed, repeated or read from the environment. A provider's host is checked in `hosts`,
before a URL gets here.
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
    # So that the limit on an answer's bytes also limits what is held in memory.
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
    """The request may have left, and no whole, readable answer to it came."""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A whole HTTP answer, of any status."""

    status: int
    body: bytes = field(repr=False)
    retry_after: Seconds | None = None
    """From `Retry-After`; none where it is absent or makes no sense (RFC 9110 §10.2.3)."""

    @property
    def ok(self) -> bool:
        """Whether the status is of the 2xx class."""
        return 200 <= self.status < 300

    def json(self) -> dict[str, Any]:
        """The body, where it is one JSON object by `strict_json`'s rules. Raises `NoAnswer`."""
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
        # requests' own errors are OSErrors. `from None`: their texts hold the URL, and of a malformed header
        # its value.
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
        """The session in use, or a new one where its connections have been idle for too long.

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
    """A request's body that knows whether it has left, and can be kept from leaving.

    The connection is made, and the headers are written, before the first byte of a body is read from
    here. A provider cannot act on a request whose body it never got.
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
        """Abandon the request, and say what its failure means."""
        with self._lock:
            self.abandoned = True
            return NoAnswer(reason) if self._left else RequestNotSent(reason)


def _content(raw: "BaseHTTPResponse", outgoing: _Outgoing) -> bytes:
    """The whole body. Piece by piece as they come in, so that a thread left behind ends at the next."""
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
        # urllib3's own while the body is read.
        ((ReadTimeout, ReadTimeoutError), "read_timeout"),
        (SSLError, "tls"),
    )
    return next((word for kind, word in words if isinstance(error, kind)), otherwise)


def _retry_after(value: str | None, now: float) -> Seconds | None:
    """Seconds or an HTTP date, as RFC 9110 §10.2.3 has it. Anything else, or over a day, is ignored."""
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
