"""Writes to a number's item, with their conditions. `items` explains the attributes.

Three kinds of writes share the item and do not overwrite each other: a reservation, conditioned on
`version`; a guess, counted in its lane and conditioned on that lane alone; and a success, which clears
failures.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from sms_otp.adapters.dynamodb.client import WriteRequest, update
from sms_otp.adapters.dynamodb.items import (
    failed_at_name,
    failures_name,
    list_key,
    listed_text,
    number_pk,
    send_text,
    tokens_from_name,
    total_name,
    verified_name,
)
from sms_otp.adapters.dynamodb.writes import HAS_NO_VERSION, IS_VERSION
from sms_otp.domain.clock import Milliseconds, Seconds, to_seconds
from sms_otp.domain.limits import KEEP_LOG, GuessPolicy
from sms_otp.domain.number import (
    LATE_DELETION,
    Lane,
    ListedVerification,
    Number,
    cleared,
    hour_old,
    keep_until,
    usual_end,
    verified_from,
)
from sms_otp.domain.ports import Carried, CountedGuess, NumberChange, NumberGuess, Reservation
from sms_otp.domain.users import FOREVER
from sms_otp.domain.verification import Verification

MOST_REFUSED = 22
"""Moments of refused requests that an item holds: eleven of this hour, and those of the hour before."""

HAS_ROOM_FOR_REFUSED = "attribute_not_exists(refused) OR size(refused) < :most"


@dataclass
class Expression:
    """Builds an update's expression. Each value and each attribute name gets an alias."""

    sets: list[str] = field(default_factory=list)
    adds: list[str] = field(default_factory=list)
    removes: list[str] = field(default_factory=list)
    deletes: list[str] = field(default_factory=list)
    conditions: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)

    def name(self, attribute: str) -> str:
        """The alias of an attribute."""
        alias = next((alias for alias, name in self.names.items() if name == attribute), None)
        if alias is None:
            alias = f"#n{len(self.names)}"
            self.names[alias] = attribute
        return alias

    def value(self, value: Any) -> str:
        """The alias of a value."""
        alias = f"v{len(self.values)}"
        self.values[alias] = value
        return f":{alias}"

    def set(self, attribute: str, value: Any) -> None:
        self.sets.append(f"{self.name(attribute)} = {self.value(value)}")

    def set_once(self, attribute: str, value: Any) -> None:
        name = self.name(attribute)
        self.sets.append(f"{name} = if_not_exists({name}, {self.value(value)})")

    def set_ttl(self, keep_until: Seconds) -> None:
        self.set("ttl", keep_until)

    def set_ttl_once(self, keep_until: Seconds) -> None:
        self.set_once("ttl", keep_until)

    def add(self, attribute: str, value: Any) -> None:
        self.adds.append(f"{self.name(attribute)} {self.value(value)}")

    def remove(self, attribute: str) -> None:
        self.removes.append(self.name(attribute))

    def take_out(self, attribute: str, members: frozenset[Any]) -> None:
        """Delete members from a set."""
        if members:
            self.deletes.append(f"{self.name(attribute)} {self.value(members)}")

    def write(self, pk: str) -> WriteRequest:
        """Build the update of the item."""
        parts = (("SET", self.sets), ("ADD", self.adds), ("REMOVE", self.removes), ("DELETE", self.deletes))
        expression = " ".join(f"{word} {', '.join(clauses)}" for word, clauses in parts if clauses)
        condition = " AND ".join(self.conditions) or None
        made = update(pk, expression, condition, **self.values)
        made["Update"]["ExpressionAttributeNames"] = self.names
        return made


def reserve_number(change: NumberChange) -> WriteRequest:
    """Add a send and a verification, if no other reservation came since the number was read.

    Removes ended failures too, if no guess came to their lanes meanwhile.
    """
    before, write = change.before, Expression()
    write.conditions.append(IS_VERSION if before.version else HAS_NO_VERSION)
    if before.version:
        write.values["version"] = before.version
    write.set("version", before.version + 1)
    write.set_ttl(change.keep_until)
    _list(write, before, change)
    write.take_out("over", frozenset(map(list_key, change.expired)))
    if change.send:
        write.set("sends", frozenset(map(send_text, change.sends)))
        write.add("unproven", 1)
        for name, moments in (("refused", before.refused), ("failed", before.failed)):
            write.take_out(name, hour_old(moments, change.send.at))
    for tenant, lane in change.ended:
        _as_read(write, before, tenant, lane)
        write.remove(failures_name(lane, tenant))
        write.remove(failed_at_name(lane, tenant))
    for tenant in {tenant for tenant, _ in change.ended}:
        if all(key in change.ended for key in before.failures if key[0] == tenant):
            write.remove(total_name(tenant))
    for tenant in change.forgotten:
        write.remove(verified_name(tenant))
        write.remove(tokens_from_name(tenant))
    if change.carried:
        _carry(write, before, change.carried)
    return write.write(number_pk(change.key))


