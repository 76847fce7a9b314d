"""The template's tables, made in one engine of DynamoDB or another."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from mypy_boto3_dynamodb import DynamoDBClient

from local.template import resource

PROPERTIES = ("AttributeDefinitions", "KeySchema", "BillingMode")
"""As far as every engine has them."""


def create_table(client: DynamoDBClient, name: str, resource_name: str = "Table") -> None:
    """An empty table as the template has it."""
    table = resource(resource_name)
    client.create_table(TableName=name, **{word: table[word] for word in PROPERTIES})
    client.update_time_to_live(TableName=name, TimeToLiveSpecification=table["TimeToLiveSpecification"])


@contextmanager
def tables(client: DynamoDBClient, names: Mapping[str, str]) -> Iterator[None]:
    """Creates tables, each by its name in the template, and deletes them in the end."""
    for name, resource_name in names.items():
        create_table(client, name, resource_name)
    yield
    for name in names:
        client.delete_table(TableName=name)
