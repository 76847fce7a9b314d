"""The outcome of an exchange with any provider: kind, reason, status and time to wait."""

import pytest

from sms_otp.adapters.providers import outcomes
from sms_otp.adapters.providers.transport import HttpResponse, NoAnswer, RequestNotSent, TransportError
from sms_otp.domain.clock import Deadline, Seconds
from sms_otp.domain.provider import (
    Ambiguous,
    Doubtful,
    Misconfigured,
    NotSent,
    ProviderError,
    Refused,
    Throttled,
    TooLate,
)
from tests.unit.providers.scripted import DEADLINE, ScriptedTransport, answer

OVER = Deadline(0, monotonic=lambda: 0.0)


def ask(outcome: HttpResponse | TransportError, deadline: Deadline = DEADLINE) -> HttpResponse:
    return outcomes.ask(
        "sinch",
        ScriptedTransport(outcome),
        "POST",
        "https://verification.api.sinch.com/",
        headers={},
        body=b"",
        deadline=deadline,
    )


@pytest.mark.parametrize(
    ("error", "deadline", "kind"),
    [
        (RequestNotSent("no connection"), DEADLINE, NotSent),
        (RequestNotSent("no connection"), OVER, TooLate),
        (NoAnswer("timeout"), DEADLINE, Ambiguous),
        (NoAnswer("timeout"), OVER, Ambiguous),
    ],
)
def test_an_exchange_without_an_answer_names_provider_and_reason(
    error: TransportError, deadline: Deadline, kind: type[ProviderError]
) -> None:
    with pytest.raises(ProviderError) as raised:
        ask(error, deadline)
    assert type(raised.value) is kind
    assert (raised.value.provider, raised.value.reason) == ("sinch", error.reason)
    assert str(raised.value) == f"sinch: {error.reason}"


def test_an_exchange_passes_on_its_request() -> None:
    transport = ScriptedTransport(answer(200, {}))
    got = outcomes.ask(
        "sinch", transport, "PUT", "https://a.example/b", headers={"a": "b"}, body=b"c", deadline=DEADLINE
    )
    (call,) = transport.calls
    assert got.status == 200
    assert (call.method, call.url, call.headers, call.body, call.deadline) == (
        "PUT",
        "https://a.example/b",
        {"a": "b"},
        b"c",
        DEADLINE,
    )


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (300, NotSent),
        (307, NotSent),
        (400, Misconfigured),
        (401, Misconfigured),
        (403, Misconfigured),
        (408, NotSent),
        (409, Ambiguous),
        (410, Misconfigured),
        (428, Misconfigured),
        (429, Throttled),
        (430, Misconfigured),
        (499, Misconfigured),
        (500, Doubtful),
        (501, Ambiguous),
        (502, Doubtful),
        (503, Doubtful),
        (504, Ambiguous),
        (520, Ambiguous),
        (199, Ambiguous),
    ],
)
def test_a_status_stands_for_one_kind_of_failure(status: int, kind: type[ProviderError]) -> None:
    failed = outcomes.failure("sinch", answer(status, b"", retry_after=Seconds(9)))
    assert type(failed) is kind
    reason = "redirect" if 300 <= status < 400 else f"http_{status}"
    assert (failed.provider, failed.reason, failed.status, failed.retry_after) == ("sinch", reason, status, 9)


def test_a_providers_own_code_takes_precedence_over_the_status() -> None:
    failed = outcomes.failure("sinch", answer(503), code="42901", kind=Refused)
    assert (type(failed), failed.reason, failed.status) == (Refused, "42901", 503)
    assert outcomes.failure("sinch", answer(302), code="42901").reason == "redirect"


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"", b"\xff"])
def test_a_success_without_a_json_object_is_ambiguous(body: bytes) -> None:
    with pytest.raises(Ambiguous) as raised:
        outcomes.content("sinch", answer(200, body))
    assert raised.value.provider == "sinch"
    assert outcomes.error_content(answer(503, body)) == {}


def test_the_object_of_an_answer_is_returned() -> None:
    assert outcomes.content("sinch", answer(200, {"a": 1})) == {"a": 1}
    assert outcomes.error_content(answer(400, {"a": 1})) == {"a": 1}


@pytest.mark.parametrize(
    ("value", "is_valid"),
    [
        ("018c25e1-7163-5677-b8fb-467d7b1cffa5", True),
        ("a", True),
        ("a" * 256, True),
        ("a" * 257, False),
        ("", False),
        (".", False),
        ("..", False),
        ("...", True),
        ("ä", False),
        ("a\n", False),
        (None, False),
        (7, False),
    ],
)
def test_a_reference_can_be_stored_and_put_into_a_path(value: object, is_valid: bool) -> None:
    assert outcomes.is_reference(value) is is_valid


def test_a_word_that_is_no_string_is_empty() -> None:
    assert [outcomes.word(value) for value in ("FAILED", None, 7, ["FAILED"])] == ["FAILED", "", "", ""]
