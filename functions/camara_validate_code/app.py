"""POST /one-time-password-sms/v1/validate-code: is the code the one that was sent? In CAMARA's words."""

from typing import Any

from sms_otp.adapters.config import settings
from sms_otp.domain.commands import Caller, VerifyOtp
from sms_otp.entry_points import bootstrap, camara, http, startup
from sms_otp.use_cases.verify import verify_code


def lambda_handler(event: http.Event, context: Any) -> dict[str, Any]:
    """API Gateway's proxy event in, its proxy response out."""
    return camara.answer(event, context, settings, _validate)


def _validate(event: http.Event, caller: Caller) -> http.Body:
    body = http.read_body(event, "ValidateCode")
    command = VerifyOtp(body["authenticationId"], body["code"], with_token=False)
    verify_code(bootstrap.service(), command, caller)
    return {}


startup.checker("ValidateCode")
