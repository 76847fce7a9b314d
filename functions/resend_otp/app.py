"""POST /resend-otp: send a pending verification's code again."""

from typing import Any

from sms_otp.domain.commands import Caller, Requested, ResendOtp
from sms_otp.domain.provider import Channel
from sms_otp.entry_points import bootstrap, http, startup
from sms_otp.use_cases.resend import resend_code


def lambda_handler(event: http.Event, context: Any) -> http.Response:
    """API Gateway's proxy event in, its proxy response out."""
    return http.handle(event, context, _ROUTE)


def _read(event: http.Event) -> ResendOtp:
    body = http.read_body(event, "ResendOtp")
    return ResendOtp(
        verification_id=body["verificationId"],
        channel=Channel(body["channel"]) if "channel" in body else None,
        session_id=body.get("sessionId"),
        idempotency_key=http.idempotency_key(event),
        device_token=body.get("deviceToken"),
        is_challenged=body.get("challenged", False),
    )


def _resend(command: ResendOtp, caller: Caller) -> Requested:
    return resend_code(bootstrap.service(), command, caller)


_ROUTE = http.Route(_read, _resend, http.requested, http.by_api_key, http.OURS)

startup.prepare(
    bootstrap.service, ("dynamodb", "secretsmanager"), schema="ResendOtp", providers=True, numbers=True
)
