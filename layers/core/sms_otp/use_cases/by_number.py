"""Find a verification by its number as well as by its id, as Twilio Verify's clients name one."""

from collections.abc import Callable
from dataclasses import dataclass, field

from sms_otp.domain import errors, keys, phone
from sms_otp.domain.clock import Clock, Seconds, seconds
from sms_otp.domain.commands import Caller, Policy
from sms_otp.domain.keys import Peppers
from sms_otp.domain.ports import Store
from sms_otp.domain.verification import Verification, status_of
from sms_otp.use_cases.listed import listed

SID = "VE"
"""Prefix of an id in Twilio's form."""


@dataclass(frozen=True, slots=True)
class Named:
    """A verification with an id in Twilio's form."""

    sid: str
    phone: str = field(repr=False)
    channel: str
    created_at: Seconds
    sends: int = 1


@dataclass(frozen=True, slots=True)
class ByNumber:
    """Lookups in one deployment's store."""

    policy: Policy
    store: Store
    peppers: Callable[[], Peppers]
    clock: Clock

    def find(self, name: str, caller: Caller) -> Named:
        """The verification that a sid names, or the newest of an E.164 number. Raises `VerificationNotFound`.

        Does not find a verification that another API requested: its id has another form.
        """
        return self._find(name, caller)[0]

    def find_pending(self, name: str, caller: Caller) -> Named:
        """As `find`, but only a verification whose code may still be right. Raises `VerificationNotFound`."""
        named, found = self._find(name, caller)
        status = status_of(found, seconds(self.clock), self.policy.max_attempts)
        if status != "pending" or found.provider_ref is None:
            raise errors.VerificationNotFound
        return named

    def _find(self, name: str, caller: Caller) -> tuple[Named, Verification]:
        peppers = self.peppers()
        key = keys.verification_key(name) if name.startswith(SID) else self._newest(peppers, name, caller)
        found = self.store.find(key) if key else None
        if found is None or found.tenant != caller.tenant:
            raise errors.VerificationNotFound
        sid = keys.named_again(peppers, found.nonce, found.key) if found.nonce else None
        if sid is None or not sid.startswith(SID):
            raise errors.VerificationNotFound
        return Named(sid, found.phone, found.channel, found.created_at, found.sends), found

    def _newest(self, peppers: Peppers, number: str, caller: Caller) -> str | None:
        """The key of the newest one that was sent: one that was never sent does not hide an earlier one."""
        keys_of = listed(self.store, peppers, phone.canonical(number), caller.tenant, None)
        found = self.store.find_each(keys_of)
        return next((key for key in keys_of if key in found and found[key].provider_ref), None)
