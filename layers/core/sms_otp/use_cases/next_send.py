"""Predict the answer to the next request for a code to a number. Reads only."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from sms_otp.domain import errors
from sms_otp.domain.admission import Admission, Asker
from sms_otp.domain.clock import Milliseconds, Seconds, milliseconds, to_seconds
from sms_otp.domain.guard import BudgetLane
from sms_otp.domain.number import Approach, Lane, Number
from sms_otp.domain.phone import PhoneNumber
from sms_otp.domain.provider import Channel
from sms_otp.use_cases.request import destination
from sms_otp.use_cases.sending import RESERVE_TRIES, avoided, contended
from sms_otp.use_cases.service import Service

NEW_NETWORK = "a network that nobody has"
"""Replaces the network of an address: no request ever came from it."""


@dataclass(frozen=True, slots=True)
class NextSend:
    """The decision on a request for a code by SMS now."""

    comes_as: Lane
    tenant: str | None = None
    """None, for any tenant, if no tenant knows the number yet."""
    lane: Lane = Lane.STRANGER
    """The lane that the request gets: not its own if that lane's failures are used up."""
    budget: BudgetLane | None = None
    """The budget to charge; None if nothing is charged."""
    error: errors.OtpError | None = None
    """The refusal; None if the code would be sent."""


def next_sends(
    service: Service, phone_number: str, known: Number, tenants: Collection[str]
) -> tuple[NextSend, ...]:
    """The decisions, at each tenant, about a stranger from a new network and about each own lane.

    `known`: the number, merged over both peppers. Raises `RateLimited` after too many repeated reads.
    """
    try:
        to = destination(service, phone_number)
    except (errors.DestinationNotAllowed, errors.InvalidPhoneNumber) as refused:
        return (NextSend(Lane.STRANGER, error=refused),)
    now = milliseconds(service.clock)
    return tuple(
        _next_send(service, to, comes_as, asker, now)
        for tenant in sorted(tenants) or [""]
        for comes_as, asker in _askers(service, to, known, tenant, to_seconds(now))
    )


def _askers(
    service: Service, to: PhoneNumber, known: Number, tenant: str, now: Seconds
) -> Iterator[tuple[Lane, Asker]]:
    stranger = Asker.of_request(service.peppers(), to, tenant, NEW_NETWORK, None, now)
    yield Lane.STRANGER, stranger
    if known.has_token(tenant, now):
        yield Lane.TOKEN, Asker(Approach(tenant, now, stranger.approach.networks), stranger.client_keys)
    usual = tuple(known.networks)
    if known.knows(usual, now):
        # A network's hash does not reveal its address, so the limit per client is left out.
        yield Lane.NETWORK, Asker(Approach(tenant, None, usual))


def _next_send(
    service: Service, to: PhoneNumber, comes_as: Lane, asker: Asker, now: Milliseconds
) -> NextSend:
    providers = service.providers.candidates(to, Channel.SMS)
    for _ in range(RESERVE_TRIES):
        admission = Admission(
            service.policy.admission,
            service.history,
            service.peppers(),
            to,
            Channel.SMS,
            providers,
            asker,
            (),
            now,
        )
        snapshot = service.store.read(admission.query)
        if not admission.must_read_again(snapshot):
            break
    else:
        raise contended()
    tenant, lane = asker.approach.tenant or None, admission.lane(snapshot)
    try:
        admitted = admission.decide(snapshot)
        avoided(service, admission, snapshot, lane, (), now)
    except errors.OtpError as refused:
        return NextSend(comes_as, tenant, lane, error=refused)
    return NextSend(comes_as, tenant, lane, admitted.payment.lane if admitted.payment else None)
