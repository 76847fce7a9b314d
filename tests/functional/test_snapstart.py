"""Two environments from one snapshot: nothing secret or unique is in it, and nothing is shared by them.

A process that has run the hooks before a snapshot is forked twice, which copies its memory as a restore does.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from bench.__main__ import stub
from bench.stub import PEPPER
from local.sandbox.credentials import INFOBIP_API_KEY
from local.template import ROOT, environment

PROGRAM = """
import gc, json, os, random, socket, sys, urllib.request
from snapshot_restore_py import get_after_restore, get_before_snapshot
import request_otp.app, verify_otp.app
from sms_otp.adapters.aws import clients
from sms_otp.entry_points import bootstrap

def sockets():
    return sum(isinstance(found, socket.socket) for found in gc.get_objects())

for hook, given, named in reversed(get_before_snapshot()):
    hook(*given, **named)
with urllib.request.urlopen(os.environ["AWS_ENDPOINT_URL"] + "/_calls") as answer:
    calls = json.load(answer)
gc.unfreeze()  # or `get_objects` leaves out what a start has kept
gc.collect()
snapshot = {
    "calls": calls,
    "sockets": sockets(),
    "service": bootstrap.service.cache_info().currsize,
    "session": clients.session.cache_info().currsize,
    "modules": len(sys.modules),
    "loaded": "phonenumbers" in sys.modules and "botocore.client" in sys.modules,
}
print(json.dumps(snapshot), flush=True)

class Context:
    aws_request_id = "11111111-2222-4333-8444-555555555555"
    get_remaining_time_in_millis = staticmethod(lambda: 20_000)

event = json.load(open(sys.argv[1]))
for _ in range(2):
    if child := os.fork():
        assert os.waitpid(child, 0)[1] == 0
        continue
    # As on Lambda: an environment gets its own credentials, after the restore.
    os.environ.update(AWS_ACCESS_KEY_ID="restored", AWS_SECRET_ACCESS_KEY="restored")
    for hook, given, named in get_after_restore():
        hook(*given, **named)
    gc.unfreeze()
    answered = request_otp.app.lambda_handler(event, Context())
    ports = sorted(
        found.getsockname()[1] for found in gc.get_objects()
        if isinstance(found, socket.socket) and found.fileno() >= 0
    )
    body = json.loads(answered["body"])
    report = {"status": answered["statusCode"], "body": body, "random": random.random(), "ports": ports}
    print(json.dumps(report), flush=True)
    os._exit(0)
"""


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """AWS and a provider, in a process of their own."""
    with stub("127.0.0.1") as at:
        yield at


@pytest.fixture(scope="module")
def reports(endpoint: str) -> list[dict[str, Any]]:
    """A report of the snapshot, then one of each of the two environments."""
    variables = {
        **environment(),
        "STAGE": "local",
        "PROVIDER_SANDBOX_URL": endpoint,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start",
        "PATH": os.defpath,
        "PYTHONPATH": os.pathsep.join((str(ROOT / "functions"), str(ROOT / "layers/core"))),
    }
    command = [sys.executable, "-c", PROGRAM, str(ROOT / "events/request_otp-sms.json")]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603 - a command of our own
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return [line for line in lines if not line.keys() & {"_aws", "level"}]


def test_the_code_and_the_data_are_in_the_snapshot(reports: list[dict[str, Any]]) -> None:
    assert reports[0]["loaded"]


def test_the_snapshot_holds_no_client_no_connection_and_nothing_that_was_fetched(
    reports: list[dict[str, Any]],
) -> None:
    snapshot = reports[0]
    assert snapshot["calls"] == []
    assert (snapshot["sockets"], snapshot["service"], snapshot["session"]) == (0, 0, 0)


def test_two_restores_share_no_identifier_no_random_number_and_no_connection(
    reports: list[dict[str, Any]],
) -> None:
    _, first, second = reports
    assert (first["status"], second["status"]) == (200, 200)
    assert first["body"]["verificationId"] != second["body"]["verificationId"]
    assert first["random"] != second["random"]
    assert first["ports"]
    assert not set(first["ports"]) & set(second["ports"])


def test_each_restore_fetches_the_secrets_itself(reports: list[dict[str, Any]], endpoint: str) -> None:
    from urllib.request import urlopen

    assert len(reports) == 3
    with urlopen(f"{endpoint}/_calls") as answer:  # noqa: S310 - loopback
        calls = [call["operation"] for call in json.load(answer)]
    assert calls.count("GetSecretValue") == 2 * 2
    assert PEPPER not in json.dumps(reports)
    assert INFOBIP_API_KEY not in json.dumps(reports)
