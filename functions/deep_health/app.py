"""GET /health/deep: whether everything that the service leans on answers."""

from typing import Any

from sms_otp.adapters.config import settings
from sms_otp.domain.clock import Deadline
from sms_otp.domain.commands import Caller
from sms_otp.entry_points import bootstrap, http, startup
from sms_otp.use_cases.health import CHECK_SECONDS


def lambda_handler(event: http.Event, context: Any) -> http.Response:
    """API Gateway's proxy event in, its proxy response out: 503 where the service is unhealthy."""
    return http.answer_health(event, context, settings, _check)


def _check(_event: http.Event, _caller: Caller) -> http.Body:
    report = bootstrap.health_check().run(Deadline(CHECK_SECONDS))
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
