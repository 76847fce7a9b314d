"""Idempotency records: what is stored of a request, and what its repetition is answered."""

import pytest

from fakes.memory import PEPPER, START
from sms_otp.domain import errors, idempotency
from sms_otp.domain.commands import RequestOtp
from sms_otp.domain.idempotency import (
    KEEP_SECONDS,
    RUNNING_SECONDS,
    IdempotencyRecord,
    StoredAnswer,
    earlier_answer,
)
from sms_otp.domain.provider import Channel
from sms_otp.domain.users import Consent

NOW = int(START)
MINE = IdempotencyRecord("a-key", "a-fingerprint", "a-nonce", NOW)


def test_a_request_is_stored_under_the_key_and_fingerprint_of_older_versions() -> None:
    """Vectors made with OpenSSL. Else the retry of a request that an older version took would send again."""
    asked = RequestOtp("+14155550123", purpose="login")
    made = idempotency.idempotency_record(PEPPER, "tenant-a", "a-key", asked.body, NOW)
    assert (made.key, made.fingerprint) == (
        "6130c2225c8033e76852b59b35088ebc9a9062eea25b13dea33502fada45bc4a",
        "7e5c52020454abfe41d8d22d69c16b7dc94c292bd6776302f59589e55909e70f",
    )
    assert (made.started_at, made.answer) == (NOW, None)


def test_two_requests_with_one_key_have_nonces_of_their_own() -> None:
    nonces = {idempotency.idempotency_record(PEPPER, "tenant-a", "a-key", {}, NOW).nonce for _ in range(10)}
    assert len(nonces) == 10


def test_the_order_of_a_bodys_members_changes_no_fingerprint() -> None:
    one = idempotency.idempotency_record(PEPPER, "tenant-a", "a-key", {"a": 1, "b": 2}, NOW)
    other = idempotency.idempotency_record(PEPPER, "tenant-a", "a-key", {"b": 2, "a": 1}, NOW)
    assert one.fingerprint == other.fingerprint


ASKED = RequestOtp("+14155550123", session_id="s", client_ip="192.0.2.7", consent=Consent("terms", "form"))


@pytest.mark.parametrize(
    "other",
    [
        RequestOtp("+14155550124", session_id="s", client_ip="192.0.2.7", consent=Consent("terms", "form")),
        RequestOtp("+14155550123", session_id="t", client_ip="192.0.2.7", consent=Consent("terms", "form")),
        RequestOtp("+14155550123", session_id="s", client_ip="192.0.2.8", consent=Consent("terms", "form")),
        RequestOtp("+14155550123", session_id="s", client_ip="192.0.2.7", consent=Consent("other", "form")),
        RequestOtp("+14155550123", session_id="s", client_ip="192.0.2.7", consent=Consent("terms", "other")),
        RequestOtp("+14155550123", session_id="s", client_ip="192.0.2.7"),
        RequestOtp(
            "+14155550123", Channel.VOICE, session_id="s", client_ip="192.0.2.7", consent=ASKED.consent
        ),
        RequestOtp("+14155550123", purpose="s", client_ip="192.0.2.7", consent=ASKED.consent),
        RequestOtp("+14155550123", locale="s", client_ip="192.0.2.7", consent=ASKED.consent),
    ],
)
def test_every_member_of_a_request_is_a_part_of_its_fingerprint(other: RequestOtp) -> None:
    made = [
        idempotency.idempotency_record(PEPPER, "a", "k", asked.body, NOW).fingerprint
        for asked in (ASKED, other)
    ]
    assert made[0] != made[1]


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (StoredAnswer(NOW + 300, 30), "[1800000300, 30, null]"),
        (StoredAnswer(error="PROVIDER_REJECTED"), '[0, 0, "PROVIDER_REJECTED"]'),
        (StoredAnswer(error="PROVIDER_UNAVAILABLE", resend_after=60), '[0, 60, "PROVIDER_UNAVAILABLE"]'),
    ],
)
def test_an_answer_is_stored_as_older_versions_stored_it(answer: StoredAnswer, text: str) -> None:
    assert answer.dump() == text
    assert StoredAnswer.load(text) == answer


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("PROVIDER_REJECTED", errors.ProviderRejected),
        ("PROVIDER_UNAVAILABLE", errors.ProviderUnavailable),
    ],
)
def test_an_error_is_given_again_with_the_time_to_wait_that_it_had(
    code: str, kind: type[errors.OtpError]
) -> None:
    with pytest.raises(kind) as raised:
        StoredAnswer(error=code, resend_after=60).raise_error()
    assert (raised.value.retry_after, raised.value.reason) == (60, "replayed")
    StoredAnswer(NOW, 30).raise_error()


def found(**changes: object) -> IdempotencyRecord:
    whole: dict[str, object] = {"key": "a-key", "fingerprint": "a-fingerprint", "nonce": "another"}
    return IdempotencyRecord(**whole | {"started_at": NOW} | changes)  # type: ignore[arg-type] # as a caller gives them


def test_a_request_whose_key_is_free_or_free_again_is_the_first() -> None:
    assert earlier_answer(None, MINE) is None
    answered = StoredAnswer(NOW, 30)
    assert earlier_answer(found(started_at=NOW - KEEP_SECONDS, answer=answered), MINE) is None
    assert earlier_answer(found(started_at=NOW - KEEP_SECONDS + 1, answer=answered), MINE) == answered


def test_a_key_that_came_with_another_body_is_refused_before_anything_is_answered() -> None:
    with pytest.raises(errors.IdempotencyKeyReused):
        earlier_answer(found(fingerprint="another", answer=StoredAnswer(NOW, 30)), MINE)


def test_while_the_first_request_may_run_its_repetition_waits_a_second() -> None:
    with pytest.raises(errors.RequestInProgress) as refused:
        earlier_answer(found(started_at=NOW - RUNNING_SECONDS + 1), MINE)
    assert refused.value.retry_after == 1


def test_a_request_that_died_is_answered_as_a_send_of_unknown_outcome() -> None:
    assert earlier_answer(found(started_at=NOW - RUNNING_SECONDS), MINE) == StoredAnswer(
        error="PROVIDER_UNAVAILABLE", resend_after=RUNNING_SECONDS
    )


def test_a_key_is_kept_for_a_day_and_a_request_runs_no_longer_than_half_a_minute() -> None:
    assert MINE.expires_at == NOW + 24 * 3600
    assert RUNNING_SECONDS == 30
