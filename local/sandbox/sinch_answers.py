"""JSON of Sinch Verification's answers and callbacks for one verification."""

from dataclasses import dataclass
from typing import Any

import phonenumbers

from local.sandbox.sinch_request import CALLOUT, FLASHCALL
from local.sandbox.times import iso_utc

PRICE = {"currencyId": "EUR", "amount": 0.0453}
CALL_SECONDS = 20
REPORT_SECONDS = 75


@dataclass(slots=True)
class Verification:
    """One started verification. Times are seconds since the epoch; `number` is E.164."""

    id: str
    method: str
    number: str
    reference: str | None
    code: str
    """The code that the user types; for a flash call, the caller's number."""
    code_type: str
    started_at: float
    expires_at: float
    custom: str | None = None
    status: str = "PENDING"
    reason: str | None = None
    wrong_codes: int = 0

    @property
    def is_call(self) -> bool:
        """Whether it is a callout or a flash call."""
        return self.method in (CALLOUT, FLASHCALL)

    def finish(self, status: str, reason: str | None = None) -> None:
        """Set the final status."""
        self.status, self.reason = status, reason


def started(verification: Verification, href: str) -> dict[str, Any]:
    """The answer to a start, which has no status. `href` is the verification's URL."""
    ttl_seconds = int(verification.expires_at - verification.started_at)
    details: dict[str, dict[str, Any]] = {
        "sms": {
            "sms": {
                "template": "Your verification code is {{CODE}}. Verified by Sinch",
                "interceptionTimeout": ttl_seconds,
                "codeType": verification.code_type,
            }
        },
        "whatsapp": {"whatsapp": {"codeType": verification.code_type}},
        # Lower case as a method, camel case as a field.
        FLASHCALL: {
            "flashCall": {
                "cliFilter": f"(.*){verification.code[-4:]}(.*)",
                "interceptionTimeout": ttl_seconds,
                "reportTimeout": REPORT_SECONDS,
                "denyCallAfter": 0,
                "callId": verification.id,
            }
        },
    }
    links = [{"rel": rel, "href": href, "method": method} for rel, method in _LINKS]
    return {
        "id": verification.id,
        "method": verification.method,
        **details.get(verification.method, {}),
        "_links": links,
    }


_LINKS = (("status", "GET"), ("report", "PUT"))


def about(verification: Verification) -> dict[str, Any]:
    """The verification's fields in every callback."""
    optional = {"reference": verification.reference, "custom": verification.custom}
    return {
        "id": verification.id,
        "method": verification.method,
        "identity": {"type": "number", "endpoint": verification.number},
        **{name: value for name, value in optional.items() if value is not None},
    }


def outcome(verification: Verification) -> dict[str, Any]:
    """The fields that the answers to report and status share."""
    answer: dict[str, Any] = {
        "id": verification.id,
        "method": verification.method,
        "status": verification.status,
    }
    if verification.reason is not None:
        answer["reason"] = verification.reason
    if verification.is_call:
        answer["callComplete"] = verification.status != "PENDING"
    return answer


def status(verification: Verification) -> dict[str, Any]:
    """The answer to status. Its timestamp is UTC without `Z`, with seven fractional digits, as at Sinch."""
    answer = outcome(verification) | {
        "identity": {"type": "number", "endpoint": verification.number},
        "countryId": phonenumbers.region_code_for_number(phonenumbers.parse(verification.number)),
        "verificationTimestamp": iso_utc(verification.started_at).replace("Z", "0"),
    }
    if verification.reference is not None:
        answer["reference"] = verification.reference
    if verification.status != "PENDING":
        answer["price"] = {"verificationPrice": PRICE}
        if verification.is_call:
            answer["callResult"] = "ANSWERED"
            answer["price"] |= {"terminationPrice": PRICE, "billableDuration": CALL_SECONDS}
    if verification.status == "SUCCESSFUL":
        answer["source"] = "manual"
    return answer
