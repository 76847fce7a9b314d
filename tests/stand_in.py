"""A stand-in for the service, for one number and one code: enough to try the backend of a form."""

from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

NUMBER = "+14155550123"
CODE = "482913"


def stand_in(*, is_wary: bool = False) -> Starlette:
    """Accepts every request for a code, or with `is_wary` only challenged ones, and verifies the one code."""

    async def answer(request: Request) -> Response:
        body: dict[str, Any] = await request.json()
        if is_wary and request.url.path != "/verify-otp" and body.get("challenged") is not True:
            return JSONResponse({"status": 403, "errorCode": "CHALLENGE_REQUIRED"}, 403)
        return _answer(request.url.path, body)

    return Starlette(routes=[Route("/{path:path}", answer, methods=["POST"])])


def _answer(path: str, body: dict[str, Any]) -> Response:
    if path == "/verify-otp":
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
