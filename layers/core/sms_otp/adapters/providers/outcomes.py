"""Maps HTTP answers, and missing ones, to the outcomes that all providers share."""

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

# 500, 502 and 503 do not say how far the request got: the provider may have passed the message on before it
# failed, so it counts as sent. 504 says that a backend took the request and has not answered: it may still
# act, so 504 is as ambiguous as no answer. So is an undocumented status, such as a CDN's 520 to 527.
# 408 says that the request did not arrive complete (RFC 9110 §15.5.9), 409 that an equal one came before.
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
    """Make one exchange. Raises `NotSent` or `TooLate` if nothing left, `Ambiguous` if it may have."""
    try:
        return transport.exchange(method, url, headers=headers, body=body, deadline=deadline)
    except RequestNotSent as error:
        kind = NotSent if deadline.remaining() else TooLate
        raise kind(provider, error.reason) from None
    except NoAnswer as error:
        raise Ambiguous(provider, error.reason) from None


def content(provider: str, answer: HttpResponse) -> dict[str, Any]:
    """The JSON object in a successful answer. Raises `Ambiguous` if there is no valid one."""
    try:
        return answer.json()
    except NoAnswer as error:
        raise Ambiguous(provider, error.reason) from None


def items(provider: str, answer: HttpResponse) -> list[dict[str, Any]]:
    """The objects in an answer's JSON array. Raises `Ambiguous` if it is not an array."""
    try:
        listed = json.loads(answer.body)
    except (ValueError, RecursionError):
        listed = None
    if not isinstance(listed, list):
        raise Ambiguous(provider, "unreadable")
    return [item for item in listed if isinstance(item, dict)]


def error_content(answer: HttpResponse) -> dict[str, Any]:
    """The JSON object in an error answer; empty if there is no valid one.

    Then the status alone decides: gateways answer in HTML.
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
    """The error for an answer of a status other than 2xx.

    `kind` overrides the status if the provider's own `code` says more.
    """
    kind = kind or of_status(answer.status)
    reason = "redirect" if answer.status // 100 == 3 else code or f"http_{answer.status}"
    return kind(provider, reason, retry_after=answer.retry_after, status=answer.status)


def of_status(status: int) -> type[ProviderError]:
    """The outcome of a status other than 2xx, if the provider's code says no more."""
    return _STATUSES.get(status) or _CLASSES.get(status // 100, Ambiguous)


def word(value: object) -> str:
    """`value` if it is a string, else an empty one, which no table of codes has."""
    return value if isinstance(value, str) else ""


def is_reference(value: object) -> TypeGuard[str]:
    """Whether a provider's handle fits storage and a URL path: printable ASCII, and no dot segment."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= _LONGEST_REFERENCE
        and value.isascii()
        and value.isprintable()
        and value not in (".", "..")
    )


def equal(actual: str, expected: str) -> bool:
    """Compare in constant time. As bytes, because `compare_digest` takes text only if it is ASCII."""
    return hmac.compare_digest(actual.encode(errors="surrogatepass"), expected.encode())
