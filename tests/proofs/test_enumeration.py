"""A caller without access to a verification cannot distinguish it from an unknown one, neither by the
answer nor by its time (OWASP ASVS 5.0 6.3.8).
"""

import random
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import pytest

from sms_otp.domain import keys
from tests.proofs.handlers import OTHER, OWNER, Functions
from tests.proofs.scale import PROVE, scaled

RIGHT, WRONG = "123456", "000000"
"""`FakeProvider` has one code."""
MOST_APART = 0.005
"""Seconds between two medians."""


def pending(functions: Functions) -> str:
    return functions.request(sessionId="mine")


def verified(functions: Functions) -> str:
    verification_id = pending(functions)
    status, *_ = functions.post("/verify-otp", verificationId=verification_id, otp=RIGHT, sessionId="mine")
    assert status == 200
    return verification_id


def cancelled(functions: Functions) -> str:
    verification_id = pending(functions)
    assert functions.post("/cancel-otp", verificationId=verification_id)[0] == 200
    return verification_id


def expired(functions: Functions) -> str:
    verification_id = pending(functions)
    functions.clock.step(300)
    return verification_id


def locked(functions: Functions) -> str:
    verification_id = pending(functions)
    for _ in range(5):
        functions.post("/verify-otp", verificationId=verification_id, otp=WRONG, sessionId="mine")
    return verification_id


STATES = (expired, pending, verified, cancelled, locked)

# (path, tenant, members): also the owner's other session and other number, where the operation takes them.
STRANGERS: list[tuple[str, str, dict[str, Any]]] = [
    ("/verify-otp", OTHER, {"otp": RIGHT, "sessionId": "mine"}),
    ("/verify-otp", OTHER, {"otp": WRONG, "sessionId": "mine"}),
    ("/verify-otp", OWNER, {"otp": RIGHT, "sessionId": "another"}),
    ("/verify-otp", OWNER, {"otp": RIGHT}),
    ("/verify-otp", OWNER, {"otp": RIGHT, "sessionId": "mine", "phoneNumber": "+14155550199"}),
    ("/resend-otp", OTHER, {"sessionId": "mine"}),
    ("/resend-otp", OWNER, {"sessionId": "another"}),
    ("/resend-otp", OWNER, {}),
    ("/cancel-otp", OTHER, {}),
    ("/otp-status", OTHER, {}),
]


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(("path", "tenant", "members"), STRANGERS)
def test_a_stranger_gets_the_answer_of_an_unknown_verification(
    functions: Functions,
    state: Callable[[Functions], str],
    path: str,
    tenant: str,
    members: dict[str, Any],
) -> None:
    verification_id = state(functions)
    calls_before = len(functions.provider.checked), len(functions.provider.sent)
    of_existing = functions.post(path, tenant, verificationId=verification_id, **members)
    of_unknown = functions.post(path, tenant, verificationId=keys.new_nonce(), **members)
    assert of_existing == of_unknown
    assert (of_existing[0], of_existing[2]["errorCode"]) == (404, "VERIFICATION_NOT_FOUND")
    assert (len(functions.provider.checked), len(functions.provider.sent)) == calls_before


@pytest.mark.parametrize("path", ["/verify-otp", "/resend-otp", "/cancel-otp", "/otp-status"])
def test_nothing_is_counted_for_a_stranger(functions: Functions, path: str) -> None:
    verification_id = pending(functions)
    members = {"otp": WRONG} if path == "/verify-otp" else {}
    for _ in range(20):
        functions.post(path, OTHER, verificationId=verification_id, **members)
    _, _, status = functions.post("/otp-status", verificationId=verification_id)
    assert (status["status"], status["attemptsRemaining"]) == ("pending", 5)
    assert (
        functions.post("/verify-otp", verificationId=verification_id, otp=RIGHT, sessionId="mine")[0] == 200
    )


def test_a_stranger_waits_as_long_as_for_an_unknown_verification(
    functions: Functions,
) -> None:
    """Medians of interleaved requests, over HTTP to the store. Timed only in `make prove`."""
    cases: dict[str, tuple[str, dict[str, str]]] = {
        "unknown": (OWNER, {"verificationId": keys.new_nonce()}),
        "another tenant's": (OTHER, {"verificationId": pending(functions), "sessionId": "mine"}),
        "another session's": (OWNER, {"verificationId": pending(functions), "sessionId": "another"}),
        "another tenant's, cancelled": (OTHER, {"verificationId": cancelled(functions)}),
    }
    rounds = [name for name in cases for _ in range(scaled(20, 2000))]
    random.Random(1).shuffle(rounds)  # noqa: S311 - an order to try, not a secret
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    answers = set()
    for name in rounds:
        tenant, members = cases[name]
        began = time.perf_counter()
        answer = functions.post("/verify-otp", tenant, otp=RIGHT, **members)
        seconds[name].append(time.perf_counter() - began)
        answers.add(str(answer))
    medians = {name: median(times) for name, times in seconds.items()}
    print({name: f"{1000 * each:.3f} ms" for name, each in medians.items()})
    assert len(answers) == 1
    assert not PROVE or max(medians.values()) - min(medians.values()) <= MOST_APART
