"""Sinch Verification's authentication: Basic, and signed requests over the raw bytes received.

Rules and vectors: Sinch's SDK (`ApplicationAuthManager`) and "Authentication" in its API reference.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterator
from datetime import datetime

from starlette.requests import Request

from local.sandbox.credentials import SINCH_APPLICATION_KEY, SINCH_APPLICATION_SECRET, SINCH_PATH

TIMESTAMP_TOLERANCE_SECONDS = 300.0
"""Tolerance of `x-timestamp`. Sinch documents only that a request must not be "too old"."""


class AuthError(Exception):
    """The request is not authorized; `code` is Sinch's error code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def signature(*, secret: str, method: str, body: bytes, content_type: str, timestamp: str, path: str) -> str:
    """Base64 of the HMAC-SHA256 over method, body MD5, content type, timestamp and decoded path.

    `secret` is base64, its padding optional; `content_type` is the header as sent, empty without one.
    """
    # MD5 is Sinch's choice of digest inside the signed text; SHA-256 does the signing.
    digest = hashlib.md5(body, usedforsecurity=False).digest()
    body_hash = base64.b64encode(digest).decode() if body else ""
    text = "\n".join((method, body_hash, content_type, f"x-timestamp:{timestamp}", path))
    key = base64.b64decode(secret + "=" * (-len(secret) % 4))
    return base64.b64encode(hmac.digest(key, text.encode(), "sha256")).decode()


def authorize(request: Request, body: bytes, now: float) -> None:
    """Raises `AuthError` unless the request carries the sandbox account's credentials."""
    header = request.headers.get("authorization")
    if header is None:
        raise AuthError(40104)
    scheme, _, value = header.partition(" ")
    match scheme.lower():
        case "basic":
            _check_basic(value)
        case "application":
            _check_signed(request, body, value, now)
        case _:
            raise AuthError(40100)


def _check_basic(value: str) -> None:
    expected = base64.b64encode(f"{SINCH_APPLICATION_KEY}:{SINCH_APPLICATION_SECRET}".encode())
    if not hmac.compare_digest(value.encode(), expected):
        raise AuthError(40107)


def _check_signed(request: Request, body: bytes, value: str, now: float) -> None:
    key, colon, presented = value.partition(":")
    if key != SINCH_APPLICATION_KEY:
        raise AuthError(40107)
    if not colon:
        raise AuthError(40303)  # the public method, for phones: it needs a callback URL
    timestamp = request.headers.get("x-timestamp", "")
    if not _is_recent(timestamp, now):
        raise AuthError(40101)
    if not any(hmac.compare_digest(presented.encode(), made.encode()) for made in _signatures(request, body)):
        raise AuthError(40102)


def _signatures(request: Request, body: bytes) -> Iterator[str]:
    """Yield the signatures over the received path, and over the path without the sandbox's prefix.

    A client whose base URL contains the prefix may sign either.
    """
    received = request.scope["path"]
    for path in (received, received.removeprefix(SINCH_PATH)):
        yield signature(
            secret=SINCH_APPLICATION_SECRET,
            method=request.method,
            body=body,
            content_type=request.headers.get("content-type", ""),
            timestamp=request.headers.get("x-timestamp", ""),
            path=path,
        )


def _is_recent(timestamp: str, now: float) -> bool:
    try:
        signed_at = datetime.fromisoformat(timestamp)
    except ValueError:
        return False
    if signed_at.tzinfo is None:
        return False
    return abs(now - signed_at.timestamp()) <= TIMESTAMP_TOLERANCE_SECONDS
