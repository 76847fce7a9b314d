"""One verification with the deployed functions' handlers. Reads their events from standard input."""

import json
import sys
from typing import Any

import request_otp.app
import verify_otp.app

EVENTS = json.load(sys.stdin)


class Context:
    """Lambda's context of an invocation."""

    aws_request_id = "11111111-2222-4333-8444-555555555555"

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        """The functions' timeout."""
        return 20_000


def request() -> str:
    """Request a code. Returns its verificationId."""
    answered = request_otp.app.lambda_handler(EVENTS["request"], Context())
    _require_200(answered)
    return str(json.loads(answered["body"])["verificationId"])


def verify(verification_id: str) -> None:
    """Verify the code."""
    body = json.dumps({"verificationId": verification_id, "otp": "123456"})
    verified = verify_otp.app.lambda_handler({**EVENTS["verify"], "body": body}, Context())
    _require_200(verified)


def _require_200(answer: dict[str, Any]) -> None:
    """Stop the measurement at a failed call."""
    if answer["statusCode"] != 200:
        raise SystemExit(str(answer))
