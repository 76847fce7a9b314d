"""Incomplete or changed items: an item that cannot be read verifies nobody and sends nothing."""

from typing import Any

import pytest

from tests.functional.faults.outcomes import (
    CANCELLED,
    EXPIRED,
    INTERNAL,
    LOCKED,
    OK,
    SPENT,
    UNAVAILABLE,
    UNKNOWN,
    USED,
    WRONG,
    WRONG_CODE,
    outcome_of,
    state,
)
from tests.functional.faults.turns import AT_ONE
from tests.functional.faults.world import World

WRONG_TYPES: list[dict[str, Any]] = [{"BOOL": True}, {"NULL": True}, {"M": {}}, {"B": b"?"}]
WHOLE = (
    *("tenant", "phone", "country", "numberKey", "channel", "createdAt", "expiresAt", "state"),
    *("attempts", "provider", "providerRef"),
)
"""The attributes that every verification item needs."""


@AT_ONE
@pytest.mark.parametrize("attribute", WHOLE)
def test_an_incomplete_verification_item_verifies_nobody(attribute: str, world: World) -> None:
    verification_id, code = world.pending()
    whole = world.verification()
    other = {"S": "?"} if "N" in whole[attribute] else {"N": "1"}
    less = {name: value for name, value in whole.items() if name != attribute}
    for spoiled in (less, *(whole | {attribute: value} for value in (other, *WRONG_TYPES))):
        world.change(spoiled)
        assert outcome_of(world.verify(verification_id, code)) in (INTERNAL, UNKNOWN, UNAVAILABLE, CANCELLED)
        assert world.verification().get("state") != {"S": "verified"}
    assert world.checks() == 0
    world.change(whole)


@AT_ONE
@pytest.mark.parametrize(
    ("attribute", "value", "ends"),
    [
        ("state", "locked", INTERNAL),
        ("state", "VERIFIED", INTERNAL),
        ("state", "failed", CANCELLED),
        ("state", "cancelled", CANCELLED),
        ("state", "verified", USED),
        ("channel", "pigeon", INTERNAL),
        ("provider", "nobody", UNAVAILABLE),
        ("tenant", "somebody-else", UNKNOWN),
        ("sessionHash", "0" * 64, UNKNOWN),
    ],
)
def test_a_changed_verification_item_verifies_nobody(
    attribute: str, value: str, ends: str, world: World
) -> None:
    verification_id, code = world.pending()
    world.change(world.verification() | {attribute: {"S": value}})
    assert outcome_of(world.verify(verification_id, code)) == ends
    assert world.checks() == 0


@AT_ONE
def test_an_attribute_of_a_later_version_is_left_alone(world: World) -> None:
    verification_id, code = world.pending()
    world.change(world.verification() | {"ofALaterVersion": {"M": {"deep": {"N": "1"}}}})
    assert outcome_of(world.verify(verification_id, code)) == OK
    assert world.verification()["ofALaterVersion"] == {"M": {"deep": {"N": "1"}}}


@AT_ONE
def test_a_verification_that_is_expired_and_not_yet_deleted_verifies_nobody(world: World) -> None:
    verification_id, code = world.pending()
    item = world.verification()
    world.clock.now = int(item["ttl"]["N"]) + 1
    assert outcome_of(world.verify(verification_id, code)) == EXPIRED
    assert (state(world), world.checks()) == (("pending", 0), 0)


@AT_ONE
@pytest.mark.parametrize(
    ("kind", "attribute"),
    [
        *(("N", attribute) for attribute in ("sends", "version", "unproven")),
        *(("I", attribute) for attribute in ("fingerprint", "claimedAt")),
    ],
)
def test_an_unreadable_number_or_idempotency_record_sends_nothing(
    kind: str, attribute: str, world: World
) -> None:
    world.pending()
    [whole] = world.items(kind)
    for value in WRONG_TYPES:
        world.change(whole | {attribute: value})
        assert outcome_of(world.request()) == INTERNAL
    assert world.sms() == 1


@AT_ONE
def test_unreadable_failures_of_a_number_verify_nobody(world: World) -> None:
    verification_id, code = world.pending()
    assert outcome_of(world.verify(verification_id, WRONG_CODE)) == WRONG
    [whole] = world.items("N")
    [tenant] = [name.rpartition("#")[2] for name in whole if name.startswith("failedAt#stranger#")]
    for name in (f"failures#stranger#{tenant}", f"failedAt#stranger#{tenant}", f"failures#{tenant}"):
        for value in WRONG_TYPES:
            world.change(whole | {name: value})
            assert outcome_of(world.verify(verification_id, code)) in (INTERNAL, LOCKED, SPENT)
    assert (state(world)[0], world.checks()) == ("pending", 1)
