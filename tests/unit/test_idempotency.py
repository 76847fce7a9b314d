"""Idempotency records: the stored form of a request, and the answer to a retry."""

from typing import Any

import pytest

from fakes.memory import PEPPER, START, StepClock
from sms_otp.domain import errors, idempotency, keys
from sms_otp.domain.clock import Seconds
from sms_otp.domain.commands import Policy, ResendOtp
from sms_otp.domain.idempotency import (
    KEEP_SECONDS,
    RUNNING_SECONDS,
    IdempotencyRecord,
    StoredAnswer,
    earlier_answer,
)
from sms_otp.domain.keys import Peppers
from sms_otp.domain.provider import Channel
from sms_otp.use_cases.resend import resend_code
from tests.unit.world import World

NOW = Seconds(START)
KEY = "9612f4b707ba265ccd02b98e16d03919e505ccdfa7193f3dadc2521f308f9496"
FINGERPRINT = "9fe5c97edecc5c3907a52e56de0b30dd498b100d7b29e4d9aa30a8a22bf18c7e"
MINE = IdempotencyRecord("a-key", "a-fingerprint", "a-nonce", NOW)


ABOUT = ("request", "+14155550123", "sms", "login", None)


def made(*peppers: str, about: tuple[str | None, ...] = ABOUT) -> tuple[IdempotencyRecord, ...]:
    return idempotency.idempotency_records(Peppers(*(peppers or (PEPPER,))), "tenant-a", "a-key", about, NOW)


def test_a_request_is_stored_under_the_key_and_fingerprint_of_this_vector() -> None:
    """Else the retry of a request that an older version took would send again."""
    (record,) = made()
    assert (record.key, record.fingerprint) == (KEY, FINGERPRINT)
    assert (record.started_at, record.answer, record.keys) == (NOW, None, (KEY,))


@pytest.mark.parametrize(
    ("operation", "key", "fingerprint"),
    [
        ("request", KEY, "0683030409cd04cdd425a58c4b95201d4d4968542c71bd6a53bef6300358144b"),
        (
            "resend",
            "894d641f2e46ff99238a522d061c0ade4c4fd1805820af4c194261aab31a4819",
            "b346a0e1a811851475cf8fa2b52025b44dd410f9cc03c834c405e37bbca23e2e",
        ),
        (
            "verify",
            "d78913099c08ba044b634c8f6ce1d2ecbf26ab2194236c266cd0d2ee9a9d99b6",
            "1700874e63424aeb701158fd0281c8304065182d67387bb7f05fbe4890b8eb27",
        ),
    ],
)
def test_each_operation_is_stored_under_the_key_and_fingerprint_of_this_vector(
    policy: Policy,
    clock: StepClock,
    monkeypatch: pytest.MonkeyPatch,
    operation: str,
    key: str,
    fingerprint: str,
) -> None:
    monkeypatch.setattr(keys, "new_nonce", lambda: "a-nonce")
    world = World(policy, clock)
    fields_of: dict[str, dict[str, Any]] = {
        each: {"session_id": "a-session"} for each in ("request", "resend", "verify")
    }
    fields_of[operation]["idempotency_key"] = "a-key"
    verification_id = world.request(purpose="login", **fields_of["request"])
    clock.step(60)
    resend = ResendOtp(verification_id, Channel.VOICE, **fields_of["resend"])
    resend_code(world.service, resend, world.caller())
    assert world.verify(verification_id, **fields_of["verify"]) == "ok"
    (record,) = world.store.idempotency_records.values()
    assert (record.key, record.fingerprint) == (key, fingerprint)


def test_without_a_key_nothing_is_stored() -> None:
    assert idempotency.idempotency_records(Peppers(PEPPER), "tenant-a", None, ABOUT, NOW) == ()


def test_two_requests_with_one_key_have_nonces_of_their_own() -> None:
    assert len({made()[0].nonce for _ in range(10)}) == 10


