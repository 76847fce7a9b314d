"""Phone numbers: strict E.164 of the kinds that codes are sent to, each in one spelling."""

import dataclasses
import re
from collections.abc import Callable

import phonenumbers
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sms_otp.domain import phone
from sms_otp.domain.errors import DestinationNotAllowed, InvalidPhoneNumber, OtpError
from tests.corpora import phone_numbers
from tests.corpora.phone_numbers import ROWS, SENDABLE, Row

CANONICAL = sorted({row.expected for row in SENDABLE})


def shown(row: Row) -> str:
    return ascii(row.text[:40])


def refusal(act: Callable[[str], object], text: str) -> OtpError | None:
    """The error with which a text is refused, if it is."""
    try:
        act(text)
    except OtpError as error:
        return error
    return None


def outcome(text: str) -> str:
    """The canonical number, or the errorCode."""
    refused = refusal(phone.parse, text)
    return refused.code if refused else phone.parse(text).e164


def test_the_corpus_has_enough_rows() -> None:
    assert len(ROWS) >= 300
    assert len({row.expected for row in phone_numbers.MOBILE}) >= 100


def test_no_row_of_the_corpus_stands_twice() -> None:
    assert len({row.text for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=shown)
def test_a_text_parses_to_the_expected_outcome(row: Row) -> None:
    assert outcome(row.text) == row.expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("4155550177", "not E.164"),
        ("+999123456789", "no country code"),
        ("+447700900123", "no number of its country's plan"),
        ("+4407400123456", "another spelling"),
    ],
)
def test_an_invalid_number_has_a_reason_for_the_log(text: str, reason: str) -> None:
    refused = refusal(phone.parse, text)
    assert isinstance(refused, InvalidPhoneNumber)
    assert refused.reason == reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [("+870301234567", "no country"), ("+441212345678", "kind of number")],
)
def test_a_refused_destination_has_a_reason_for_the_log(text: str, reason: str) -> None:
    refused = refusal(phone.parse, text)
    assert isinstance(refused, DestinationNotAllowed)
    assert refused.reason == reason


@pytest.mark.parametrize("e164", CANONICAL)
def test_a_canonical_number_is_its_own_only_spelling(e164: str) -> None:
    assert outcome(e164) == e164


@pytest.mark.parametrize("row", phone_numbers.HABITS, ids=shown)
def test_a_habitual_spelling_shares_the_limits_of_the_canonical_one(row: Row) -> None:
    """The limits are kept by `e164`: a second spelling of a subscriber would be a second set of them."""
    assert outcome(row.text) in (*CANONICAL, phone_numbers.INVALID, phone_numbers.REFUSED)


@pytest.mark.parametrize("e164", CANONICAL)
def test_a_number_knows_its_country_and_its_digits(e164: str) -> None:
    number = phone.parse(e164)
    assert re.fullmatch("[A-Z]{2}", number.country)
    assert number.digits == e164.removeprefix("+")


@pytest.mark.parametrize(
    ("e164", "country"),
    [
        ("+14155550177", "US"),
        ("+16135550123", "CA"),
        ("+447400123456", "GB"),
        ("+447624000000", "IM"),
        ("+79123456789", "RU"),
        ("+77710009998", "KZ"),
    ],
)
def test_countries_that_share_a_calling_code_are_distinguished(e164: str, country: str) -> None:
    assert phone.parse(e164).country == country


REFUSED_ROWS = [row for row in ROWS if not row.expected.startswith("+")]


@pytest.mark.parametrize("row", [row for row in REFUSED_ROWS if len(row.text) > 3], ids=shown)
def test_a_refusal_does_not_repeat_the_input(row: Row) -> None:
    refused = refusal(phone.parse, row.text)
    assert refused is not None
    written = f"{refused} {refused.reason or ''} {refused.errors}"
    # The detail names an example of its own, the same for all.
    assert row.text not in written.replace(InvalidPhoneNumber.detail, "")
    assert refused.__context__ is None or refused.__suppress_context__


E164_TEXT = st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True)


def digits_shown(masked: str) -> int:
    return sum(character.isdigit() for character in masked)


@given(E164_TEXT)
@example("+14155550177")
@example("+6834002")
@example("+999999999999999")
def test_a_mask_hides_at_least_five_digits_and_shows_at_most_six(e164: str) -> None:
    masked = phone.mask(e164)
    assert len(masked) == len(e164)
    assert masked.count("*") >= 5
    assert digits_shown(masked) <= 6


