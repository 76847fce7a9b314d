"""Writes to counter items: add a send within its limits, take it out again, or change counts."""

from sms_otp.adapters.dynamodb.client import WriteRequest
from sms_otp.adapters.dynamodb.number_writes import Expression
from sms_otp.domain.budgets import Counts, ShardIncrement


def count_send(increment: ShardIncrement) -> WriteRequest:
    """Add a send to an item if it stays within every limit, and remove the expired hours."""
    write = Expression()
    write.set_ttl(increment.keep_until)
    for name, most in increment.limits.items():
        alias = write.name(name)
        write.conditions.append(f"(attribute_not_exists({alias}) OR {alias} <= {write.value(most)})")
    for name, amount in increment.added.items():
        write.add(name, amount)
    for name in increment.expired:
        write.remove(name)
    return write.write(increment.key)


def take_out(increment: ShardIncrement) -> WriteRequest:
    """Subtract a send that was certainly not made."""
    return change(increment.key, {name: -amount for name, amount in increment.added.items()})


def change(pk: str, amounts: Counts) -> WriteRequest:
    """Add to an item's counts, unconditionally."""
    write = Expression()
    for name, amount in amounts.items():
        write.add(name, amount)
    return write.write(pk)
