"""Infobip callbacks: delivery reports of SMS, version 3."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from sms_otp.adapters.providers import infobip_codes
from sms_otp.adapters.providers.outcomes import equal, is_reference, word
from sms_otp.domain.callbacks import CodeRequest, Credentials, Report
from sms_otp.domain.commands import Callback
from sms_otp.domain.phone import E164


class InfobipCallbacks:
    """Implements `domain.callbacks.CallbackReader`."""

    def refusal(self, callback: Callback, credentials: Credentials, now: float) -> str | None:
        """See `CallbackReader`: HTTP Basic, the only scheme that Infobip fully documents.

        Its subscriptions can also sign (HMAC), but neither the header nor its format is documented.
        """
        del now
        user, password = credentials.get("webhookUser"), credentials.get("webhookPassword")
        if not user or not password:
            return "not configured"
        scheme, _, value = callback.headers.get("authorization", "").partition(" ")
        pair = base64.b64encode(f"{user}:{password}".encode()).decode()
        return None if scheme.lower() == "basic" and equal(value, pair) else "password"

    def read(self, event: Mapping[str, Any]) -> Sequence[Report] | CodeRequest:
        """Read `{"results": [{"messageId", "to", "status": {"id", "groupId"}, …}, …]}`. `to` is in digits."""
        results = event.get("results")
        found = []
        for result in results if isinstance(results, list) else ():
            status = result.get("status") if isinstance(result, dict) else None
            code = infobip_codes.reported(status) if isinstance(status, dict) else None
            if not code or not is_reference(result.get("messageId")):
                continue
            phone = f"+{word(result.get('to'))}"
            if E164.fullmatch(phone):
                found.append(Report(code.delivery, result["messageId"], code.name or None, phone=phone))
        return found

    def answer(self, request: CodeRequest, *, may_send: bool, code: str | None) -> dict[str, Any]:
        """Never called: Infobip sends no `CodeRequest`."""
        raise NotImplementedError
