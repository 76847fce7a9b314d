"""`make rotate-pepper`: take the next step of a pepper rotation, if it is due.

    announced   reads use both peppers, writes the old one: every environment learns the new one first
    in use      writes use the new pepper, reads both
    (done)      the old pepper is deleted, once no limit depends on items under it

Run it once for each step: it prints what it did and when the next step is due. It prints no pepper.
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
"""Seconds. Every request that read the previous secret has ended by then."""
UNTIL_HEARD = timedelta(seconds=CACHE_SECONDS + LONGEST_REQUEST)
UNTIL_FORGOTTEN = timedelta(seconds=KEEP_LOG)
"""How long sends and failures live after their last use; all other items live less long."""

GONE = (
    "Users stored under it can no longer be found or erased by their number,"
    " and numbers disabled under it are enabled again."
)
WARNING = (
    f"From then on: {GONE}"
    " With KeepUsers=true, wait until they have verified again or their retention has ended."
)
"""Printed before the step that cannot be undone."""

_LENGTH_BYTES = 48


@dataclass(frozen=True)
class Step:
    """The secret's next content, and the report to print."""

    fields: Mapping[str, str]
    report: str


class TooEarly(Exception):
    """The next step is not due yet. The message says when it is."""


def next_step(held: Mapping[str, str], since: datetime, now: datetime) -> Step:
    """The step after `held`, the secret's content since `since`. Raises `TooEarly`."""
    rotation = held.get("rotation")
    if rotation == ANNOUNCED:
        _require(since + UNTIL_HEARD, now)
        after = {"pepper": held["alsoRead"], "alsoRead": held["pepper"], "rotation": IN_USE}
        due = _date(now + UNTIL_FORGOTTEN)
        return Step(
            after, f"The new pepper is in use. To delete the old one, run this after {due}. {WARNING}"
        )
    if rotation == IN_USE:
        _require(since + UNTIL_FORGOTTEN, now)
        return Step({"pepper": held["pepper"]}, f"The old pepper is deleted; the rotation is done. {GONE}")
    new = secrets.token_urlsafe(_LENGTH_BYTES)
    after = {"pepper": held["pepper"], "alsoRead": new, "rotation": ANNOUNCED}
    return Step(after, f"A new pepper is announced. Run this again after {_date(now + UNTIL_HEARD)}.")


def rotate(stack: Deployed, now: datetime) -> str:
    """Take the step that is due. Returns its report. Raises `TooEarly`."""
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
    """Print the step taken; exits with 1 and a message if none was."""
    parser = argparse.ArgumentParser(prog="python -m ops.rotate_pepper")
    parser.add_argument("--stack", default="", help="a stack's name (default: the local stack)")
    try:
        print(rotate(find(parser.parse_args().stack), datetime.now(UTC)))
    except (StackNotFound, TooEarly) as error:
        sys.exit(f"rotate-pepper: {error}")


if __name__ == "__main__":
    main()
