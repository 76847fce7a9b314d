"""Find a verification by its number as well as by its id, as Twilio Verify's clients name one."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from sms_otp.domain import errors, keys, phone
from sms_otp.domain.clock import Clock, Seconds, seconds
from sms_otp.domain.commands import Caller, Policy
from sms_otp.domain.keys import Peppers
from sms_otp.domain.ports import AdmissionQuery, Store
from sms_otp.domain.verification import Verification, status_of

MOST_NAMED = 5
"""Verifications that a number and a session may mean: the newest, and some before it."""
SID = "VE"
"""What an id in Twilio's form begins with."""


@dataclass(frozen=True, slots=True)
class Named:
    """A verification by its id in Twilio's form."""

    sid: str
    phone: str
    channel: str
    created_at: Seconds
    sends: int = 1


@dataclass(frozen=True, slots=True)
class ByNumber:
    """The use cases over one deployment's policy and store."""

    policy: Policy
    store: Store
    peppers: Callable[[], Peppers]
    clock: Clock

    def find(self, name: str, caller: Caller) -> Named:
        """The verification that a sid names, or the newest of an E.164 number. Raises `VerificationNotFound`.

        A verification that another API requested has an id of another form, and is not found.
        """
        return self._first(name, caller, lambda _: True)

    def find_pending(self, name: str, caller: Caller) -> Named:
        """As `find`, of those that a code may still be right for. Raises `VerificationNotFound`."""

        def is_pending(found: Verification) -> bool:
            status = status_of(found, seconds(self.clock), self.policy.max_attempts)
            return status == "pending" and found.provider_ref is not None

        return self._first(name, caller, is_pending)

    def _first(self, name: str, caller: Caller, is_meant: Callable[[Verification], bool]) -> Named:
        peppers = self.peppers()
        for key in self._keys(name, caller, peppers):
            found = self.store.find(key)
            if found is None or found.tenant != caller.tenant or not is_meant(found):
                continue
            sid = keys.named_again(peppers, found.nonce, found.key) if found.nonce else None
            if sid is not None and sid.startswith(SID):
                return Named(sid, found.phone, found.channel, found.created_at, found.sends)
        raise errors.VerificationNotFound

    def _keys(self, name: str, caller: Caller, peppers: Peppers) -> tuple[str, ...]:
        if name.startswith(SID):
            return (keys.verification_key(name),)
        return keys_of_number(self.store, peppers, phone.canonical(name), caller.tenant, None)


def keys_of_number(
    store: Store, peppers: Peppers, e164: str, tenant: str, session_id: str | None
) -> tuple[str, ...]:
    """The keys of the newest verifications that this session of the tenant asked for, the newest first."""
    number_keys = [keys.keyed(pepper, "number", e164) for pepper in peppers.all]
    current, *previous = (AdmissionQuery(number_key, tenant) for number_key in number_keys)
    snapshot = store.read(replace(current, previous=previous[0] if previous else None))
    under = (snapshot,) if snapshot.previous is None else (snapshot, snapshot.previous)
    found = [
        (listed.created_at, key)
        for number_key, each in zip(number_keys, under, strict=True)
        for key, listed in each.number.verifications.items()
        if listed.owner == keys.owner(number_key, tenant, session_id)
    ]
    return tuple(key for _, key in sorted(found, reverse=True)[:MOST_NAMED])
