"""AWS in this process: MiniStack's DynamoDB and Secrets Manager, called without its server in between.

For tests of one request at a time, which it answers in a third of a server's or of moto's time. Races
are run against the server: see `tests.races.servers`.
"""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from sms_otp.adapters.aws import clients

REGION = "eu-west-1"


class _Raw(io.BytesIO):
    """The body of an answer, as botocore reads it."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


@contextmanager
def emulated_aws() -> Iterator[boto3.session.Session]:
    """boto3's default session and the deployment's, which are one: their clients find an empty account."""
    for service in _services().values():
        service.reset()
    session = boto3.DEFAULT_SESSION = new_session()
    session.events.register("before-send", _before_send)  # type: ignore[arg-type] # a handler may answer
    yield session
    boto3.DEFAULT_SESSION = None
    clients.session.cache_clear()


def new_session() -> boto3.session.Session:
    """A session without an emulator yet; the deployment's code uses it from now on."""
    clients.session.cache_clear()
    made = clients.session()
    made._session.set_credentials("testing", "testing")
    return boto3.session.Session(botocore_session=made._session, region_name=REGION)


def answer(request: AWSPreparedRequest) -> AWSResponse:
    """The answer of the emulated service. Raises KeyError for any service but these two."""
    headers = {name.lower(): _text(value) for name, value in request.headers.items()}
    # `DynamoDB_20120810.GetItem`, `secretsmanager.GetSecretValue`
    service = _services()[re.split("[_.]", headers["x-amz-target"])[0]]
    handling = service.handle_request("POST", "/", headers, request.body, {})
    try:
        # It is asynchronous only for the server, and never waits.
        handling.send(None)
    except StopIteration as done:
        status, returned, body = done.value
        return answered(request.url, status, returned, body)
    raise AssertionError("the emulator waits for something")


def answered(url: str, status: int, headers: dict[str, str], body: str | bytes) -> AWSResponse:
    """An answer of AWS, as botocore reads it."""
    content = body.encode() if isinstance(body, str) else body
    return AWSResponse(url, status, headers, _Raw(content))  # type: ignore[arg-type] # reads like urllib3's


def _before_send(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
    return answer(request)


def _services() -> dict[str, Any]:
    # Not at import: it starts a thread.
    from ministack.services import dynamodb, secretsmanager

    return {"DynamoDB": dynamodb, "secretsmanager": secretsmanager}


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
