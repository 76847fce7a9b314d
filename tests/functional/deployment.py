"""The deployed functions in one process, for tests to call and inspect."""

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mypy_boto3_dynamodb import DynamoDBClient

import cancel_otp.app
import health.app
import otp_status.app
import request_otp.app
import resend_otp.app
import verify_otp.app
from fakes.memory import FakeProvider, StepClock
from generators import events
from tests.answers import undocumented

HANDLERS: dict[str, Callable[[dict[str, Any], Any], dict[str, Any]]] = {
    "request_otp": request_otp.app.lambda_handler,
    "resend_otp": resend_otp.app.lambda_handler,
    "verify_otp": verify_otp.app.lambda_handler,
    "cancel_otp": cancel_otp.app.lambda_handler,
    "otp_status": otp_status.app.lambda_handler,
    "health": health.app.lambda_handler,
}
PATHS = {name: f"/{name.replace('_', '-')}" for name in HANDLERS}

PROBLEM_MEMBERS = {"type", "title", "status", "detail", "instance", "success", "errorCode"}
EXTRA_MEMBERS = {"attemptsRemaining", "retryAfter", "errors"}
MUST_WAIT = (429, 503)
"""The statuses whose answers carry Retry-After."""


class Context:
    """The Lambda context of an invocation."""

    aws_request_id = "11111111-2222-4333-8444-555555555555"

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        """The functions' whole timeout."""
        return 20_000


@dataclass(frozen=True)
class Answer:
    """A function's answer to API Gateway."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def body(self) -> dict[str, Any]:
        """The parsed JSON object."""
        body = json.loads(self.text)
        assert isinstance(body, dict)
        return body

    @property
    def outcome(self) -> str:
        """`ok` or the errorCode."""
        return "ok" if self.body["success"] else str(self.body["errorCode"])


@dataclass(frozen=True)
class Deployment:
    """The real functions and bootstrap over an emulated table and secrets. No provider is called."""

    dynamodb: DynamoDBClient
    table: str
    provider: FakeProvider
    clock: StepClock
    log: io.StringIO

    def call(self, function: str, event: dict[str, Any]) -> Answer:
        """Pass one event to a function's handler. The shape of every answer is checked."""
        answered = HANDLERS[function](event, Context())
        answer = Answer(answered["statusCode"], answered["headers"], answered["body"])
        check(answer, "public, max-age=5" if function == "health" else "no-store")
        # Fuzzing also sends resources of other functions, and resources that do not exist.
        if answer.status == 200 and event["resource"] == PATHS[function]:
            assert undocumented(event["resource"], 200, answer.body) == []
        return answer

    def post(self, function: str, **members: Any) -> Answer:
        """Post a JSON body with these members to a function's handler."""
        return self.call(function, events.build(PATHS[function], body=json.dumps(members)))

    def items(self) -> list[dict[str, Any]]:
        """All items of the table."""
        page = self.dynamodb.scan(TableName=self.table)
        assert "LastEvaluatedKey" not in page
        return page["Items"]

    def untouched(self) -> bool:
        """Whether nothing was stored, sent or checked."""
        return not (self.items() or self.provider.sent or self.provider.checked)

    def empty(self) -> None:
        """Forget everything that was stored, sent, checked and logged."""
        for item in self.items():
            self.dynamodb.delete_item(TableName=self.table, Key={"pk": item["pk"]})
        self.provider.sent.clear()
        self.provider.checked.clear()
        self.log.seek(0)
        self.log.truncate()

    def lines(self) -> list[str]:
        """The log, line by line."""
        return self.log.getvalue().splitlines()


def check(answer: Answer, caching: str = "no-store") -> None:
    """Check the headers and shape of an answer: caching, no sniffing, errors as problem documents."""
    body, headers = answer.body, answer.headers
    assert headers["Cache-Control"] == caching
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert all(value.isprintable() for value in headers.values())
    assert ("Retry-After" in headers) is (answer.status in MUST_WAIT)
    if answer.status == 200:
        assert headers["Content-Type"] == "application/json; charset=utf-8"
        assert body["success"] is True
        return
    assert headers["Content-Type"] == "application/problem+json; charset=utf-8"
    assert set(body) >= PROBLEM_MEMBERS
    assert set(body) <= PROBLEM_MEMBERS | EXTRA_MEMBERS
    assert body["success"] is False
    assert body["status"] == answer.status
    if answer.outcome != "OTP_INCORRECT":  # it carries retryAfter when the next guess must wait
        assert ("retryAfter" in body) is (answer.status in MUST_WAIT)
    if answer.status in MUST_WAIT:
        assert headers["Retry-After"] == str(body["retryAfter"])
        assert body["retryAfter"] >= 1
