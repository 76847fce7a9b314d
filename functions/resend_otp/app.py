"""POST /resend-otp: the code has not arrived; send it again."""

from typing import Any

from sms_otp.adapters.config import settings
from sms_otp.domain.commands import Caller, ResendOtp
from sms_otp.domain.provider import Channel
from sms_otp.entry_points import bootstrap, http, startup
from sms_otp.use_cases.resend import resend_code


def lambda_handler(event: http.Event, context: Any) -> dict[str, Any]:
    """API Gateway's proxy event in, its proxy response out."""
    return http.answer(event, context, settings, _resend)


def _resend(event: http.Event, caller: Caller) -> http.Body:
    body = http.read_body(event, "ResendOtp")
    command = ResendOtp(
        verification_id=body["verificationId"],
        channel=Channel(body["channel"]) if "channel" in body else None,
        session_id=body.get("sessionId"),
        idempotency_key=http.idempotency_key(event),
        device_token=body.get("deviceToken"),
        is_challenged=body.get("challenged", False),
    )
    return http.requested(resend_code(bootstrap.service(), command, caller))


startup.sender("ResendOtp")
