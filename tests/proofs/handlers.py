"""Requests to the functions as API Gateway would pass them on, from one tenant or another."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import cancel_otp.app
import otp_status.app
import request_otp.app
import resend_otp.app
import verify_otp.app
from fakes.memory import FakeProvider, StepClock
from generators import events
from tests.functional.deployment import Context

HANDLERS: Mapping[str, Callable[[dict[str, Any], Any], dict[str, Any]]] = {
    "/request-otp": request_otp.app.lambda_handler,
    "/resend-otp": resend_otp.app.lambda_handler,
    "/verify-otp": verify_otp.app.lambda_handler,
    "/cancel-otp": cancel_otp.app.lambda_handler,
    "/otp-status": otp_status.app.lambda_handler,
}
OWNER, OTHER = "one-key-id", "another-key-id"


@dataclass(frozen=True)
class Functions:
    """The functions, with their provider, clock and unused numbers."""

    provider: FakeProvider
    clock: StepClock
    numbers: Iterator[str]

    def post(
        self, path: str, tenant: str = OWNER, **members: Any
    ) -> tuple[int, dict[str, str], dict[str, Any]]:
        """Status, headers, and the body without the request's own id."""
        event = events.build(path, body=json.dumps(members))
        event["requestContext"]["identity"]["apiKeyId"] = tenant
        answer = HANDLERS[path](event, Context())
        body = json.loads(answer["body"])
        body.pop("instance", None)
        return answer["statusCode"], answer["headers"], body

    def request(self, **members: Any) -> str:
        """Request a code for an unused number. Returns the verificationId."""
        status, _, body = self.post("/request-otp", phoneNumber=next(self.numbers), **members)
        assert status == 200, body
        verification_id: str = body["verificationId"]
        return verification_id