def test_during_rotation_a_request_is_stored_under_both_peppers() -> None:
    ours, theirs = made("another-pepper", PEPPER)
    assert (ours.twin, theirs.key, theirs.fingerprint) == (theirs, KEY, FINGERPRINT)
    assert ours.keys == (ours.key, KEY)
    assert ours.nonce == theirs.nonce
    answered = idempotency.answered(idempotency.about_verification(ours, "v"), StoredAnswer(NOW))
    assert answered is not None
    assert answered.twin is not None
    assert {(each.verification, each.answer) for each in (answered, answered.twin)} == {
        ("v", StoredAnswer(NOW))
    }


@pytest.mark.parametrize("position", range(1, len(ABOUT)))
def test_every_field_of_a_request_changes_its_fingerprint(position: int) -> None:
    other = (*ABOUT[:position], "another", *ABOUT[position + 1 :])
    assert made(about=other)[0].fingerprint != FINGERPRINT
    assert made(about=other)[0].key == KEY


def test_each_operation_has_keys_of_its_own() -> None:
    assert made(about=("resend", *ABOUT[1:]))[0].key != KEY


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (StoredAnswer(NOW + Seconds(300), Seconds(30)), "[1800000300, 30, null, null, null]"),
        (StoredAnswer(error="PROVIDER_REJECTED"), '[0, 0, "PROVIDER_REJECTED", null, null]'),
        (
            StoredAnswer(error="OTP_INCORRECT", resend_after=Seconds(60), attempts_remaining=0),
            '[0, 60, "OTP_INCORRECT", 0, null]',
        ),
    ],
)
def test_a_stored_answer_keeps_its_format(answer: StoredAnswer, text: str) -> None:
    assert answer.dump() == text
    assert StoredAnswer.load(text) == answer


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("PROVIDER_REJECTED", errors.ProviderRejected),
        ("PROVIDER_UNAVAILABLE", errors.ProviderUnavailable),
    ],
)
def test_a_replayed_error_keeps_its_retry_after(code: str, kind: type[errors.OtpError]) -> None:
    with pytest.raises(kind) as raised:
        StoredAnswer(error=code, resend_after=Seconds(60)).raise_error()
    assert (raised.value.retry_after, raised.value.reason) == (60, "replayed")
    StoredAnswer(NOW, Seconds(30)).raise_error()


def found(**changes: object) -> IdempotencyRecord:
    whole: dict[str, object] = {"key": "a-key", "fingerprint": "a-fingerprint", "nonce": "another"}
    return IdempotencyRecord(**whole | {"started_at": NOW} | changes)  # type: ignore[arg-type] # as a caller gives them


def test_a_request_is_the_first_if_its_key_is_new_or_has_expired() -> None:
    assert earlier_answer(None, MINE) is None
    answered = StoredAnswer(NOW, Seconds(30))
    assert earlier_answer(found(started_at=NOW - KEEP_SECONDS, answer=answered), MINE) is None
    assert earlier_answer(found(started_at=NOW - KEEP_SECONDS + 1, answer=answered), MINE) == answered


def test_a_key_reused_with_another_body_is_refused() -> None:
    with pytest.raises(errors.IdempotencyKeyReused):
        earlier_answer(found(fingerprint="another", answer=StoredAnswer(NOW, Seconds(30))), MINE)


def test_a_retry_waits_a_second_while_the_first_request_runs() -> None:
    with pytest.raises(errors.RequestInProgress) as refused:
        earlier_answer(found(started_at=NOW - RUNNING_SECONDS + 1), MINE)
    assert refused.value.retry_after == 1


def test_a_retry_of_a_request_that_died_gets_an_unknown_outcome() -> None:
    assert earlier_answer(found(started_at=NOW - RUNNING_SECONDS), MINE) == StoredAnswer(
        error="PROVIDER_UNAVAILABLE", resend_after=RUNNING_SECONDS
    )


def test_a_key_is_kept_for_a_day_and_a_request_runs_for_at_most_30_seconds() -> None:
    assert MINE.expires_at == NOW + 24 * 3600
    assert RUNNING_SECONDS == 30
