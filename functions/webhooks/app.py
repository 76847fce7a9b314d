"""POST /webhooks/sinch and /webhooks/infobip: what a provider asks and tells."""

from typing import Any

from sms_otp.domain.commands import Callback
from sms_otp.entry_points import bootstrap, http, startup


def lambda_handler(event: http.Event, context: Any) -> dict[str, Any]:
    """API Gateway's proxy event in, its proxy response out."""
    return http.answer_webhook(event, context, _receive)


def _receive(callback: Callback) -> http.Body:
    return bootstrap.webhooks().receive(callback)


startup.listener()
