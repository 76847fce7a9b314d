"""POST /webhooks/sinch and /webhooks/infobip: what a provider asks and tells."""

from typing import Any

from sms_otp import http, startup, wiring
from sms_otp.commands import Callback


def lambda_handler(event: http.Event, context: Any) -> dict[str, Any]:
    """API Gateway's proxy event in, its proxy response out."""
    return http.answer_webhook(event, context, _receive)


def _receive(callback: Callback) -> http.Body:
    return wiring.webhooks().receive(callback)


startup.listener()
