"""POST /verify-otp: is the code that the user typed the one that was sent?"""

from typing import Any

from sms_otp.adapters.config import settings
from sms_otp.domain.commands import Caller, VerifyOtp
from sms_otp.entry_points import bootstrap, http, startup
from sms_otp.use_cases.verify import verify_code


def lambda_handler(event: http.Event, context: Any) -> dict[str, Any]:
    """API Gateway's proxy event in, its proxy response out."""
    return http.answer(event, context, settings, _verify)


def _verify(event: http.Event, caller: Caller) -> http.Body:
    body = http.read_body(event, "VerifyOtp")
    command = VerifyOtp(
        verification_id=body.get("verificationId"),
        otp=body["otp"],
        phone_number=body.get("phoneNumber"),
        session_id=body.get("sessionId"),
    )
    verified = verify_code(bootstrap.service(), command, caller)
    failed = " A verificationToken could not be made." if verified.token_failed else ""
    answer = {
        "success": True,
        "message": f"The code is right.{failed}",
        "verificationId": verified.verification_id,
        "phoneNumber": verified.phone_number,
        "purpose": verified.purpose,
        "verifiedAt": http.iso(verified.verified_at),
        "verificationToken": verified.token,
    }
    return {name: value for name, value in answer.items() if value is not None}


startup.checker("VerifyOtp")
