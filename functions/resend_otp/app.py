"""POST /resend-otp: the code has not arrived; send it again."""

from typing import Any

from sms_otp import http, startup, wiring
from sms_otp.commands import Caller, ResendOtp
from sms_otp.config import settings
from sms_otp.providers.base import Channel


def lambda_handler(event: http.Event, context: Any) -> dict[str, Any]:
    """API Gateway's proxy event in, its proxy response out."""
    return http.answer(event, context, settings, _resend)


def _resend(event: http.Event, caller: Caller) -> http.Body:
    body = http.read_body(event, "ResendOtp")
    asked = ResendOtp(
        verification_id=body["verificationId"],
        channel=Channel(body["channel"]) if "channel" in body else None,
        session_id=body.get("sessionId"),
    )
    return http.requested(wiring.service().resend(asked, caller))


startup.sender("ResendOtp")
