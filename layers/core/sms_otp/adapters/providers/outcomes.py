"""The outcomes of HTTP answers, and of missing ones, that all providers share."""

import hmac
import json
from collections.abc import Mapping
from typing import Any, TypeGuard

from sms_otp.adapters.providers.transport import HttpResponse, NoAnswer, RequestNotSent, Transport
from sms_otp.domain.clock import Deadline
from sms_otp.domain.provider import (
    Ambiguous,
    Doubtful,
    Misconfigured,
    NotSent,
    ProviderError,
    Throttled,
    TooLate,
)

# 500, 502 and 503 say that the request failed, and not how far it had come: a provider may have handed the
# message on before it failed, so it counts as sent. 504 says that a backend took the request and has not
# answered: it may still act, as with no answer at all. A status that nobody documents, such as a CDN's 520 to
# 527, is read the same way.
# 408 says that the request never came in whole (RFC 9110 §15.5.9), 409 that its like came before.
_STATUSES: Mapping[int, type[ProviderError]] = {
    408: NotSent,
    409: Ambiguous,
    429: Throttled,
    500: Doubtful,
    502: Doubtful,
    503: Doubtful,
}
_CLASSES: Mapping[int, type[ProviderError]] = {3: NotSent, 4: Misconfigured}

_LONGEST_REFERENCE = 256


def ask(
    provider: str,
    transport: Transport,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    body: bytes,
    deadline: Deadline,
) -> HttpResponse:
    """One exchange. Raises `NotSent` or `TooLate` where nothing left, `Ambiguous` where it may have."""
    try:
        return transport.exchange(method, url, headers=headers, body=body, deadline=deadline)
    except RequestNotSent as error:
        kind = NotSent if deadline.remaining() else TooLate
        raise kind(provider, error.reason) from None
    except NoAnswer as error:
        raise Ambiguous(provider, error.reason) from None


def content(provider: str, answer: HttpResponse) -> dict[str, Any]:
    """The object in an answer that says the provider acted. Raises `Ambiguous` where it is none."""
    try:
        return answer.json()
    except NoAnswer as error:
        raise Ambiguous(provider, error.reason) from None


def items(provider: str, answer: HttpResponse) -> list[dict[str, Any]]:
    """The objects in an answer that is an array. Raises `Ambiguous` where it is none."""
    try:
        listed = json.loads(answer.body)
    except (ValueError, RecursionError):
        listed = None
    if not isinstance(listed, list):
        raise Ambiguous(provider, "unreadable")
    return [item for item in listed if isinstance(item, dict)]


def error_content(answer: HttpResponse) -> dict[str, Any]:
    """The object in an answer that says the provider did not act; empty where it is none.

    The status alone decides then: gateways answer in HTML.
    """
    try:
        return answer.json()
    except NoAnswer:
        return {}


def failure(
    provider: str,
    answer: HttpResponse,
    *,
    code: str | None = None,
    kind: type[ProviderError] | None = None,
) -> ProviderError:
    """The error that an answer of a status other than 2xx stands for.

    `kind` where the provider's own `code` says more than the status.
    """
    kind = kind or of_status(answer.status)
    reason = "redirect" if answer.status // 100 == 3 else code or f"http_{answer.status}"
    return kind(provider, reason, retry_after=answer.retry_after, status=answer.status)


def of_status(status: int) -> type[ProviderError]:
    """The outcome of a status other than 2xx, where nothing else is known."""
    return _STATUSES.get(status) or _CLASSES.get(status // 100, Ambiguous)


def word(value: object) -> str:
    """`value` if it is a string, else empty, which no table has."""
    return value if isinstance(value, str) else ""


def is_reference(value: object) -> TypeGuard[str]:
    """Whether a provider's handle can be stored and put into a path: opaque, but text and no dot segment."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= _LONGEST_REFERENCE
        and value.isascii()
        and value.isprintable()
        and value not in (".", "..")
    )


def equal(given: str, expected: str) -> bool:
    """In constant time. Bytes, because of text only ASCII can be compared so."""
    return hmac.compare_digest(given.encode(errors="surrogatepass"), expected.encode())
