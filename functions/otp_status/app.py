"""POST /otp-status: how does a verification stand?"""

from typing import Any

from sms_otp.adapters.config import settings
from sms_otp.domain.commands import Caller
from sms_otp.entry_points import bootstrap, http, startup


def lambda_handler(event: http.Event, context: Any) -> dict[str, Any]:
    """API Gateway's proxy event in, its proxy response out."""
    return http.answer(event, context, settings, _status)


def _status(event: http.Event, caller: Caller) -> http.Body:
    body = http.read_body(event, "OtpStatus")
    status = bootstrap.lifecycle().status(body["verificationId"], caller)
    return {
        "success": True,
        "message": f"The verification is {status.status}.",
        "status": status.status,
        "channel": status.channel,
        "delivery": status.delivery,
        "attemptsRemaining": status.attempts_remaining,
        "expiresAt": http.iso(status.expires_at),
        "resendAfter": status.resend_after,
    }


startup.keeper("OtpStatus")
