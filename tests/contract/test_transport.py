"""The providers' HTTP client against real sockets on loopback, one misbehaviour at a time."""

import gzip
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
import trustme

from fakes.memory import StepClock
from sms_otp.adapters.providers.transport import (
    CONNECT_SECONDS,
    IDLE_SECONDS,
    MAX_BODY_BYTES,
    READ_SECONDS,
    TOTAL_SECONDS,
    HttpResponse,
    NoAnswer,
    RequestNotSent,
    Transport,
)
from sms_otp.domain.clock import Deadline

SOON = 0.5
"""Seconds until the deadline in tests where the deadline must end the wait."""
PATIENT = 60.0
"""Seconds within which even a busy machine reaches the event that must end the wait."""
SLACK = 10.0
"""Seconds that a busy machine may take on top. The reason says what ended the wait."""

Behaviour = Callable[[socket.socket], None]


@dataclass
class Stub:
    """A server on loopback that runs one behaviour per connection."""

    port: int
    scheme: str = "http"
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/path"


@contextmanager
def stub(behave: Callable[[socket.socket, Stub], None], scheme: str = "http") -> Iterator[Stub]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Stub(listener.getsockname()[1], scheme)
        open_connections: list[socket.socket] = []

        def serve(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                behave(connection, server)

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                server.connections += 1
                open_connections.append(connection)
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield server
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            accepting.join()
            for connection in open_connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


Serve = Callable[[Behaviour], Stub]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server that reads each request and then calls `behave`."""
    with ExitStack() as running:

        def start(behave: Behaviour) -> Stub:
            def after_the_request(connection: socket.socket, server: Stub) -> None:
                while request := read_request(connection):
                    server.requests.append(request)
                    behave(connection)

            return running.enter_context(stub(after_the_request))

        yield start


def read_request(connection: socket.socket) -> bytes:
    """One whole request, or nothing where the client has closed."""
    request = b""
    while b"\r\n\r\n" not in request:
        piece = connection.recv(65536)
        if not piece:
            return b""
        request += piece
    head, _, body = request.partition(b"\r\n\r\n")
    length = int(dict(headers_of(head))["content-length"])
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def headers_of(request: bytes) -> list[tuple[str, str]]:
    lines = request.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    return [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]


def says(body: bytes, *headers: str, status: str = "200 OK", length: int | None = None) -> Behaviour:
    """Answers `body`. `length` is its Content-Length if given, otherwise the true one."""
    lines = (f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers)
    head = "".join(f"{line}\r\n" for line in lines) + "\r\n"
    return lambda connection: connection.sendall(head.encode() + body)


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def close(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_RDWR)


def is_silent(connection: socket.socket) -> None:
    connection.recv(1)


def drips(head: bytes) -> Behaviour:
    """Sends `head`, then a byte every 20 ms until the client has gone."""

    def drip(connection: socket.socket) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(b"x")
            time.sleep(0.02)

    return drip


@pytest.fixture
def transport() -> Transport:
    return Transport()


def exchange(transport: Transport, url: str, *, seconds: float = 30.0, body: bytes = b"{}") -> HttpResponse:
    headers = {"Authorization": "App the-key", "Content-Type": "application/json"}
    return transport.exchange("POST", url, headers=headers, body=body, deadline=Deadline(seconds))


def workers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "provider-exchange"]


def test_an_answer_is_returned_whole(transport: Transport, serve: Serve) -> None:
    server = serve(says(b'{"pinId": "A"}'))
    given = exchange(transport, server.url)
    assert (given.status, given.ok, given.json(), given.retry_after) == (200, True, {"pinId": "A"}, None)


def test_a_request_is_sent_as_given_with_nothing_of_the_environment(
    transport: Transport, serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    server = serve(says(b"{}"))
    exchange(transport, server.url, body=b'{"to": "1"}')
    (request,) = server.requests
    assert request.startswith(b"POST /path HTTP/1.1\r\n")
    assert request.endswith(b'\r\n\r\n{"to": "1"}')
    sent = headers_of(request)
    assert len(sent) == len(dict(sent))
    assert dict(sent) == {
        "host": f"127.0.0.1:{server.port}",
        "user-agent": "sms-otp",
        "accept": "application/json",
        "accept-encoding": "identity",
        "authorization": "App the-key",
        "content-type": "application/json",
        "content-length": "11",
    }


def test_a_cookie_is_not_kept_for_the_next_request(transport: Transport, serve: Serve) -> None:
    server = serve(says(b"{}", "Set-Cookie: session=1; Path=/"))
    exchange(transport, server.url)
    exchange(transport, server.url)
    assert len(server.requests) == 2
    assert all("cookie" not in dict(headers_of(request)) for request in server.requests)


def test_a_connection_is_reused_for_the_next_request(transport: Transport, serve: Serve) -> None:
    server = serve(says(b"{}"))
    for _ in range(3):
        exchange(transport, server.url)
    assert (len(server.requests), server.connections) == (3, 1)


def test_a_connection_that_was_idle_for_too_long_is_not_used_again(serve: Serve) -> None:
    monotonic = StepClock(0.0)
    transport = Transport(monotonic=monotonic)
    server = serve(says(b"{}"))
    exchange(transport, server.url)
    monotonic.step(IDLE_SECONDS)
    exchange(transport, server.url)
    assert server.connections == 1
    monotonic.step(IDLE_SECONDS + 1)
    exchange(transport, server.url)
    assert server.connections == 2


def test_a_connection_that_the_provider_has_closed_is_replaced_before_anything_is_written(
    transport: Transport, serve: Serve
) -> None:
    closed = threading.Event()

    def answers_and_closes(connection: socket.socket) -> None:
        says(b"{}")(connection)
        close(connection)
        closed.set()

    server = serve(answers_and_closes)
    for _ in range(3):
        closed.clear()
        assert exchange(transport, server.url).json() == {}
        assert closed.wait(5)
    assert (len(server.requests), server.connections) == (3, 3)


def test_a_request_lost_on_a_reused_connection_is_not_repeated(transport: Transport, serve: Serve) -> None:
    def answers_only_the_first(connection: socket.socket) -> None:
        if len(server.requests) == 1:
            says(b"{}")(connection)
        else:
            close(connection)

    server = serve(answers_only_the_first)
    exchange(transport, server.url)
    with pytest.raises(NoAnswer):
        exchange(transport, server.url)
    assert (len(server.requests), server.connections) == (2, 1)


def test_concurrent_requests_each_get_their_own_answer(transport: Transport) -> None:
    def echo(connection: socket.socket, _: Stub) -> None:
        while request := read_request(connection):
            says(request.partition(b"\r\n\r\n")[2])(connection)

    with stub(echo) as server, ThreadPoolExecutor(8) as pool:
        bodies = [json.dumps({"n": n}).encode() for n in range(80)]
        answers = list(pool.map(lambda body: exchange(transport, server.url, body=body).body, bodies))
    assert answers == bodies


def test_a_refused_connection_was_not_sent(transport: Transport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(RequestNotSent, match=r"^connection$"):
        exchange(transport, f"http://127.0.0.1:{port}/")


def test_a_name_that_does_not_resolve_was_not_sent(transport: Transport) -> None:
    with pytest.raises(RequestNotSent):
        exchange(transport, "http://nobody.invalid/", seconds=3)


def test_a_connection_that_is_never_made_was_not_sent(transport: Transport) -> None:
    with socket.socket() as listener, ExitStack() as waiting:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):  # more than the queue takes, so that a further one gets no answer at all
            queued = waiting.enter_context(socket.socket())
            queued.setblocking(False)
            queued.connect_ex(listener.getsockname())
        began = time.monotonic()
        with pytest.raises(RequestNotSent, match=r"^connect_timeout$"):
            exchange(transport, f"http://127.0.0.1:{listener.getsockname()[1]}/")
        assert CONNECT_SECONDS <= time.monotonic() - began < CONNECT_SECONDS + SLACK


def test_a_deadline_that_is_over_sends_nothing(transport: Transport, serve: Serve) -> None:
    server = serve(says(b"{}"))
    with pytest.raises(RequestNotSent, match=r"^deadline$"):
        exchange(transport, server.url, seconds=0)
    assert server.connections == 0


def test_silence_after_the_request_is_no_answer(transport: Transport, serve: Serve) -> None:
    server = serve(is_silent)
    began = time.monotonic()
    with pytest.raises(NoAnswer, match=r"^read_timeout$"):
        exchange(transport, server.url)
    assert READ_SECONDS <= time.monotonic() - began < READ_SECONDS + SLACK
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "behave",
    [
        pytest.param(is_silent, id="silence"),
        pytest.param(drips(b"HTTP/1.1 200 OK\r\nX-Drip: "), id="a drip of headers"),
        pytest.param(drips(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n"), id="a drip of body"),
        pytest.param(drips(b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n"), id="a drip of a redirect's body"),
        pytest.param(drips(b""), id="a drip that is no HTTP"),
    ],
)
def test_the_deadline_ends_the_wait_for_silence_and_for_a_drip(
    behave: Behaviour, transport: Transport, serve: Serve
) -> None:
    server = serve(behave)
    began = time.monotonic()
    with pytest.raises(NoAnswer):
        exchange(transport, server.url, seconds=SOON)
    assert time.monotonic() - began < READ_SECONDS, "sooner than any limit of the transport itself"
    assert len(server.requests) == 1


def test_an_exchange_runs_in_a_daemon_thread(transport: Transport, monkeypatch: pytest.MonkeyPatch) -> None:
    made_in: list[threading.Thread] = []

    def perform(*_: object) -> HttpResponse:
        made_in.append(threading.current_thread())
        return HttpResponse(200, b"")

    monkeypatch.setattr(Transport, "_perform", perform)
    exchange(transport, "https://provider.example")
    assert [(thread.name, thread.daemon) for thread in made_in] == [("provider-exchange", True)]


def test_without_a_nearer_deadline_the_total_ends_a_drip(transport: Transport, serve: Serve) -> None:
    server = serve(drips(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n"))
    began = time.monotonic()
    with pytest.raises(NoAnswer, match=r"^deadline$"):
        exchange(transport, server.url)
    assert TOTAL_SECONDS <= time.monotonic() - began < TOTAL_SECONDS + SLACK


def test_a_worker_left_behind_ends_at_the_next_piece_of_body(transport: Transport, serve: Serve) -> None:
    server = serve(drips(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n"))
    before = set(workers())
    with pytest.raises(NoAnswer):
        exchange(transport, server.url, seconds=SOON)
    for worker in set(workers()) - before:
        worker.join(timeout=SLACK)
        assert not worker.is_alive()


@pytest.mark.parametrize(
    ("behave", "reason"),
    [
        pytest.param(reset, "connection", id="reset"),
        pytest.param(close, "connection", id="closed"),
        pytest.param(says(b'{"pinId":', length=100), "truncated", id="body cut short"),
        pytest.param(
            lambda connection: connection.sendall(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\r\n"
            ),
            "truncated",
            id="chunks cut short",
        ),
        pytest.param(says(b" " * 10_000_000), "oversize", id="10 MB"),
        pytest.param(says(b" " * (MAX_BODY_BYTES + 1)), "oversize", id="a byte too many"),
        pytest.param(says(b" " * 10_000_000, "Location: /", status="302 Found"), "oversize", id="redirect"),
        pytest.param(lambda connection: connection.sendall(b"nonsense\r\n\r\n"), "connection", id="no HTTP"),
    ],
)
def test_an_incomplete_or_oversized_answer_raises_no_answer(
    behave: Behaviour, reason: str, transport: Transport, serve: Serve
) -> None:
    def once(connection: socket.socket) -> None:
        behave(connection)
        with suppress(OSError):
            close(connection)

    server = serve(once)
    with pytest.raises(NoAnswer) as caught:
        exchange(transport, server.url)
    assert caught.value.reason == reason
    assert len(server.requests) == 1


def test_an_answer_of_the_longest_length_is_read(transport: Transport, serve: Serve) -> None:
    body = b"{" + b" " * (MAX_BODY_BYTES - 2) + b"}"
    assert exchange(transport, serve(says(body)).url).json() == {}


def test_an_answer_in_chunks_is_read(transport: Transport, serve: Serve) -> None:
    server = serve(
        lambda connection: connection.sendall(
            b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"a":\r\n3\r\n 1}\r\n0\r\n\r\n'
        )
    )
    assert exchange(transport, server.url).json() == {"a": 1}
    assert exchange(transport, server.url).json() == {"a": 1}
    assert server.connections == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_and_is_not_followed(status: int, transport: Transport, serve: Serve) -> None:
    elsewhere = serve(says(b"{}"))
    server = serve(says(b"", f"Location: {elsewhere.url}", status=f"{status} Moved"))
    assert exchange(transport, server.url).status == status
    assert len(server.requests) == 1
    assert elsewhere.connections == 0


@pytest.mark.parametrize("location", ["http://[", "//", "ftp://x", "http://169.254.169.254/", "\xff"])
def test_a_redirect_to_nonsense_is_an_answer_too(location: str, transport: Transport, serve: Serve) -> None:
    server = serve(says(b"", f"Location: {location}", status="302 Found"))
    assert exchange(transport, server.url).status == 302


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 502, 503, 504])
def test_an_error_status_is_an_answer_and_is_not_retried(
    status: int, transport: Transport, serve: Serve
) -> None:
    server = serve(says(b'{"errorCode": 1}', status=f"{status} Error"))
    given = exchange(transport, server.url)
    assert (given.status, given.ok, given.json()) == (status, False, {"errorCode": 1})
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("30", 30),
        ("0", 0),
        ("Tue, 01 Dec 2026 00:01:30 GMT", 90),
        ("Tue, 01 Dec 2026 00:01:30 -0000", 90),
        ("Mon, 30 Nov 2026 23:59:59 GMT", None),
        ("Wed, 02 Dec 2026 00:00:01 GMT", None),
        ("86401", None),
        ("99999999999999999999", None),
        ("-1", None),
        ("1.5", None),
        ("1e3", None),
        ("0x10", None),
        ("soon", None),
        ("Tue, 99 Dec 2026 00:00:00 GMT", None),
        ("Tue, 01 Dec 9999999999 00:00:00 GMT", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_anything_else_is_ignored(
    header: str, seconds: int | None, serve: Serve
) -> None:
    transport = Transport(clock=StepClock(1_796_083_200.0))  # 2026-12-01T00:00:00Z
    server = serve(says(b"{}", f"Retry-After: {header}", status="429 Too Many Requests"))
    assert exchange(transport, server.url).retry_after == seconds


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"<!doctype html><title>Welcome</title>", id="html"),
        pytest.param(b'{"verified": false, "verified": true}', id="a name twice"),
        pytest.param(b'{"a": {"b": 1, "b": 2}}', id="a name twice, deeper"),
        pytest.param(b'{"a": NaN}', id="NaN"),
        pytest.param(b'{"a": Infinity}', id="Infinity"),
        pytest.param(b'{"a": 1e999}', id="too large a number"),
        pytest.param(b'{"a": ' + b"1" * 5000 + b"}", id="too long a number"),
        pytest.param(b"[" * 60_000, id="too deep"),
        pytest.param(b'{"a": "\xff"}', id="not UTF-8"),
        pytest.param(b'{"a": "\\ud800"}', id="half a character"),
        pytest.param(b'\xef\xbb\xbf{"a": 1}', id="a byte order mark"),
        pytest.param(b"[]", id="array"),
        pytest.param(b"true", id="scalar"),
        pytest.param(b"{}{}", id="two objects"),
        pytest.param(gzip.compress(b"{}"), id="packed"),
    ],
)
def test_a_body_that_is_not_one_strict_json_object_is_no_answer(
    body: bytes, transport: Transport, serve: Serve
) -> None:
    given = exchange(transport, serve(says(body, "Content-Encoding: gzip")).url)
    assert given.body == body
    with pytest.raises(NoAnswer, match=r"^not_json$"):
        given.json()


@pytest.fixture
def authority() -> trustme.CA:
    """A certificate authority that no client trusts unless a test passes its bundle."""
    return trustme.CA()


@contextmanager
def tls_stub(authority: trustme.CA) -> Iterator[Stub]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)

    def behave(connection: socket.socket, server: Stub) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            server.requests.append(read_request(secure))
            says(b"{}", "Connection: close")(secure)

    with stub(behave, scheme="https") as server:
        yield server


def test_an_untrusted_certificate_stops_the_request_before_it_is_sent(
    transport: Transport, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bundle = str(tmp_path / "bundle.pem")
    authority.cert_pem.write_to_path(bundle)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, bundle)
    with tls_stub(authority) as server:
        with pytest.raises(RequestNotSent, match=r"^tls$"):
            exchange(transport, server.url)
        assert server.requests == []
        # The server itself works: a client that trusts the authority gets an answer.
        assert requests.post(server.url, data=b"{}", verify=bundle, timeout=5).json() == {}


@pytest.mark.parametrize(
    ("hello", "seconds", "reasons"),
    [
        pytest.param(reset, PATIENT, {"connection"}, id="reset"),
        pytest.param(says(b"{}"), PATIENT, {"tls"}, id="no TLS"),
        # The handshake's own timeout and the deadline run out together.
        pytest.param(is_silent, SOON, {"read_timeout", "deadline"}, id="silence"),
    ],
)
def test_a_handshake_that_fails_was_not_sent(
    hello: Behaviour,
    seconds: float,
    reasons: set[str],
    transport: Transport,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for limit in ("CONNECT_SECONDS", "READ_SECONDS", "TOTAL_SECONDS"):
        monkeypatch.setattr(f"sms_otp.adapters.providers.transport.{limit}", PATIENT)

    def behave(connection: socket.socket, _: Stub) -> None:
        connection.recv(65536)
        hello(connection)

    with stub(behave, scheme="https") as server:
        with pytest.raises(RequestNotSent) as caught:
            exchange(transport, server.url, seconds=seconds)
        assert server.connections == 1
    assert caught.value.reason in reasons


def test_a_request_abandoned_before_it_was_sent_is_not_sent_later(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve = socket.getaddrinfo
    given_up, resolved = threading.Event(), threading.Event()

    def slow(*arguments: Any, **more: Any) -> Any:
        given_up.wait(5)
        try:
            return resolve(*arguments, **more)
        finally:
            resolved.set()

    def behave(connection: socket.socket, server: Stub) -> None:
        server.requests.append(read_all(connection))

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    with stub(behave) as server:
        with pytest.raises(RequestNotSent, match=r"^deadline$"):
            exchange(transport, server.url, seconds=SOON, body=b"the body")
        given_up.set()
        assert resolved.wait(5)
        for worker in workers():
            worker.join(timeout=5)
    assert b"the body" not in b"".join(server.requests)


def read_all(connection: socket.socket) -> bytes:
    pieces = b""
    while piece := connection.recv(65536):
        pieces += piece
    return pieces


def test_no_failure_shows_a_header_or_the_url(transport: Transport) -> None:
    secret = "App the-key\nX-Injected: 1"
    with pytest.raises(RequestNotSent) as caught:
        transport.exchange(
            "POST",
            "http://127.0.0.1:1/2fa/2/pin/the-pin/verify",
            headers={"Authorization": secret},
            body=b"{}",
            deadline=Deadline(5),
        )
    assert str(caught.value) == "connection"
    assert caught.value.__suppress_context__
    assert caught.value.__cause__ is None
