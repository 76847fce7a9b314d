"""Checks the signature of Sinch callbacks, and reads and answers their events."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sms_otp.adapters.providers import sinch_codes
from sms_otp.adapters.providers.outcomes import equal, word
from sms_otp.adapters.providers.sinch import decoded_secret, signature_of
from sms_otp.domain import errors
from sms_otp.domain.callbacks import CodeRequest, Credentials, Report, SendName, parse_reference
from sms_otp.domain.commands import Callback
from sms_otp.domain.provider import Misconfigured

CLOCK_WINDOW = 300
"""Seconds that a signature's time may differ from ours. Sinch documents no tolerance."""

# `2023-12-01T15:01:20.0406449Z`: always UTC, with up to seven digits after the seconds.
_TIMESTAMP = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.[0-9]{1,9})?Z")

_TAKES_CODE = ("sms", "callout")
"""Methods whose code the answer may choose (Sinch, "Verification Request Event"); not WhatsApp."""


class SinchCallbacks:
    """Implements `domain.callbacks.CallbackReader`."""

    def refusal(self, callback: Callback, credentials: Credentials, now: float) -> str | None:
        """Why a callback is not Sinch's, or None if it is: `Authorization: Application <key>:<signature>`.

        The signature is over the verb, the body's bytes, and Content-Type, time and path as they were sent
        (Sinch, "Callback request signing"). Raises `ServiceMisconfigured`.
        """
        scheme, _, value = callback.headers.get("authorization", "").partition(" ")
        key, _, signature = value.partition(":")
        if scheme.lower() != "application" or not signature:
            return "no signature"
        timestamp = callback.headers.get("x-timestamp", "")
        signed_at = _seconds(timestamp)
        if signed_at is None or abs(now - signed_at) > CLOCK_WINDOW:
            return "timestamp"
        try:
            own_key, secret = credentials["applicationKey"], decoded_secret(credentials["applicationSecret"])
        except (KeyError, Misconfigured):
            raise errors.ServiceMisconfigured(reason="secret field sinch") from None
        content_type = callback.headers.get("content-type", "")
        try:
            expected = signature_of(secret, "POST", callback.path, callback.body, content_type, timestamp)
        except UnicodeError:
            return "not text"
        # Always compare both, so that timing reveals neither.
        is_ours, is_signed = equal(key, own_key), equal(signature, expected)
        if not is_ours:
            return "key"
        return None if is_signed else "signature"

    def read(self, event: Mapping[str, Any]) -> Sequence[Report] | CodeRequest:
        """See `CallbackReader`. A report on an earlier code has another `id`."""
        match event.get("event"):
            case "VerificationRequestEvent":
                method = word(event.get("method"))
                return CodeRequest(
                    send=_send(event),
                    phone=_endpoint(event),
                    method=method,
                    takes_code=method in _TAKES_CODE,
                    callback_key=word(event.get("custom")),
                )
            case "VerificationSmsDeliveredEvent":
                return _reports(event, word(event.get("smsResult")))
            case "VerificationResultEvent":
                return _reports(event, word(event.get("status")))
        return ()

    def answer(self, request: CodeRequest, *, may_send: bool, code: str | None) -> dict[str, Any]:
        """See `CallbackReader`."""
        if not may_send:
            return {"action": "deny"}
        return {"action": "allow"} | ({request.method: {"code": code}} if code else {})


def _reports(event: Mapping[str, Any], result: str) -> Sequence[Report]:
    delivery, send = sinch_codes.delivery_of(result), _send(event)
    if delivery is None or send is None:
        return ()
    reason = word(event.get("reason"))
    reason = reason if reason in sinch_codes.REASON_NAMES else result
    return (Report(delivery, send.ref, reason, key=send.key),)


def _send(event: Mapping[str, Any]) -> SendName | None:
    named = parse_reference(word(event.get("reference")))
    return SendName(*named, word(event.get("id"))) if named else None


def _seconds(timestamp: str) -> float | None:
    found = _TIMESTAMP.fullmatch(timestamp)
    if found is None:
        return None
    try:
        return datetime.fromisoformat(found[1]).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def _endpoint(event: Mapping[str, Any]) -> str:
    """The number that Sinch is about to send to, in E.164."""
    identity = event.get("identity")
    return word(identity.get("endpoint")) if isinstance(identity, dict) else ""
