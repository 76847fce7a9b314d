"""POST /request-otp and CAMARA's /one-time-password-sms/v1/send-code: send a code to a phone."""

from collections.abc import Mapping
from typing import Any

from sms_otp.domain.commands import Caller, Requested, RequestOtp, language_tag
from sms_otp.domain.provider import Channel
from sms_otp.domain.users import Consent
from sms_otp.entry_points import bootstrap, camara, http, startup
from sms_otp.use_cases.request import request_code


def lambda_handler(event: http.Event, context: Any) -> dict[str, Any]:
    """API Gateway's proxy event in, its proxy response out."""
    return http.handle(event, context, http.route_of(event, _ROUTES))


def _request(command: RequestOtp, caller: Caller) -> Requested:
    return request_code(bootstrap.service(), command, caller)


def _read(event: http.Event) -> RequestOtp:
    body = http.read_body(event, "RequestOtp")
    return RequestOtp(
        phone_number=body["phoneNumber"],
        channel=Channel(body.get("channel", Channel.SMS)),
        locale=language_tag(body["locale"]) if "locale" in body else None,
        purpose=body.get("purpose"),
        session_id=body.get("sessionId"),
        client_ip=body.get("clientIp"),
        consent=_consent(body),
        idempotency_key=http.idempotency_key(event),
        device_token=body.get("deviceToken"),
        is_challenged=body.get("challenged", False),
        app_hash=body.get("appHash"),
    )


def _consent(body: http.Body) -> Consent | None:
    consent = body.get("consent")
    return Consent(consent["textVersion"], consent["source"]) if consent else None


_ROUTES: Mapping[str, http.Route[RequestOtp, Caller, Requested]] = {
    "/request-otp": http.Route(_read, _request, http.requested, http.by_api_key, http.OURS),
    **camara.request_routes(_request),
}


startup.prepare(
    bootstrap.service, ("dynamodb", "secretsmanager"), schema="RequestOtp", providers=True, numbers=True
)
