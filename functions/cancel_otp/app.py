"""POST /cancel-otp: the code is not wanted any more."""

from typing import Any

from sms_otp.adapters.config import settings
from sms_otp.domain.commands import Caller
from sms_otp.entry_points import bootstrap, http, startup


def lambda_handler(event: http.Event, context: Any) -> dict[str, Any]:
    """API Gateway's proxy event in, its proxy response out."""
    return http.answer(event, context, settings, _cancel)


def _cancel(event: http.Event, caller: Caller) -> http.Body:
    body = http.read_body(event, "CancelOtp")
    bootstrap.lifecycle().cancel(body["verificationId"], caller)
    return {"success": True, "message": "The verification is cancelled."}


startup.keeper("CancelOtp")