def _list(write: Expression, before: Number, change: NumberChange) -> None:
    """Write only the entries that the reservation changes: `relist` may change others meanwhile."""
    if not before.verifications:
        whole = {list_key(key): listed_text(listed) for key, listed in change.verifications.items()}
        write.set("verifications", whole)
        return
    for key, listed in change.verifications.items():
        if listed != before.verifications.get(key):
            write.sets.append(f"{_entry(write, key)} = {write.value(listed_text(listed))}")
    gone = [key for key in before.verifications if key not in change.verifications]
    write.removes += (_entry(write, key) for key in gone)


def _entry(write: Expression, key: str) -> str:
    """The path of a verification in the number's list."""
    return f"{write.name('verifications')}.{write.name(list_key(key))}"


def _carry(write: Expression, before: Number, carried: Carried) -> None:
    tenant, after = carried.tenant, before.joined(carried.found)
    for lane in _lanes_with_failures(carried.found, tenant):
        failures = after.failures_of(tenant, lane)
        _as_read(write, before, tenant, lane)
        write.set(failures_name(lane, tenant), failures.count)
        write.set(failed_at_name(lane, tenant), failures.last_at)
    if carried.found.totals.get(tenant):
        write.set(total_name(tenant), after.totals[tenant])
    if tenant in carried.found.tokens_from:
        write.set(verified_name(tenant), after.verified[tenant])
        write.set(tokens_from_name(tenant), after.tokens_from[tenant])
    if carried.found.networks:
        write.set("networks", dict(after.networks))


def leave_behind(carried: Carried) -> WriteRequest | None:
    """Delete the failures that move to the current pepper's key, if unchanged; None if there are none."""
    write = Expression()
    for lane in _lanes_with_failures(carried.found, carried.tenant):
        _as_read(write, carried.found, carried.tenant, lane)
        write.remove(failures_name(lane, carried.tenant))
        write.remove(failed_at_name(lane, carried.tenant))
    if not write.removes:
        return None
    write.remove(total_name(carried.tenant))
    return write.write(number_pk(carried.from_key))


def _lanes_with_failures(number: Number, tenant: str) -> Iterator[Lane]:
    return (lane for lane in Lane if number.failures_of(tenant, lane).count)


def _as_read(write: Expression, number: Number, tenant: str, lane: Lane) -> None:
    """Add the condition that no guess came to this lane since the number was read."""
    failures, name = number.failures_of(tenant, lane), write.name(failures_name(lane, tenant))
    if not failures.count:
        write.conditions.append(f"attribute_not_exists({name})")
        return
    at = write.name(failed_at_name(lane, tenant))
    write.conditions.append(
        f"{name} = {write.value(failures.count)} AND {at} = {write.value(failures.last_at)}"
    )


def release_number(change: NumberChange, reservation: Reservation) -> WriteRequest:
    """Take a send out again. The version changes, so that concurrent reservations read and decide again.

    A new verification leaves the list too, or requests during an outage would fill up the item.
    """
    write = Expression()
    write.add("version", 1)
    if change.send:
        write.add("unproven", -1)
        write.take_out("sends", frozenset({send_text(change.send)}))
    if not reservation.resend:
        write.removes.append(_entry(write, reservation.verification.key))
    return write.write(number_pk(change.key))


def relist(number_key: str, key: str, listed: ListedVerification) -> WriteRequest:
    """Update a verification's entry, because another provider than expected holds its code."""
    write = Expression()
    entry = _entry(write, key)
    write.sets.append(f"{entry} = {write.value(listed_text(listed))}")
    write.conditions.append(f"attribute_exists({entry})")
    return write.write(number_pk(number_key))


def end_listed(number_key: str, key: str) -> WriteRequest:
    """Note that a listed verification is over before it expires."""
    write = Expression()
    write.add("over", frozenset({list_key(key)}))
    write.conditions.append(f"attribute_exists({_entry(write, key)})")
    return write.write(number_pk(number_key))


