"""`make restore-items`: copy missing items from a restored table into the stack's table.

DynamoDB restores into a new table beside the stack's. Existing items are not changed, and expired items are
not copied.
"""

import argparse
import sys
import time
from typing import Any

from botocore.exceptions import ClientError

from ops.deployed import StackNotFound, find


def restore(client: Any, source: str, target: str, now: float) -> tuple[int, int]:
    """Copy items. Returns (copied, skipped); `now` in seconds since the epoch."""
    put, skipped = 0, 0
    for page in client.get_paginator("scan").paginate(TableName=source, ConsistentRead=True):
        for item in page["Items"]:
            is_expired = int(item.get("ttl", {}).get("N", now + 1)) <= now
            if is_expired or not _put(client, target, item):
                skipped += 1
            else:
                put += 1
    return put, skipped


def _put(client: Any, target: str, item: dict[str, Any]) -> bool:
    try:
        client.put_item(TableName=target, Item=item, ConditionExpression="attribute_not_exists(pk)")
    except client.exceptions.ConditionalCheckFailedException:
        return False
    return True


def main() -> None:
    """Print both counts; exits with 1 and a message if the stack or table does not exist."""
    parser = argparse.ArgumentParser(prog="python -m ops.restore_items")
    parser.add_argument("--stack", default="", help="a stack's name (default: the local stack)")
    parser.add_argument("--source", required=True, help="the restored table's name")
    chosen = parser.parse_args()
    if not chosen.source:
        sys.exit("restore-items: name the restored table: SOURCE=…")
    try:
        stack = find(chosen.stack)
        client = stack.client("dynamodb")
        put, skipped = restore(client, chosen.source, stack.outputs["TableName"], time.time())
    except (StackNotFound, ClientError) as error:
        sys.exit(f"restore-items: {error}")
    print(f"{put} items restored; {skipped} skipped (present or expired)")


if __name__ == "__main__":
    main()
