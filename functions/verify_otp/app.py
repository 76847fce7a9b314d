"""POST /verify-otp and CAMARA's /one-time-password-sms/v1/validate-code: check the code that a user typed."""

from collections.abc import Mapping
from typing import Any

from sms_otp.domain.commands import Caller, Verified, VerifyOtp
from sms_otp.entry_points import bootstrap, camara, http, startup
from sms_otp.use_cases.verify import verify_code


def lambda_handler(event: http.Event, context: Any) -> dict[str, Any]:
    """API Gateway's proxy event in, its proxy response out."""
    return http.handle(event, context, http.route_of(event, _ROUTES))


def _verify(command: VerifyOtp, caller: Caller) -> Verified:
    return verify_code(bootstrap.service(), command, caller)


def _read(event: http.Event) -> VerifyOtp:
    body = http.read_body(event, "VerifyOtp")
    return VerifyOtp(
        verification_id=body.get("verificationId"),
        otp=body["otp"],
        phone_number=body.get("phoneNumber"),
        session_id=body.get("sessionId"),
        idempotency_key=http.idempotency_key(event),
        device_token=body.get("deviceToken"),
    )


def _write(verified: Verified) -> http.Body:
    failed = " A verificationToken could not be made." if verified.token_failed else ""
    answer = {
        "success": True,
        "message": f"The code is right.{failed}",
        "verificationId": verified.verification_id,
        "phoneNumber": verified.phone_number,
        "purpose": verified.purpose,
        "verifiedAt": http.iso(verified.verified_at),
        "verificationToken": verified.token,
        "deviceToken": verified.device_token,
    }
    return {name: value for name, value in answer.items() if value is not None}


_ROUTES: Mapping[str, http.Route[VerifyOtp, Caller, Verified]] = {
    "/verify-otp": http.Route(_read, _verify, _write, http.by_api_key, http.OURS),
    **camara.verify_routes(_verify),
}


startup.prepare(bootstrap.service, ("dynamodb", "secretsmanager"), schema="VerifyOtp", providers=True)
