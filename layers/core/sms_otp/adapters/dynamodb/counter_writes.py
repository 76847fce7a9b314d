"""The writes to items that count: a send is added on its limits' conditions, taken out again, or verified."""

from sms_otp.adapters.dynamodb.client import WriteRequest
from sms_otp.adapters.dynamodb.number_writes import Expression
from sms_otp.domain.budgets import Counts, ShardIncrement


def count_send(increment: ShardIncrement) -> WriteRequest:
    """Add a send to an item, if no limit is passed by it, and take out the hours that have expired."""
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
    """A send that was certainly not made is not counted anywhere."""
    return change(increment.key, {name: -amount for name, amount in increment.added.items()})


def change(pk: str, amounts: Counts) -> WriteRequest:
    """Add to an item's counts, on no condition."""
    write = Expression()
    for name, amount in amounts.items():
        write.add(name, amount)
    return write.write(pk)
