"""The input of `<otp-form>`: numbers and codes in every script, pasted, dropped, composed."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import CODE, PASTE, button, code, number, put_form, request_code, sent, show
from tests.chromium import StubBackend

pytestmark = pytest.mark.long

DROP = """(input, text) => {
  const data = new DataTransfer();
  data.setData("text", text);
  input.dispatchEvent(new DragEvent("drop", { dataTransfer: data, cancelable: true }));
}"""

COMPOSED = [
    ("GB", "07400123456", "07400 123456", "+447400123456"),
    ("GB", "०७४००१२३४५६", "07400 123456", "+447400123456"),
    ("US", "+447400123456", "+44 7400 123456", "+447400123456"),
]

ONE_CODE = [
    "Your 2FA code is 482913. Valid 5 minutes.\n\n@example.com #482913",
    "Your 2FA code is 482913. Valid 5 minutes.",
    "482913 is your code. Do not share 482913.",
    "Your Acme2Go code is 482913.\n@acme2go.com #482913",
    "Order 111111 is ready. Code 482913.\n@example.com #482913 @shop.example",
    "Your code is 482913.@example.com #482913",
    "رمزك صالح لمدة ٥ دقائق: ٤٨٢٩١٣",
    "您的验证码是482913请勿泄露",
    "인증번호는482913입니다",
    "G-482913 is your code",
    "Code: 482-913, until 12:30",
    "Code 482 913",
    "4 8 2 9 1 3",
    "482–913",
    "482\u200b913",
    "Order 4829137, code 482913",
    "Call +1 415 555 0123 or type 482913",
    "४८२९१३",
]

NO_CODE = [
    "+14155550123",
    "12/11/2026",
    "12-11-20",
    "4829137",
    "4829134829137",
    "111111 or 222222",
    "A4829131",
    "$482913",
    "482.913",
    "415 555 012",
    "Your code is 482913.\n@example.com #4829",
    "no digits at all",
]


def keyboard_of(page: Page) -> Any:
    return page.context.new_cdp_session(page)


def compose(keyboard: Any, text: str) -> None:
    """Type a text as an input method does: compose each prefix, then insert the whole."""
    for end in range(1, len(text) + 1):
        composed = {"text": text[:end], "selectionStart": end, "selectionEnd": end}
        keyboard.send("Input.imeSetComposition", composed)
    keyboard.send("Input.insertText", {"text": text})


@pytest.mark.parametrize(("country", "typed", "shown", "e164"), COMPOSED)
def test_a_number_that_an_input_method_composes_is_not_doubled(
    page: Page, backend: StubBackend, country: str, typed: str, shown: str, e164: str
) -> None:
    put_form(page, country=country)
    number(page).focus()
    compose(keyboard_of(page), typed)
    expect(number(page)).to_have_value(shown)
    backend.will(200, sent())
    number(page).press("Enter")
    expect(code(page)).to_be_focused()
    assert backend.calls[0][1]["phoneNumber"] == e164


@pytest.mark.parametrize("text", ONE_CODE)
def test_the_one_code_in_a_text_is_verified_at_once(page: Page, backend: StubBackend, text: str) -> None:
    request_code(page, backend)
    for put_in in (PASTE, DROP):
        backend.will_refuse(400, "OTP_INCORRECT", attemptsRemaining=4)
        with page.expect_response("**/demo/verify-code"):
            code(page).evaluate(put_in, text)
        expect(code(page)).to_have_value(CODE)
        expect(code(page)).to_have_attribute("aria-invalid", "true")
    assert backend.calls[1:] == [("verify", {"otp": CODE})] * 2


@pytest.mark.parametrize("text", NO_CODE)
def test_a_text_without_one_code_spends_no_attempt(page: Page, backend: StubBackend, text: str) -> None:
    request_code(page, backend)
    for put_in in (PASTE, DROP):
        code(page).evaluate(put_in, text)
        expect(code(page)).to_have_attribute("aria-invalid", "true")
    code(page).fill("")
    page.keyboard.insert_text(text)
    page.evaluate("(text) => document.querySelector('otp-form').fill(text)", text)
    expect(button(page, "Verify")).to_have_attribute("aria-disabled", "false")
    assert [step for step, _ in backend.calls] == ["request"]


def test_the_pasted_first_digits_of_a_code_can_be_completed(page: Page, backend: StubBackend) -> None:
    request_code(page, backend)
    code(page).evaluate(PASTE, " 48-29 ")
    expect(code(page)).to_have_value("4829")
    code(page).press_sequentially("13")
    expect(code(page)).to_have_value(CODE)
    assert len(backend.calls) == 1


def test_a_date_or_a_part_of_a_number_is_not_taken_for_a_code(page: Page, backend: StubBackend) -> None:
    put_form(page, code_length="4")
    backend.will(200, sent())
    number(page).fill("+14155550123")
    number(page).press("Enter")
    field = page.get_by_role("textbox", name="4-digit code")
    for text in ("12/11/2026", "2026-11-12", "12:30", "+1 415 555 0123"):
        field.evaluate(PASTE, text)
        expect(field).to_have_value("")
    backend.will(200, {})
    field.evaluate(PASTE, "12/11/2026: your code is 4829")
    expect(page.get_by_role("group", name="verified")).to_be_visible()
    assert backend.calls[-1] == ("verify", {"otp": "4829"})


@pytest.mark.parametrize("typed", ["४८२९१३", "౪౮౨౯౧౩", "４８２９１３", "٤٨٢٩١٣", "៤៨២៩១៣", "𝟺𝟾𝟸𝟿𝟷𝟹"])
def test_a_code_is_typed_in_the_digits_of_any_script(page: Page, backend: StubBackend, typed: str) -> None:
    request_code(page, backend)
    for digit in typed[:-1]:
        page.keyboard.insert_text(digit)
    backend.will(200, {})
    page.keyboard.insert_text(typed[-1])
    if page.locator("otp-form").get_attribute("step") == "code":
        expect(code(page)).to_have_value(CODE)
        code(page).press("Enter")
    expect(page.get_by_role("group", name="verified")).to_be_visible()
    assert backend.calls[-1] == ("verify", {"otp": CODE})


@pytest.mark.parametrize("library", [True, False])
@pytest.mark.parametrize(
    ("put_in", "e164"),
    [
        ("＋１４１５５５５０１２３", "+14155550123"),
        ("+١٤١٥٥٥٥٠١٢٣", "+14155550123"),
        ("﹢1 (415) 555‑0123", "+14155550123"),
        ("+५२१५५१२३४५६७८", "+525512345678"),
        ("+52 1 55 1234 5678", "+525512345678"),
        ("+52 55 1234 5678", "+525512345678"),
    ],
)
def test_a_number_with_its_country_code_is_the_same_in_every_spelling(
    page: Page, backend: StubBackend, put_in: str, e164: str, library: bool
) -> None:
    if not library:
        page.evaluate("document.querySelector('otp-form').phoneLibrary = null")
    backend.will(200, sent())
    number(page).fill(put_in)
    number(page).press("Enter")
    expect(code(page)).to_be_focused()
    assert backend.calls[0][1]["phoneNumber"] == e164


@pytest.mark.parametrize(
    ("country", "put_in", "e164"),
    [
        ("GB", "০৭৪০০১২৩৪৫৬", "+447400123456"),
        ("GB", "०७४०० १२३४५६", "+447400123456"),
        ("MX", "044 55 1234 5678", "+525512345678"),
        ("MX", "045 55 1234 5678", "+525512345678"),
        ("MX", "01 55 1234 5678", "+525512345678"),
        ("MX", "1 55 1234 5678", "+525512345678"),
        ("MX", "55 1234 5678", "+525512345678"),
        ("AR", "011 15 2345 6789", "+5491123456789"),
        ("GB", "+44 (0)7400 123456", "+447400123456"),
        ("GB", "0044 7400 123456", "+447400123456"),
        # The library may not know these numbering plans yet, so the service decides.
        ("GA", "+24107123456", "+24107123456"),
        ("GB", "+86139000000009", "+86139000000009"),
    ],
)
def test_a_number_is_taken_as_people_of_its_country_write_it(
    page: Page, backend: StubBackend, country: str, put_in: str, e164: str
) -> None:
    put_form(page, country=country)
    backend.will(200, sent())
    number(page).fill(put_in)
    number(page).press("Enter")
    expect(code(page)).to_be_focused()
    assert backend.calls[0][1]["phoneNumber"] == e164


@pytest.mark.parametrize(
    ("attributes", "country", "offered"),
    [
        ({"countries": "UK", "country": "UK"}, "GB", ["GB"]),
        ({"countries": "uk ie", "country": "ie"}, "IE", ["GB", "IE"]),
        ({"countries": "EL, XX", "country": "GR"}, "GR", ["GR"]),
        ({"country": "UK"}, "GB", None),
        ({"country": "XX"}, "US", None),
        ({"country": "not a country"}, "US", None),
        ({"countries": "XX YY"}, "US", None),
    ],
)
def test_an_unknown_country_logs_a_warning_and_the_form_goes_on(
    browser: Browser, sandbox: str, attributes: dict[str, str], country: str, offered: list[str] | None
) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        errors: list[Any] = []
        warnings: list[str] = []
        page.on("pageerror", lambda error: errors.append(error))
        page.on("console", lambda message: warnings.append(message.text))
        show(page, sandbox)
        put_form(page, **attributes)
        chosen = page.get_by_label("Country")
        expect(chosen).to_have_value(country)
        values = chosen.evaluate("(select) => [...select.options].map((option) => option.value).sort()")
        assert values == offered if offered else len(values) > 200
        assert errors == []
        said = [text for text in warnings if "otp-form" in text]
        assert said
        if "UK" in attributes.values():
            assert any('"UK"' in text and '"GB"' in text for text in said)


@pytest.mark.parametrize(
    ("language", "names"),
    [
        ("en", ["Hong Kong", "Palestine", "United Kingdom", "United States"]),
        ("de", ["Hongkong", "Palästina", "Vereinigte Staaten", "Vereinigtes Königreich"]),
        ("es", ["Estados Unidos", "Hong Kong", "Palestina", "Reino Unido"]),
        ("zh", ["巴勒斯坦", "美国", "香港", "英国"]),
    ],
)
def test_countries_have_the_names_that_people_look_for(page: Page, language: str, names: list[str]) -> None:
    put_form(page, lang=language, countries="GB HK PS US")
    options = page.locator("otp-form select option").all_text_contents()
    assert sorted(option.partition(" (")[0] for option in options) == sorted(names)


@pytest.mark.parametrize("elsewhere", ["+966512345678", "+447400123456"])
def test_reset_chooses_the_first_country_again(page: Page, backend: StubBackend, elsewhere: str) -> None:
    put_form(page, country="GB", countries="GB SA US")
    number(page).fill(elsewhere)
    page.get_by_label("Country").select_option("US")
    page.evaluate("document.querySelector('otp-form').reset()")
    expect(number(page)).to_have_value("")
    expect(page.get_by_label("Country")).to_have_value("GB")
    backend.will(200, sent())
    number(page).fill("07400 123456")
    number(page).press("Enter")
    expect(code(page)).to_be_focused()
    assert backend.calls[0][1]["phoneNumber"] == "+447400123456"
