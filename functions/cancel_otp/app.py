"""POST /cancel-otp and Twilio's Status=canceled: cancel a pending verification."""

from typing import Any

from sms_otp.domain.commands import Caller
from sms_otp.entry_points import bootstrap, http, startup


def lambda_handler(event: http.Event, context: Any) -> http.Response:
    """API Gateway's proxy event in, its proxy response out."""
    return http.handle(event, context, http.route_of(event, _ROUTES))


def _read(event: http.Event) -> str:
    return str(http.read_body(event, "CancelOtp")["verificationId"])


def _cancel(verification_id: str, caller: Caller) -> None:
    bootstrap.lifecycle().cancel(verification_id, caller)


def _write(_cancelled: None) -> http.Body:
    return {"success": True, "message": "The verification is cancelled."}


_ROUTES = {"/cancel-otp": http.Route(_read, _cancel, _write, http.by_api_key, http.OURS)}

startup.prepare(bootstrap.lifecycle, ("dynamodb",), schema="CancelOtp")
