"""GET /health/deep: whether everything that the service leans on answers."""

from typing import Any

from sms_otp import http, startup, wiring
from sms_otp.checkup import CHECK_SECONDS
from sms_otp.clock import Deadline
from sms_otp.commands import Caller
from sms_otp.config import settings


def lambda_handler(event: http.Event, context: Any) -> http.Response:
    """API Gateway's proxy event in, its proxy response out: 503 where the service is unhealthy."""
    return http.answer_health(event, context, settings, _check)


def _check(_event: http.Event, _caller: Caller) -> http.Body:
    report = wiring.checkup().run(Deadline(CHECK_SECONDS))
    return {
        "success": report.status != "unhealthy",
        "status": report.status,
        "table": report.table,
        "secret": report.secret,
        "providers": {
            name: {"status": found.status, "breaker": found.breaker}
            for name, found in report.providers.items()
        },
    }


startup.watcher()
