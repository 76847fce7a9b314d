"""GET /health: whether the service answers. Public, so it reveals and reads nothing else."""

import time
from typing import Any

FRESH_SECONDS = 5
"""How long the answer may be cached: it is equal for all callers and has no personal data."""


def lambda_handler(_event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """API Gateway's proxy event in, its proxy response out."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return {
        "statusCode": 200,
        "headers": {
            "Content-Type": "application/json; charset=utf-8",
            "Cache-Control": f"public, max-age={FRESH_SECONDS}",
            "X-Content-Type-Options": "nosniff",
        },
        "body": f'{{"success":true,"status":"healthy","timestamp":"{now}"}}',
    }
