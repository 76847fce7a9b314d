"""`make rotate-pepper`: the next step of rotating the pepper, when it is due.

    announced   the new pepper is read too: every environment hears of it before any writes under it
    in use      what is written is under the new one; the old one is read too
    (done)      the old one is forgotten, once nothing that counts is under it

Run it again for each step: it says what it did and when the next one is due. Nobody sees a pepper.
"""

import argparse
import json
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ops.deployed import Deployed, StackNotFound, find
from sms_otp.adapters.aws.secrets import CACHE_SECONDS
from sms_otp.domain.limits import KEEP_LOG

ANNOUNCED, IN_USE = "announced", "in use"

LONGEST_REQUEST = 30
"""Seconds. A request that read the secret at the last moment has ended by then."""
UNTIL_HEARD = timedelta(seconds=CACHE_SECONDS + LONGEST_REQUEST)
UNTIL_FORGOTTEN = timedelta(seconds=KEEP_LOG)
"""Sends and failures are kept as long after their last use; claims, verifications and blocks for less."""

GONE = (
    "Users kept under it can no longer be found or erased by their number,"
    " and numbers disabled under it are free again."
)
WARNING = (
    f"Then it is so: {GONE}"
    " Where KeepUsers=true, wait until they have verified anew or their retention is over."
)
"""Printed with the step before the one that cannot be undone."""

_LENGTH_BYTES = 48


@dataclass(frozen=True)
class Step:
    """What the secret is to hold next, and what to print."""

    fields: Mapping[str, str]
    report: str


class TooEarly(Exception):
    """The next step is not due. The message says when it is."""


def next_step(held: Mapping[str, str], since: datetime, now: datetime) -> Step:
    """What comes after `held`, which the secret has held `since` then. Raises `TooEarly`."""
    rotation = held.get("rotation")
    if rotation == ANNOUNCED:
        _require(since + UNTIL_HEARD, now)
        after = {"pepper": held["alsoRead"], "alsoRead": held["pepper"], "rotation": IN_USE}
        due = _date(now + UNTIL_FORGOTTEN)
        return Step(
            after, f"The new pepper is in use. To forget the old one, run this after {due}. {WARNING}"
        )
    if rotation == IN_USE:
        _require(since + UNTIL_FORGOTTEN, now)
        return Step({"pepper": held["pepper"]}, f"The old pepper is forgotten; the rotation is done. {GONE}")
    new = secrets.token_urlsafe(_LENGTH_BYTES)
    after = {"pepper": held["pepper"], "alsoRead": new, "rotation": ANNOUNCED}
    return Step(after, f"A new pepper is announced. Run this again after {_date(now + UNTIL_HEARD)}.")


def rotate(stack: Deployed, now: datetime) -> str:
    """Take the step that is due, and say which it was. Raises `TooEarly`."""
    client = stack.client("secretsmanager")
    arn = stack.outputs["PepperSecretArn"]
    found: Mapping[str, Any] = client.get_secret_value(SecretId=arn)
    step = next_step(json.loads(found["SecretString"]), found["CreatedDate"], now)
    client.put_secret_value(SecretId=arn, SecretString=json.dumps(step.fields))
    return step.report


def _require(due: datetime, now: datetime) -> None:
    if now < due:
        raise TooEarly(f"too early: nothing was changed. The next step is due after {_date(due)}.")


def _date(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def main() -> None:
    """Prints what was done; exits with a message and 1 where nothing was."""
    parser = argparse.ArgumentParser(prog="python -m ops.rotate_pepper")
    parser.add_argument("--stack", default="", help="a stack's name; the local stack where it is empty")
    try:
        print(rotate(find(parser.parse_args().stack), datetime.now(UTC)))
    except (StackNotFound, TooEarly) as error:
        sys.exit(f"rotate-pepper: {error}")


if __name__ == "__main__":
    main()
