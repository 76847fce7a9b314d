"""Time warm verifications, in turn with their calls made bare: `warm.py ENDPOINT BATCHES EACH`.

Prints JSON on its last line, after the functions' log lines: milliseconds of processor time for one
verification, by batch, "ours" and "bare".
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import boto3
import requests

from bench.programs.verification import request, verify
from sms_otp.entry_points import bootstrap

ENDPOINT, BATCHES, EACH = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])

NAMES = {
    "BatchGetItem": "batch_get_item",
    "GetItem": "get_item",
    "TransactWriteItems": "transact_write_items",
    "UpdateItem": "update_item",
}


def verification() -> None:
    """Request and verify a code."""
    verify(request())


def recorded() -> list[tuple[str, dict[str, Any]]]:
    """The DynamoDB calls of one verification, by boto3's names."""
    calls: list[tuple[str, dict[str, Any]]] = []

    def note(params: dict[str, Any], model: Any, **_: Any) -> None:
        calls.append((NAMES[model.name], dict(params)))

    events = bootstrap._dynamodb().meta.events
    events.register("before-parameter-build.dynamodb", note)
    verification()
    events.unregister("before-parameter-build.dynamodb", note)
    return calls


def timed(act: Callable[[], None]) -> float:
    """Mean milliseconds of processor time of all threads, over `EACH` calls."""
    began = time.process_time()
    for _ in range(EACH):
        act()
    return (time.process_time() - began) * 1000 / EACH


def main() -> None:
    """Measure both in turn, after one unmeasured run of each."""
    calls = recorded()
    dynamodb = boto3.client("dynamodb")
    session = requests.Session()
    headers = {"Authorization": "App key", "Accept": "application/json"}
    send = {"applicationId": "a", "messageId": "m", "to": "14155550123"}

    def bare() -> None:
        for name, parameters in calls:
            getattr(dynamodb, name)(**parameters)
        session.post(f"{ENDPOINT}/infobip/2fa/2/pin", json=send, headers=headers, timeout=(2, 4)).json()
        check = f"{ENDPOINT}/infobip/2fa/2/pin/PIN/verify"
        session.post(check, json={"pin": "123456"}, headers=headers, timeout=(2, 4)).json()

    timings: dict[str, list[float]] = {"ours": [], "bare": []}
    timed(verification)
    timed(bare)
    for _ in range(BATCHES):
        timings["ours"].append(timed(verification))
        timings["bare"].append(timed(bare))
    print(json.dumps(timings))


main()
