"""Faults of DynamoDB, and the calls of a request or a guess in which they occur."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
)

from tests.functional.faults.world import AwsFault, aws_answer, aws_error

NO_CONNECTION = EndpointConnectionError(endpoint_url="https://dynamodb.invalid")
NO_ANSWER = ReadTimeoutError(endpoint_url="https://dynamodb.invalid")
CONFLICT = aws_error("TransactionCanceledException", CancellationReasons=[{"Code": "TransactionConflict"}])

REFUSALS: dict[str, Callable[[str], Any] | BaseException] = {
    "the table's throughput is exceeded": aws_error("ProvisionedThroughputExceededException"),
    "throttled": aws_error("ThrottlingException"),
    "the account's limit is reached": aws_error("RequestLimitExceeded"),
    "internal error": aws_error("InternalServerError", 500),
    "service unavailable": aws_error("ServiceUnavailable", 503),
    "the item collection is too large": aws_error("ItemCollectionSizeLimitExceededException"),
    "access denied": aws_error("AccessDeniedException"),
    "the key may not be used": aws_error("KMSAccessDeniedException"),
    "no such table": aws_error("ResourceNotFoundException"),
    "invalid parameters": aws_error("ValidationException"),
    "expired credentials": aws_error("ExpiredTokenException"),
    "unknown credentials": aws_error("UnrecognizedClientException"),
    "a transaction with this token runs": aws_error("TransactionInProgressException"),
    "cancelled for its throughput": aws_error(
        "TransactionCanceledException", CancellationReasons=[{"Code": "ThrottlingError"}]
    ),
    "cancelled, without a reason": aws_error("TransactionCanceledException"),
    "an error without a code": aws_answer(400, {}),
    "HTML of a gateway": aws_answer(502, b"<html>Bad Gateway"),
    "connection refused": NO_CONNECTION,
    "connection too slow": ConnectTimeoutError(endpoint_url="https://dynamodb.invalid"),
    "connection closed": ConnectionClosedError(endpoint_url="https://dynamodb.invalid"),
    "no answer, and nothing done": NO_ANSWER,
}
"""AWS does nothing, in every try of the SDK."""


@dataclass(frozen=True)
class Step:
    """The call that fails: its operation, and its position among the request's calls of that operation."""

    operation: str
    first: int = 1
    calls: int = 1

    def fails(self, kind: str) -> AwsFault:
        """AWS refuses it every time it is tried."""
        return AwsFault(self.operation, REFUSALS[kind], self.first, self.calls)


READ, RESERVE, RECORD = Step("BatchGetItem"), Step("TransactWriteItems"), Step("TransactWriteItems", 2)
GUESS, NUMBERS_GUESS, CONSUME = Step("UpdateItem"), Step("UpdateItem", 2), Step("TransactWriteItems")
NEVER_CONSUMED = Step("TransactWriteItems", calls=2)
"""Both tries to store a success."""
