"""The items that are copied back from a restored table."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from fakes.memory import START
from local.template import resource
from ops.restore_items import restore


@pytest.fixture
def client() -> Iterator[Any]:
    with mock_aws():
        made = boto3.client("dynamodb", region_name="eu-west-1")
        table = resource("Table")
        for name in ("live", "restored"):
            made.create_table(
                TableName=name,
                **{part: table[part] for part in ("AttributeDefinitions", "KeySchema", "BillingMode")},
            )
        yield made


def item(pk: str, failures: int, ttl: float | None = START + 100) -> dict[str, Any]:
    kept = {} if ttl is None else {"ttl": {"N": str(int(ttl))}}
    return {"pk": {"S": pk}, "failures": {"N": str(failures)}, **kept}


def test_missing_items_are_restored_and_existing_or_expired_ones_are_not(client: Any) -> None:
    client.put_item(TableName="live", Item=item("F#both", 7))
    restored = (item("F#both", 3), item("F#lost", 5), item("F#disabled", 100, None), item("F#over", 9, START))
    for each in restored:
        client.put_item(TableName="restored", Item=each)
    assert restore(client, "restored", "live", START) == (2, 2)
    found = {each["pk"]["S"]: each["failures"]["N"] for each in client.scan(TableName="live")["Items"]}
    assert found == {"F#both": "7", "F#lost": "5", "F#disabled": "100"}
    assert restore(client, "restored", "live", START) == (0, 4)


def test_without_a_source_the_command_fails_and_names_it() -> None:
    command = [sys.executable, "-m", "ops.restore_items", "--source", ""]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 # our own
    assert (ended.returncode, ended.stderr) == (1, "restore-items: name the restored table: SOURCE=…\n")
