"""POST /webhooks/sinch and /webhooks/infobip: the providers' callbacks."""

from typing import Any

from sms_otp.domain.commands import Callback
from sms_otp.entry_points import bootstrap, http, startup


def lambda_handler(event: http.Event, context: Any) -> http.Response:
    """API Gateway's proxy event in, its proxy response out."""
    return http.handle(event, context, _ROUTE)


def _receive(callback: Callback, _caller: None) -> http.Body:
    return bootstrap.webhooks().receive(callback)


_ROUTE = http.Route(http.callback, _receive, http.same, http.public, http.OURS)

startup.prepare(bootstrap.webhooks, ("dynamodb", "secretsmanager"))
