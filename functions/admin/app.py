"""POST /admin/…: operations on a number and on sending, for IAM principals only."""

from collections.abc import Callable, Mapping
from typing import Any

from sms_otp.domain.clock import to_seconds
from sms_otp.domain.ports import NumberRecord
from sms_otp.domain.users import ConsentRecord, User
from sms_otp.entry_points import bootstrap, controls, http, startup
from sms_otp.use_cases.administration import Administrator
from sms_otp.use_cases.next_send import next_sends


def lambda_handler(event: http.Event, context: Any) -> dict[str, Any]:
    """API Gateway's proxy event in, its proxy response out."""
    return http.handle(event, context, _ROUTES[event["resource"]])


def _read(event: http.Event) -> str:
    return str(http.read_body(event, "AdminNumber")["phoneNumber"])


def _status(number: str, who: Administrator) -> http.Body:
    status = bootstrap.administration().status(number, who)
    decisions = next_sends(bootstrap.service(), number, status.known, status.tenants)
    return {
        "success": True,
        "message": "This is known of the number.",
        "numberKey": status.number_key[:8],
        "sends": [http.iso(to_seconds(send.at)) for record in status.records for send in record.number.sends],
        "resendAfter": status.resend_after,
        "locks": [
            {
                "tenant": lock.tenant,
                "lane": lock.lane,
                "failures": lock.failures,
                "disabled": lock.disabled,
                "retryAfter": lock.retry_after,
            }
            for lock in status.locks
        ],
        "nextRequest": [controls.write_next_send(decision) for decision in decisions],
        "verifications": [
            {
                "tenant": verification.tenant,
                "status": state,
                "channel": verification.channel,
                "delivery": verification.delivery,
                "createdAt": http.iso(verification.created_at),
                "expiresAt": http.iso(verification.expires_at),
                **({"purpose": verification.purpose} if verification.purpose else {}),
            }
            for verification, state in status.verifications
        ],
        "users": _users(status.records),
    }


def _users(records: tuple[NumberRecord, ...]) -> list[http.Body]:
    return [_user(user) for record in records for user in record.users]


def _user(user: User) -> http.Body:
    fields = {
        "tenant": user.tenant,
        "status": "unverified" if user.verified_at is None else "verified",
        "country": user.country,
        "firstRequestedAt": http.iso(user.first_requested_at),
        "lastRequestedAt": http.iso(user.last_requested_at),
        "verifiedAt": None if user.verified_at is None else http.iso(user.verified_at),
        "purposes": list(user.purposes),
        "consent": _consent(user.consent),
        "requestedConsent": _consent(user.requested_consent),
        "keptUntil": None if user.kept_until is None else http.iso(user.kept_until),
    }
    return {name: value for name, value in fields.items() if value is not None}


def _consent(record: ConsentRecord | None) -> http.Body | None:
    if record is None:
        return None
    consent = record.consent
    return {"textVersion": consent.text_version, "source": consent.source, "at": http.iso(record.at)}


def _unlock(number: str, who: Administrator) -> http.Body:
    tenants = bootstrap.administration().unlock(number, who)
    return {"success": True, "message": "The number has no failures.", "tenants": tenants}


def _erase(number: str, who: Administrator) -> http.Body:
    erased = bootstrap.administration().erase(number, who)
    done = {"success": True, "message": "Everything about the number is erased.", "complete": True}
    if erased.retry_after:
        done["message"] = "A request that was under way may leave something behind. Erase again."
        done |= {"complete": False, "repeatAfter": erased.retry_after}
    return {**done, "erased": dict(sorted(erased.counts.items()))}


def _route(act: Callable[[str, Administrator], http.Body]) -> http.Route[str, Administrator, http.Body]:
    return http.Route(_read, act, http.same, http.by_iam, http.OURS)


_ROUTES: Mapping[str, http.Route[Any, Administrator, Any]] = {
    "/admin/number-status": _route(_status),
    "/admin/unlock-number": _route(_unlock),
    "/admin/erase-number": _route(_erase),
    **controls.ROUTES,
}

startup.prepare(bootstrap.administration, ("dynamodb", "secretsmanager"), schema="AdminNumber")