def spend_lane(guess: NumberGuess, lane: Lane, *, is_last: bool) -> WriteRequest:
    """Count a guess in one lane, if the lane has waited long enough.

    `is_last`: this guess disables the number unless it is right; the item is kept until it is unlocked.
    """
    policy, tenant, write = guess.policy.guesses(lane), guess.tenant, Expression()
    failures, at = write.name(failures_name(lane, tenant)), write.name(failed_at_name(lane, tenant))
    total, last = write.name(total_name(tenant)), policy.closed_at - 1
    ends = to_seconds(guess.now) + KEEP_LOG + LATE_DELETION
    if is_last:
        write.set_ttl(FOREVER)
    else:
        write.set_ttl_once(ends)
    write.sets.append(f"{at} = {write.value(guess.now)}")
    write.adds += [f"{failures} {write.value(1)}", f"{total} {write.value(1)}"]
    write.add("failed", frozenset({guess.moment}))
    below = last if lane is Lane.STRANGER and not is_last else policy.closed_at
    most = guess.policy.disabled_at - (0 if is_last else 1)
    waited = " OR ".join(_waited(write, policy, below, failures, at, guess.now))
    write.conditions.append(f"({waited})")
    write.conditions.append(f"(attribute_not_exists({total}) OR {total} < {write.value(most)})")
    if lane is Lane.TOKEN and guess.token_issued_at is not None:
        tokens_from = write.name(tokens_from_name(tenant))
        write.conditions.append(f"{tokens_from} <= {write.value(guess.token_issued_at)}")
    return write.write(number_pk(guess.number_key))


def _waited(
    write: Expression, policy: GuessPolicy, below: int, failures: str, at: str, now: Milliseconds
) -> Iterator[str]:
    """Yield a clause for each step of the growing wait, so that one write decides without a read."""
    yield f"attribute_not_exists({failures})"
    yield f"{failures} < {write.value(min(policy.free, below))}"
    *steps, (most, longest) = policy.steps
    for count, wait in steps:
        if count < below:
            yield f"({failures} = {write.value(count)} AND {at} <= {write.value(now - wait)})"
    if most < below:
        between = f"{failures} BETWEEN {write.value(most)} AND {write.value(below - 1)}"
        yield f"({between} AND {at} <= {write.value(now - longest)})"


def clear_number(verification: Verification, counted: CountedGuess, now: Seconds) -> WriteRequest:
    """Record a success and clear failures, as `ports.Store.consume` specifies."""
    tenant, write = verification.tenant, Expression()
    after = replace(cleared(counted.number, tenant, counted.lane), verified={tenant: now})
    write.set_ttl(keep_until(after, counted.guess.policy, now))
    write.set("unproven", 0)
    write.set(verified_name(tenant), now)
    write.set_once(tokens_from_name(tenant), now)
    if verification.network is not None:
        write.set("networks", verified_from(counted.number, verification.network, now))
    write.remove(total_name(tenant))
    for lane in {counted.lane, Lane.STRANGER}:
        write.remove(failures_name(lane, tenant))
        write.remove(failed_at_name(lane, tenant))
    write.take_out("failed", frozenset({counted.guess.moment}))
    return write.write(number_pk(verification.number_key))


def unlock_number(number_key: str, number: Number, now: Seconds) -> WriteRequest:
    """Clear failures and void earlier device tokens, if no reservation came since the number was read."""
    write = Expression()
    write.conditions.append(IS_VERSION if number.version else HAS_NO_VERSION)
    if number.version:
        write.values["version"] = number.version
    write.set_ttl(usual_end(number, now))
    write.add("version", 1)
    for tenant, lane in number.failures:
        write.remove(failures_name(lane, tenant))
        write.remove(failed_at_name(lane, tenant))
    for tenant in number.totals:
        write.remove(total_name(tenant))
    for tenant in number.tokens_from:
        write.set(tokens_from_name(tenant), now)
    return write.write(number_pk(number_key))


def note_refused(number_key: str, now: Milliseconds, moment: int) -> WriteRequest:
    """Count a refused request, if the item has room."""
    write = Expression()
    write.set_ttl_once(to_seconds(now) + KEEP_LOG)
    write.add("refused", frozenset({moment}))
    write.conditions.append(HAS_ROOM_FOR_REFUSED)
    write.values["most"] = MOST_REFUSED
    return write.write(number_pk(number_key))


def forget_refused(number_key: str, moments: frozenset[int]) -> WriteRequest:
    """Remove refused requests, to make room."""
    write = Expression()
    write.take_out("refused", moments)
    return write.write(number_pk(number_key))
