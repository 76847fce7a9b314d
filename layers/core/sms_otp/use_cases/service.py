"""What the use cases share: one deployment. Each use case is a function over it."""

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
"""How long to wait after a provider's failure that named no time of its own."""


@dataclass(frozen=True, slots=True)
class Service:
    """One deployment, as `request`, `resend` and `verify` need it."""

    policy: Policy
    store: Store
    providers: Providers
    peppers: Callable[[], Peppers]
    clock: Clock
    emit: EventSink
    history: History = field(default_factory=History)
    issue_token: IssueToken | None = None
    """Issues the verification token; None where this deployment issues none."""


def check_time(caller: Caller) -> None:
    """Begin nothing after the deadline. Raises `ProviderUnavailable`."""
    if not caller.deadline.remaining():
        raise errors.ProviderUnavailable(reason="deadline", retry_after=RETRY_AFTER)


def try_to_store(emit: EventSink, deadline: Deadline, write: Callable[[], object]) -> None:
    """Write what changes no answer: after the deadline, or if it fails, the request goes on without it."""
    try:
        if deadline.remaining():
            write()
    except StoreError as error:
        emit("store_failed", reason=error.reason)


def unavailable(failed: ProviderError) -> errors.ProviderUnavailable:
    """The answer to a caller after a provider's failure that changed nothing."""
    return errors.ProviderUnavailable(reason=failed.reason, retry_after=failed.retry_after or RETRY_AFTER)
