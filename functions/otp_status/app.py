"""POST /otp-status, and GET of a Verification in Twilio's API: the state of a verification."""

from typing import Any

from sms_otp.domain.commands import Caller
from sms_otp.entry_points import bootstrap, http, startup
from sms_otp.use_cases.status import Status


def lambda_handler(event: http.Event, context: Any) -> http.Response:
    """API Gateway's proxy event in, its proxy response out."""
    return http.handle(event, context, http.route_of(event, _ROUTES))


def _read(event: http.Event) -> str:
    return str(http.read_body(event, "OtpStatus")["verificationId"])


def _status(verification_id: str, caller: Caller) -> Status:
    return bootstrap.lifecycle().status(verification_id, caller)


def _write(status: Status) -> http.Body:
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


_ROUTES = {"/otp-status": http.Route(_read, _status, _write, http.by_api_key, http.OURS)}

startup.prepare(bootstrap.lifecycle, ("dynamodb",), schema="OtpStatus")
