"""`make restore-items`: copies the items that are missing from a restored table into the stack's.

A table that DynamoDB restored is a new one beside the stack's. Nothing that the stack's own table has is
changed, and nothing whose time is over is brought back.
"""

import argparse
import sys
import time
from typing import Any

from botocore.exceptions import ClientError

from ops.deployed import StackNotFound, find


def restore(client: Any, source: str, target: str, now: float) -> tuple[int, int]:
    """How many items were put back, and how many were there already or are over; `now` in seconds."""
    put, left = 0, 0
    for page in client.get_paginator("scan").paginate(TableName=source, ConsistentRead=True):
        for item in page["Items"]:
            is_over = int(item.get("ttl", {}).get("N", now + 1)) <= now
            if is_over or not _put(client, target, item):
                left += 1
            else:
                put += 1
    return put, left


def _put(client: Any, target: str, item: dict[str, Any]) -> bool:
    try:
        client.put_item(TableName=target, Item=item, ConditionExpression="attribute_not_exists(pk)")
    except client.exceptions.ConditionalCheckFailedException:
        return False
    return True


def main() -> None:
    """Prints both counts; exits with a message and 1 where there is no such stack or table."""
    parser = argparse.ArgumentParser(prog="python -m ops.restore_items")
    parser.add_argument("--stack", default="", help="a stack's name; the local stack where it is empty")
    parser.add_argument("--source", required=True, help="the restored table's name")
    chosen = parser.parse_args()
    if not chosen.source:
        sys.exit("restore-items: which restored table? SOURCE=…")
    try:
        stack = find(chosen.stack)
        client = stack.client("dynamodb")
        put, left = restore(client, chosen.source, stack.outputs["TableName"], time.time())
    except (StackNotFound, ClientError) as error:
        sys.exit(f"restore-items: {error}")
    print(f"{put} items put back; {left} were there already or are over")


if __name__ == "__main__":
    main()
