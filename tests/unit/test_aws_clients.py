"""Clients of AWS resolve the endpoint of each operation once, and skip steps of boto3 that AWS repeats."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse, HTTPHeaders

from sms_otp.adapters.aws import clients


class Body:
    """The raw body of an answer."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield b"{}"


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client whose requests are all answered with an empty object, without a connection."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    clients.session.cache_clear()
    made = clients.client("dynamodb")
    made.meta.events.register("before-send.dynamodb", lambda request, **_: answer(request.url))
    yield made
    clients.session.cache_clear()


def answer(url: str) -> AWSResponse:
    assert url == "https://dynamodb.eu-west-1.amazonaws.com/"
    return AWSResponse(url, 200, HTTPHeaders(), Body())


def test_an_endpoint_is_resolved_once_for_each_operation(dynamodb: Any) -> None:
    resolved: list[str] = []
    dynamodb.meta.events.register(
        "before-endpoint-resolution.dynamodb", lambda model, **_: resolved.append(model.name)
    )
    for _ in range(3):
        dynamodb.get_item(TableName="a-table", Key={"pk": {"S": "a-key"}})
        dynamodb.delete_item(TableName="a-table", Key={"pk": {"S": "a-key"}})
    assert resolved == ["GetItem", "DeleteItem"]


def test_a_boto3_without_the_private_resolver_still_works(dynamodb: Any) -> None:
    del dynamodb._ruleset_resolver
    clients._resolve_endpoints_once(dynamodb)
