"""POST /request-otp: a code is sent to a phone."""

from typing import Any

from sms_otp.adapters.config import settings
from sms_otp.domain.commands import Caller, RequestOtp
from sms_otp.domain.provider import Channel
from sms_otp.domain.users import Consent
from sms_otp.entry_points import bootstrap, http, startup
from sms_otp.use_cases.request import request_code


def lambda_handler(event: http.Event, context: Any) -> dict[str, Any]:
    """API Gateway's proxy event in, its proxy response out."""
    return http.answer(event, context, settings, _request)


def _request(event: http.Event, caller: Caller) -> http.Body:
    body = http.read_body(event, "RequestOtp")
    command = RequestOtp(
        phone_number=body["phoneNumber"],
        channel=Channel(body.get("channel", Channel.SMS)),
        locale=body.get("locale"),
        purpose=body.get("purpose"),
        session_id=body.get("sessionId"),
        client_ip=body.get("clientIp"),
        consent=_consent(body),
        idempotency_key=http.idempotency_key(event),
    )
    return http.requested(request_code(bootstrap.service(), command, caller))


def _consent(body: http.Body) -> Consent | None:
    given = body.get("consent")
    return Consent(given["textVersion"], given["source"]) if given else None


startup.sender("RequestOtp")
