"""The dependencies that the use cases share. Each use case is a function that takes them."""

from collections.abc import Callable
from dataclasses import dataclass, field

from sms_otp.domain import errors
from sms_otp.domain.clock import Clock, Deadline, Seconds
from sms_otp.domain.commands import Caller, Policy
from sms_otp.domain.countries import History
from sms_otp.domain.keys import Peppers
from sms_otp.domain.ports import EventSink, IssueToken, Providers, Store, StoreError
from sms_otp.domain.provider import ProviderError

RETRY_AFTER = Seconds(5)
"""Wait after a provider's failure that has no retry time of its own."""


@dataclass(frozen=True, slots=True)
class Service:
    """One deployment's dependencies, for `request`, `resend` and `verify`."""

    policy: Policy
    store: Store
    providers: Providers
    peppers: Callable[[], Peppers]
    clock: Clock
    emit: EventSink
    history: History = field(default_factory=History)
    issue_token: IssueToken | None = None
    """Issues the verification token; None if this deployment issues no tokens."""


def check_time(caller: Caller) -> None:
    """Raise `ProviderUnavailable` after the deadline, so that nothing more is begun."""
    if not caller.deadline.remaining():
        raise errors.ProviderUnavailable(reason="deadline", retry_after=RETRY_AFTER)


def try_to_store(emit: EventSink, deadline: Deadline, write: Callable[[], object]) -> None:
    """Write if there is time. The request goes on if the write fails: its answer does not depend on it."""
    try:
        if deadline.remaining():
            write()
    except StoreError as error:
        emit("store_failed", reason=error.reason)


def unavailable(failed: ProviderError) -> errors.ProviderUnavailable:
    """The error for the caller after a provider's failure that changed nothing."""
    return errors.ProviderUnavailable(reason=failed.reason, retry_after=failed.retry_after or RETRY_AFTER)
