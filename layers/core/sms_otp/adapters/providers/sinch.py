"""Sinch Verification, version 1. Sinch delivers and checks the code, identified by its `id`.

It makes the code too, unless the callback answers with one; see `use_cases.webhooks`.
"""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import quote, unquote, urlsplit

from sms_otp.adapters.providers import codes, outcomes, sinch_codes
from sms_otp.adapters.providers.outcomes import word
from sms_otp.adapters.providers.transport import HttpResponse, Transport
from sms_otp.domain.clock import Clock, Deadline
from sms_otp.domain.provider import (
    Ambiguous,
    Channel,
    Check,
    CodeMessage,
    Doubtful,
    Misconfigured,
    ProviderError,
    Refused,
    Sent,
)

Authorize = Callable[[str, str, bytes], Mapping[str, str]]
"""Makes the authorization headers for (method, path, body); an empty body is signed without a type."""

_CONTENT_TYPE = "application/json"
_PATH = "/verification/v1/verifications"
_PROBE_REFERENCE = "sms-otp-probe"
"""A reference that no start has: ours begin with 64 hex digits."""
_NO_HEADERS: Mapping[str, str] = {}

# A method's name on the wire, which is also the name of a report's field.
_METHODS: Mapping[Channel, str] = {
    Channel.SMS: "sms",
    Channel.VOICE: "callout",
    Channel.WHATSAPP: "whatsapp",
}

# Sinch codes that say more about a report than the HTTP status that they begin with.
_REPORT_CODES = ("40300", "42201", "50301")

_VERDICTS: Mapping[str, Check] = {
    "SUCCESSFUL": Check.CORRECT,
    "FAIL": Check.WRONG,
    # Ended by Sinch, by a newer verification of the number, or by the network: no code is correct any more.
    "DENIED": Check.UNKNOWN,
    "ABORTED": Check.UNKNOWN,
    "ERROR": Check.UNKNOWN,
}


class Sinch:
    """`authorize` comes from `signed` or `basic`, `base_url` from `hosts`."""

    name: ClassVar[str] = "sinch"

    def __init__(self, base_url: str, authorize: Authorize, transport: Transport) -> None:
        self._url = base_url + _PATH
        self._authorize = authorize
        self._transport = transport

    def send(self, message: CodeMessage, deadline: Deadline) -> Sent:
        """`POST /verification/v1/verifications`. Raises a `ProviderError`.

        If it is unknown whether the start arrived, looks up the reference at Sinch, once and by the same
        deadline. A start is never repeated; if it were, Sinch would refuse a reference that it knows (409).
        """
        body: dict[str, object] = {
            "identity": {"type": "number", "endpoint": message.to.e164},
            "method": _METHODS[message.channel],
            "reference": message.reference,
        }
        if message.callback_key:
            # Sinch repeats it in its request for a code: see `CodeRequest`.
            body["custom"] = message.callback_key
        if message.channel is Channel.SMS:
            expiry = time.strftime("%H:%M:%S", time.gmtime(message.ttl_seconds))
            body["smsOptions"] = {"expiry": expiry, "codeType": "Numeric"}
        elif message.channel is Channel.WHATSAPP:
            # Sinch sets the code's lifetime, and no callback may choose the code.
            body["whatsappOptions"] = {"codeType": "Numeric"}
        elif message.locale:
            body["calloutOptions"] = {"speech": {"locale": message.locale}}
        language = {"Accept-Language": message.locale} if message.locale else {}
        try:
            return self._start(body, language, deadline)
        except (Ambiguous, Doubtful):
            found = self._started(message.reference, deadline)
            if found is None:
                raise
            return found

    def resend(
        self,
        ref: str,  # noqa: ARG002 - of the port; the new start ends the number's pending verification
        message: CodeMessage,
        deadline: Deadline,
    ) -> Sent:
        """Start anew: Sinch has no resend. The callback may choose the same code; see `CodeRequest`."""
        return self.send(message, deadline)

    def check(self, ref: str, otp: str, *, channel: Channel, deadline: Deadline) -> Check:
        """`PUT /verification/v1/verifications/id/{id}`. Raises a `ProviderError`."""
        method = _METHODS[channel]
        url = f"{self._url}/id/{quote(ref, safe='')}"
        body = {"method": method, method: {"code": otp}}
        answer = self._ask("PUT", url, deadline, body)
        if answer.ok:
            return self._verdict(ref, outcomes.content(self.name, answer))
        if answer.status == 404:
            return Check.UNKNOWN
        if _error_code(answer) == "40003":
            return Check.WRONG
        raise self._failure(answer, _REPORT_CODES)

    def probe(self, deadline: Deadline) -> None:
        """`GET …/reference/{reference}` of an unknown verification: 40400 if our credentials are right."""
        answer = self._ask("GET", f"{self._url}/reference/{_PROBE_REFERENCE}", deadline)
        if answer.ok:
            outcomes.content(self.name, answer)
        elif _error_code(answer) != "40400":
            raise self._failure(answer, _REPORT_CODES)

    def _start(self, body: Mapping[str, object], language: Mapping[str, str], deadline: Deadline) -> Sent:
        answer = self._ask("POST", self._url, deadline, body, language)
        if not answer.ok:
            raise self._failure(answer)
        ref = outcomes.content(self.name, answer).get("id")
        if not outcomes.is_reference(ref):
            raise Ambiguous(self.name, "no_id")
        return Sent(ref)

    def _started(self, reference: str, deadline: Deadline) -> Sent | None:
        """`GET …/reference/{reference}`: the pending start with this reference, or None.

        None is no proof that no code comes: the start may still be on its way.
        """
        try:
            answer = self._ask("GET", f"{self._url}/reference/{quote(reference, safe='')}", deadline)
            content = outcomes.content(self.name, answer) if answer.ok else {}
        except ProviderError:
            return None
        ref = content.get("id")
        is_ours = content.get("reference") == reference and content.get("status") == "PENDING"
        return Sent(ref) if is_ours and outcomes.is_reference(ref) else None

    def _verdict(self, ref: str, content: dict[str, Any]) -> Check:
        """Read a check's result. Raises `Ambiguous` for a status that is not final."""
        if content.get("id") != ref:
            raise Ambiguous(self.name, "other_id")
        verdict = _VERDICTS.get(word(content.get("status")))
        if verdict is None:
            raise Ambiguous(self.name, "no_verdict")
        if verdict is Check.WRONG and content.get("reason") == "Expired":
            return Check.EXPIRED
        return verdict

    def _ask(
        self,
        method: str,
        url: str,
        deadline: Deadline,
        body: Mapping[str, object] | None = None,
        headers: Mapping[str, str] = _NO_HEADERS,
    ) -> HttpResponse:
        content = b"" if body is None else json.dumps(body).encode()
        content_type = {"Content-Type": _CONTENT_TYPE} if content else {}
        # The signature covers the decoded path (Sinch's Java SDK) and the exact bytes sent.
        authorization = self._authorize(method, unquote(urlsplit(url).path), content)
        return outcomes.ask(
            self.name,
            self._transport,
            method,
            url,
            headers={**content_type, **authorization, **headers},
            body=content,
            deadline=deadline,
        )

    def _failure(self, answer: HttpResponse, among: Collection[str] | None = None) -> ProviderError:
        """The error by Sinch's code, if it is `among` those that say more than the status; None is all."""
        code = _error_code(answer)
        row = sinch_codes.failed(code) if among is None or code in among else None
        kind = Refused if _is_denied(answer) else codes.error_of(row)
        return outcomes.failure(self.name, answer, code=code, kind=kind)


