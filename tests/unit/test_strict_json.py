"""A body is read in one way or refused; each refusal is a ValueError of fixed text."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_otp.domain.strict_json import LONGEST_NUMBER, parse_object
from sms_otp.entry_points import http
from tests.corpora.json_bodies import LIMIT, REQUEST_OTP, UNREADABLE, VERIFY_OTP, Body

READABLE = REQUEST_OTP + VERIFY_OTP
TOO_DEEP_FOR_SOME = ("arrays 2,000 deep, in a field", "arrays 2,000 deep, in an unknown field")
"""Bodies whose depth some versions of Python's parser refuse; the answer is a 400 either way."""

DETAILS = {
    f"longer than {LIMIT} bytes",
    "not UTF-8 text",
    "nested too deep",
    "not JSON",
    "not a JSON object",
    "duplicate key",
    "NaN and Infinity are not JSON",
    "a number is too long",
    "a number is too large",
}


def named(body: Body) -> str:
    return body.name


def read(data: bytes, limit: int) -> tuple[dict[str, Any] | None, str]:
    """The object read and no detail, or None and the detail of the refusal."""
    try:
        return parse_object(data, limit=limit), ""
    except ValueError as error:
        return None, str(error)


def refusal(data: bytes, limit: int = LIMIT) -> str:
    """The detail with which the bytes are refused."""
    document, detail = read(data, limit)
    assert document is None
    return detail


def test_the_corpus_has_enough_rows() -> None:
    assert len(UNREADABLE) + len(READABLE) >= 120


@pytest.mark.parametrize("bodies", [UNREADABLE, REQUEST_OTP, VERIFY_OTP])
def test_no_body_of_the_corpus_stands_twice(bodies: tuple[Body, ...]) -> None:
    assert len({body.name for body in bodies}) == len(bodies)
    assert len({body.raw for body in bodies}) == len(bodies)


def test_the_corpus_and_the_function_agree_on_the_longest_body() -> None:
    assert http.BODY_LIMIT == LIMIT


@pytest.mark.parametrize("body", UNREADABLE, ids=named)
def test_an_unreadable_body_is_refused_in_fixed_words(body: Body) -> None:
    assert refusal(body.raw) in DETAILS


@pytest.mark.parametrize("body", [body for body in READABLE if body.name not in TOO_DEEP_FOR_SOME], ids=named)
def test_a_readable_body_is_read_as_every_parser_would(body: Body) -> None:
    assert parse_object(body.raw, limit=LIMIT) == json.loads(body.raw)


@pytest.mark.parametrize(
    ("raw", "detail"),
    [
        (b" " * 9, "longer than 8 bytes"),
        (b"\xff", "not UTF-8 text"),
        (b'{"\xc3"}', "not UTF-8 text"),
        (b"{}x", "not JSON"),
        (b"[1,2]", "not a JSON object"),
        (b"NaN", "NaN and Infinity are not JSON"),
        (b"[1e999]", "a number is too large"),
        (b"-1e999", "a number is too large"),
    ],
)
def test_a_refusal_says_what_is_wrong(raw: bytes, detail: str) -> None:
    assert refusal(raw, limit=8) == detail


def test_the_error_for_a_duplicate_key_does_not_show_the_key() -> None:
    assert refusal(b'{"a":1,"\\u0061":1}') == "duplicate key"


def test_the_same_key_may_stand_in_two_objects() -> None:
    assert parse_object(b'{"a":{"a":1},"b":{"a":2}}', limit=LIMIT) == {"a": {"a": 1}, "b": {"a": 2}}


def test_a_pair_of_surrogates_is_one_character() -> None:
    assert parse_object(b'{"a":"\\ud83d\\ude00"}', limit=LIMIT) == {"a": "\U0001f600"}


def test_a_lone_surrogate_is_not_text() -> None:
    assert refusal(b'{"a":"\\ud800"}') == "not UTF-8 text"


def test_the_limit_is_of_bytes_not_of_characters() -> None:
    raw = '{"a":"é"}'.encode()
    assert parse_object(raw, limit=len(raw)) == {"a": "é"}
    assert refusal(raw, limit=len(raw) - 1) == f"longer than {len(raw) - 1} bytes"


@pytest.mark.parametrize("sign", ["", "-"])
def test_the_longest_number_is_read_and_a_longer_one_is_not(sign: str) -> None:
    digits = sign + "9" * (LONGEST_NUMBER - len(sign))
    assert parse_object(f'{{"n":{digits}}}'.encode(), limit=LIMIT) == {"n": int(digits)}
    assert refusal(f'{{"n":{digits}9}}'.encode()) == "a number is too long"


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)
    ),
    max_leaves=10,
)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), JSON_VALUES), st.booleans())
def test_any_json_object_is_read_back(document: dict[str, Any], ascii_only: bool) -> None:
    written = json.dumps(document, ensure_ascii=ascii_only).encode()
    assert parse_object(written, limit=len(written)) == document


def finite(value: Any) -> bool:
    """Whether no number in a document is NaN or infinite."""
    if isinstance(value, dict):
        return all(finite(member) for member in value.values())
    if isinstance(value, list):
        return all(finite(member) for member in value)
    return not isinstance(value, float) or math.isfinite(value)


@given(st.binary(max_size=200) | st.text('{}[]":,\\ued80019.-NaI \n+', max_size=60).map(str.encode))
def test_any_bytes_are_an_object_that_can_be_written_back_or_a_value_error(data: bytes) -> None:
    document, detail = read(data, LIMIT)
    if document is None:
        assert detail in DETAILS
        return
    assert finite(document)
    assert json.loads(json.dumps(document, ensure_ascii=False).encode()) == document