@pytest.mark.parametrize(
    ("e164", "masked"),
    [
        ("+14155550171", "+1415*****71"),
        ("+447400123456", "+4474******56"),
        ("+6834002", "+*****02"),
        ("+24740123", "+2*****23"),
    ],
)
def test_a_mask_looks_as_documented(e164: str, masked: str) -> None:
    assert phone.mask(e164) == masked


@given(E164_TEXT)
def test_a_mask_changes_nothing_that_it_shows(e164: str) -> None:
    assert all(seen in ("*", real) for seen, real in zip(phone.mask(e164), e164, strict=True))


@pytest.mark.parametrize("e164", CANONICAL)
def test_a_number_is_hidden_wherever_it_is_written_out(e164: str) -> None:
    number = phone.parse(e164)
    for written in (repr(number), str(number), f"{number}", f"{number!r}", number.masked, repr([number])):
        assert e164 not in written
        assert number.digits not in written
        assert phone.mask(e164) in written


def test_a_number_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        phone.parse("+14155550177").e164 = "+14155550178"  # type: ignore[misc] # the assignment under test


# Any text, and text that looks enough like a number to get past the first look at it.
NEARLY = st.builds(
    lambda start, cut, middle: start[:cut] + middle + start[cut:],
    st.sampled_from(CANONICAL),
    st.integers(0, 13),
    st.text("0123456789+ \n\uff11\u0661", max_size=3),
)


@given(st.text() | E164_TEXT | NEARLY)
def test_any_text_is_a_number_in_its_one_spelling_or_is_refused(text: str) -> None:
    if refusal(phone.parse, text):
        return
    number = phone.parse(text)
    assert phone.E164.fullmatch(number.e164)
    assert phone.parse(number.e164) == number


@given(st.text() | E164_TEXT | NEARLY)
def test_any_text_is_comparable_exactly_if_it_is_e164(text: str) -> None:
    refused = refusal(phone.canonical, text)
    if phone.E164.fullmatch(text):
        spelled = phone.canonical(text)
        assert phone.E164.fullmatch(spelled)
        assert phone.canonical(spelled) == spelled
    else:
        assert refused is not None
        assert refused.code == phone_numbers.INVALID


@pytest.mark.parametrize(
    "text", ["+12125550147", "+441212345678", "+390212345678", "+870301234567", "+99912345678"]
)
def test_a_number_that_is_no_longer_sent_to_can_still_be_looked_up(text: str) -> None:
    """An administrator may look up a number that was sent to while its kind or plan was another."""
    found = phone.parse_any_kind(text)
    assert found.e164 == text
    assert phone.parse_any_kind("+14155550123") == phone.parse("+14155550123")


@pytest.mark.parametrize(
    ("text", "country"), [("+441212345678", "ZZ"), ("+99912345678", "ZZ"), ("+447400123456", "GB")]
)
def test_a_number_that_is_not_sent_to_is_looked_up_without_a_country(text: str, country: str) -> None:
    assert phone.parse_any_kind(text).country == country


def test_a_number_that_is_not_e164_cannot_be_looked_up() -> None:
    with pytest.raises(InvalidPhoneNumber):
        phone.parse_any_kind("4155550123")


@pytest.mark.parametrize(
    "spellings",
    [
        ("+24107123456", "+2417123456", "+24177123456"),
        ("+24102474849", "+2412474849", "+24162474849"),
        ("+24105123456", "+24165123456"),
        ("+24104123456", "+24174123456"),
        ("+24106123456", "+24166123456"),
    ],
)
def test_a_gabonese_number_of_before_2019_is_the_same_subscriber(spellings: tuple[str, ...]) -> None:
    assert {phone.parse(spelled).e164 for spelled in spellings} == {spellings[-1]}


def test_load_reads_the_numbering_plans_of_the_given_countries(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: list[str] = []
    monkeypatch.setattr(phonenumbers.PhoneMetadata, "metadata_for_region", read.append)
    phone.load(("US", "GB"))
    assert read == ["US", "GB"]


@pytest.mark.parametrize("national", ["592123456", "599123456", "562123456", "569123456"])
def test_a_palestinian_number_behind_israels_country_code_is_the_same_subscriber(national: str) -> None:
    number = phone.parse(f"+972{national}")
    assert (number.e164, number.country) == (f"+970{national}", "PS")
    assert number == phone.parse(f"+970{national}")


@pytest.mark.parametrize("israeli", ["+972502345678", "+972552012345", "+972542234567"])
def test_an_israeli_number_stays_one(israeli: str) -> None:
    assert phone.parse(israeli).country == "IL"
