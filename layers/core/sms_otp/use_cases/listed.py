"""Find a number's verifications in the list on the number's item."""

from dataclasses import replace

from sms_otp.domain import keys
from sms_otp.domain.keys import Peppers
from sms_otp.domain.ports import AdmissionQuery, Store

MOST_NAMED = 5
"""Verifications to try for a number and a session: the newest, and some before it."""


def listed(store: Store, peppers: Peppers, e164: str, tenant: str, session_id: str | None) -> tuple[str, ...]:
    """The keys of a tenant's verifications of this session (None: without a session), the newest first.

    Under both peppers. These are candidates: the caller compares each verification's tenant and session.
    """
    number_keys = keys.number_keys(peppers, e164)
    current, *previous = (AdmissionQuery(number_key, tenant) for number_key in number_keys)
    snapshot = store.read(replace(current, previous=previous[0] if previous else None))
    found = [
        (verification.created_at, key)
        for number_key, each in zip(number_keys, snapshot.by_pepper, strict=True)
        for key, verification in each.number.verifications.items()
        if verification.owner == keys.owner(number_key, tenant, session_id)
    ]
    return tuple(key for _, key in sorted(found, reverse=True)[:MOST_NAMED])
