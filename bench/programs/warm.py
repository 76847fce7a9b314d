"""Time warm verifications, in turn with the yardstick's calls made bare: `warm.py ENDPOINT BATCHES EACH`.

Prints JSON on its last line, after the functions' log lines: milliseconds of processor time for one
verification, by batch, "ours" and "bare".
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import boto3
import requests

from bench.programs.verification import request, verify

ENDPOINT, BATCHES, EACH = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])

CALLS = json.loads(Path(__file__).with_name("yardstick.json").read_text())
"""The DynamoDB calls of an environment's first verification as they were on 2026-11-27, of 29 write units.

Each is a name and its parameters. They stay as they are: every version is compared with the same work.
"""


def verification() -> None:
    """Request and verify a code."""
    verify(request())


def timed(act: Callable[[], None]) -> float:
    """Mean milliseconds of processor time of all threads, over `EACH` calls."""
    began = time.process_time()
    for _ in range(EACH):
        act()
    return (time.process_time() - began) * 1000 / EACH


def main() -> None:
    """Measure both in turn, after one unmeasured run of each."""
    dynamodb = boto3.client("dynamodb")
    session = requests.Session()
    headers = {"Authorization": "App key", "Accept": "application/json"}
    send = {"applicationId": "a", "messageId": "m", "to": "14155550123"}

    def bare() -> None:
        for name, parameters in CALLS:
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