def signed(key: str, secret: str, clock: Clock) -> Authorize:
    """Sign requests with the application secret, the scheme that Sinch advises for production.

    Raises `Misconfigured` if `secret` is not base64.
    """
    secret_bytes = decoded_secret(secret)

    def authorize(method: str, path: str, body: bytes) -> Mapping[str, str]:
        timestamp = datetime.fromtimestamp(clock(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        content_type = _CONTENT_TYPE if body else ""
        signature = signature_of(secret_bytes, method, path, body, content_type, timestamp)
        return {"Authorization": f"Application {key}:{signature}", "x-timestamp": timestamp}

    return authorize


def basic(key: str, secret: str) -> Authorize:
    """HTTP Basic, which Sinch advises for prototypes. The secret is used as shown, not decoded."""
    credentials = base64.b64encode(f"{key}:{secret}".encode()).decode()
    return lambda _method, _path, _body: {"Authorization": f"Basic {credentials}"}


def signature_of(
    secret: bytes, method: str, path: str, body: bytes, content_type: str, timestamp: str
) -> str:
    """Sign our request, or compute the expected signature of a Sinch callback.

    `path` is decoded and without query; `content_type` and `timestamp` exactly as in the headers.
    """
    # MD5 is Sinch's choice of digest; the HMAC around it is what protects.
    digest = hashlib.md5(body, usedforsecurity=False).digest() if body else b""
    lines = (method, base64.b64encode(digest).decode(), content_type, f"x-timestamp:{timestamp}", path)
    signature = hmac.new(secret, "\n".join(lines).encode(), hashlib.sha256).digest()
    return base64.b64encode(signature).decode()


def decoded_secret(secret: str) -> bytes:
    """Decode an application secret. Some come without their base64 padding. Raises `Misconfigured`."""
    try:
        return base64.b64decode(secret + "=" * (-len(secret) % 4), validate=True)
    except ValueError:
        raise Misconfigured("sinch", "secret field sinch.applicationSecret") from None


def _error_code(answer: HttpResponse) -> str | None:
    """Sinch's five-digit code, which begins with the status. A number or, by its schema, a string."""
    code = outcomes.error_content(answer).get("errorCode")
    text = str(code) if type(code) is int else word(code)
    is_code = len(text) == 5 and text.isascii() and text.isdigit() and text.startswith(str(answer.status))
    return text if is_code else None


def _is_denied(answer: HttpResponse) -> bool:
    """Whether the callback denied the number; 40303 also stands for a missing setting."""
    return answer.status == 403 and "denied" in word(outcomes.error_content(answer).get("message")).lower()
