"""A stand-in for the service, for one number and one code: what a form's backend needs to be tried."""

from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

NUMBER = "+14155550123"
CODE = "482913"


def stand_in() -> Starlette:
    """Takes every request for a code, and verifies the one code."""
    return Starlette(routes=[Route("/{path:path}", _answer, methods=["POST"])])


async def _answer(request: Request) -> Response:
    body: dict[str, Any] = await request.json()
    if request.url.path == "/verify-otp":
        right = {"success": True, "phoneNumber": NUMBER, "deviceToken": "a-token"}
        wrong = {"status": 400, "errorCode": "OTP_INCORRECT", "attemptsRemaining": 4}
        return JSONResponse(right) if body["otp"] == CODE else JSONResponse(wrong, 400)
    return JSONResponse(
        {
            "success": True,
            "verificationId": "an-id",
            "channel": body.get("channel", "sms"),
            "expiresAt": (datetime.now(UTC) + timedelta(minutes=5)).isoformat(),
            "resendAfter": 0,
        }
    )
