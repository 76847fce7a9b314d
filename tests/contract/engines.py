"""The engines of DynamoDB that a contract holds on, by name."""

from collections.abc import Iterator
from contextlib import contextmanager

import boto3
import pytest
from moto import mock_aws
from mypy_boto3_dynamodb import DynamoDBClient

from tests.emulator import emulated_aws
from tests.races.servers import running_ministack

REGION = "eu-west-1"


@contextmanager
def engine(name: str, request: pytest.FixtureRequest) -> Iterator[DynamoDBClient]:
    """A client of `moto` or `ministack` in this process, of MiniStack's `server`, or of `dynamodb-local`.

    The first two take one caller at a time: they copy an item while another caller changes it.
    """
    match name:
        case "dynamodb-local":
            yield request.getfixturevalue("dynamodb_local")
        case "server":
            with running_ministack() as client:
                yield client
        case "moto":
            with mock_aws():
                yield boto3.client("dynamodb", region_name=REGION)
        case "ministack":
            with emulated_aws():
                yield boto3.client("dynamodb", region_name=REGION)
        case _:
            raise ValueError(name)
