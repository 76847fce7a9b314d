"""POST /one-time-password-sms/v1/send-code: a code is sent to a phone, in CAMARA's words."""

from typing import Any

from sms_otp.adapters.config import settings
from sms_otp.domain.commands import Caller, RequestOtp
from sms_otp.entry_points import bootstrap, camara, http, startup
from sms_otp.use_cases.request import request_code


def lambda_handler(event: http.Event, context: Any) -> dict[str, Any]:
    """API Gateway's proxy event in, its proxy response out."""
    return camara.answer(event, context, settings, _send)


def _send(event: http.Event, caller: Caller) -> http.Body:
    # `message` is asked for by the standard and goes nowhere: what is sent is the deployment's own text.
    body = http.read_body(event, "SendCode")
    requested = request_code(bootstrap.service(), RequestOtp(phone_number=body["phoneNumber"]), caller)
    return {"authenticationId": requested.verification_id}


startup.sender("SendCode")
