"""GET /health/deep: whether every dependency of the service answers."""

import time
from typing import Any

from sms_otp.domain.clock import Deadline, seconds
from sms_otp.domain.commands import Caller
from sms_otp.entry_points import bootstrap, http, startup
from sms_otp.use_cases.health import CHECK_SECONDS, Report


def lambda_handler(event: http.Event, context: Any) -> http.Response:
    """API Gateway's proxy event in, its proxy response out: 503 where the service is unhealthy."""
    return http.handle(event, context, _ROUTE)


def _check(_command: None, _caller: Caller) -> Report:
    return bootstrap.health_check().run(Deadline(CHECK_SECONDS))


def _write(report: Report) -> http.Body:
    return {
        "success": report.status != "unhealthy",
        "status": report.status,
        "timestamp": http.iso(seconds(time.time)),
        "table": report.table,
        "secret": report.secret,
        "pepper": report.pepper,
        **({"tokens": report.tokens} if report.tokens else {}),
        "providers": {
            name: {"status": found.status, "breaker": found.breaker}
            for name, found in report.providers.items()
        },
        **({"reasons": report.reasons} if report.reasons else {}),
    }


_ROUTE = http.Route(http.no_body, _check, _write, http.by_api_key, http.HEALTH)

startup.prepare(bootstrap.health_check, ("dynamodb", "secretsmanager"))
