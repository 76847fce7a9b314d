"""`<otp-form>` when something changes midway: another number, a slow backend, a page that moves the form."""

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import CODE, NUMBER, button, code, number, request_code, sent, spoken
from tests.chromium import StubBackend

pytestmark = pytest.mark.long

OTHER_NUMBER = "+14155550145"
HELD = """() => {
  const fetched = window.fetch;
  let deliver;
  const hold = () => (window.held = new Promise((resolve) => (deliver = resolve)));
  hold();
  window.fetch = async (...calls) => {
    const answer = await fetched(...calls);
    await new Promise((go) => deliver(go));
    hold();
    return answer;
  };
}"""
"""From now on every answer is held back until `release`, as by a slow backend."""

LEFT = """(line) => {
  const texts = document.createTreeWalker(line, NodeFilter.SHOW_TEXT);
  for (let text = texts.nextNode(); text; text = texts.nextNode())
    if (text.data.includes("+")) {
      const at = (index) => {
        const range = document.createRange();
        range.setStart(text, index);
        range.setEnd(text, index + 1);
        return range.getBoundingClientRect().left;
      };
      return [at(text.data.indexOf("+")), at(text.data.indexOf("3"))];
    }
}"""
"""The places of the plus and of the 3 of a number in a line, in pixels from the left."""


def release(page: Page) -> None:
    page.evaluate("held.then((go) => go())")


def test_changing_the_number_silences_the_earlier_code(page: Page, backend: StubBackend) -> None:
    request_code(page, backend)
    button(page, "Change number").click()
    page.clock.run_for(31_000)
    expect(spoken(page)).to_have_text("")
    page.clock.run_for(300_000)
    expect(spoken(page)).to_have_text("")
    expect(number(page)).to_have_accessible_description("")
    expect(number(page)).to_be_focused()


def test_a_late_answer_for_an_abandoned_code_changes_nothing(page: Page, backend: StubBackend) -> None:
    request_code(page, backend)
    page.evaluate(HELD)
    backend.will_refuse(400, "OTP_INCORRECT", attemptsRemaining=4)
    page.keyboard.insert_text("111111")
    button(page, "Change number").click()
    release(page)
    expect(button(page, "Text me a code")).to_have_attribute("aria-disabled", "false")
    expect(number(page)).to_have_accessible_description("")
    expect(number(page)).to_be_focused()


def test_a_reset_form_ignores_the_answer_that_comes_later(page: Page, backend: StubBackend) -> None:
    page.evaluate(HELD)
    backend.will(200, sent()).will(200, sent())
    number(page).fill(NUMBER)
    number(page).press("Enter")
    page.evaluate("document.querySelector('otp-form').reset()")
    # With two requests in flight, the backend would keep the one that arrives last.
    number(page).fill(OTHER_NUMBER)
    number(page).press("Enter")
    release(page)
    expect(button(page, "Text me a code")).to_have_attribute("aria-disabled", "false")
    expect(number(page)).to_be_visible()
    assert len(backend.calls) == 1
    number(page).press("Enter")
    release(page)
    expect(page.get_by_text("We sent a text message to +1 415 555 0145.")).to_be_visible()


def test_a_country_is_found_by_typing_its_name(page: Page) -> None:
    country = page.get_by_label("Country")
    country.focus()
    page.keyboard.type("United K")
    expect(country).to_have_value("GB")
    expect(country).to_be_focused()
    expect(number(page)).to_have_value("")


def test_the_next_try_clears_the_invalid_mark_of_the_last(page: Page, backend: StubBackend) -> None:
    number(page).fill("12")
    number(page).press("Enter")
    expect(number(page)).to_have_attribute("aria-invalid", "true")
    backend.will_refuse(503, "PROVIDER_UNAVAILABLE")
    number(page).fill(NUMBER)
    number(page).press("Enter")
    expect(spoken(page)).to_have_text("Messages cannot be sent at the moment.")
    expect(number(page)).to_have_attribute("aria-invalid", "false")


def test_a_wait_for_one_number_does_not_apply_to_another(page: Page, backend: StubBackend) -> None:
    backend.will_refuse(429, "RATE_LIMITED", retryAfter=86_400).will(200, sent())
    number(page).fill(NUMBER)
    number(page).press("Enter")
    expect(button(page, "Try again in 24:00:00")).to_be_visible()
    call = button(page, "Call me with a code")
    expect(call).to_have_attribute("aria-disabled", "true")
    number(page).fill(OTHER_NUMBER)
    expect(number(page)).to_have_accessible_description("")
    expect(call).to_have_attribute("aria-disabled", "false")
    button(page, "Text me a code").click()
    expect(code(page)).to_be_focused()
    assert backend.calls[-1][1]["phoneNumber"] == OTHER_NUMBER


def test_an_expiring_code_does_not_take_the_focus_from_elsewhere_on_the_page(
    page: Page, backend: StubBackend
) -> None:
    page.evaluate("document.body.append(document.createElement('textarea'))")
    request_code(page, backend)
    elsewhere = page.locator("textarea")
    elsewhere.focus()
    page.clock.run_for(300_000)
    expect(spoken(page)).to_have_text("This code has expired.")
    expect(elsewhere).to_be_focused()


def test_a_form_that_is_moved_on_the_page_goes_on_counting(page: Page, backend: StubBackend) -> None:
    request_code(page, backend)
    page.evaluate(
        "document.body.append(document.createElement('main'));"
        "document.querySelector('main').append(document.querySelector('otp-form'))"
    )
    page.clock.run_for(60_000)
    expect(page.get_by_text("Expires in 4:00")).to_be_visible()
    page.evaluate("window.form = document.querySelector('otp-form'); form.remove()")
    page.clock.run_for(60_000)
    page.evaluate("document.body.append(form)")
    page.clock.run_for(1_000)
    expect(page.get_by_text("Expires in 2:59")).to_be_visible()


def test_a_form_can_be_configured_before_it_is_on_the_page(page: Page) -> None:
    page.evaluate(
        """() => {
          const form = document.createElement("otp-form");
          form.phoneNumber = "+14155550123";
          form.phoneLibrary = globalThis.libphonenumber;
          form.reset();
          form.phoneNumber = "+14155550145";
          document.querySelector("otp-form").replaceWith(form);
        }"""
    )
    expect(number(page)).to_have_value("(415) 555-0145")


def test_properties_set_before_the_module_loads_are_kept(page: Page) -> None:
    page.evaluate(
        """() => {
          const form = document.createElement("otp-form-late");
          form.phoneLibrary = globalThis.libphonenumber;
          form.phoneNumber = "+14155550145";
          document.querySelector("otp-form").replaceWith(form);
          customElements.define("otp-form-late", class extends customElements.get("otp-form") {});
        }"""
    )
    expect(number(page)).to_have_value("(415) 555-0145")


def test_the_success_message_has_the_focus_and_a_name(page: Page, backend: StubBackend) -> None:
    request_code(page, backend)
    backend.will(200, {})
    page.keyboard.insert_text(CODE)
    expect(page.get_by_role("group", name="Your number is verified.")).to_be_focused()


def test_a_number_reads_from_left_to_right_in_a_right_to_left_language(
    page: Page, backend: StubBackend
) -> None:
    page.evaluate(
        """() => {
          const form = document.querySelector("otp-form");
          document.documentElement.dir = "rtl";
          form.setAttribute("label-sent-sms", "أرسلنا رسالة إلى {number}.");
        }"""
    )
    request_code(page, backend)
    said = page.locator("otp-form .sent")
    expect(said).to_have_text("أرسلنا رسالة إلى +1 415 555 0123.")
    plus, last = said.evaluate(LEFT)
    assert plus < last
    page.evaluate(
        """() => {
          const line = document.createElement("p");
          line.className = "option";
          line.textContent = "(" + document.querySelector("otp-form").shadowRoot
            .querySelector("option[value=AT]").textContent.replace("Austria", "النمسا") + ")";
          document.body.append(line);
        }"""
    )
    plus, last = page.locator("p.option").evaluate(LEFT)
    assert plus < last


def test_a_chosen_country_replaces_the_one_in_the_number(page: Page) -> None:
    page.evaluate(
        """() => {
          const form = document.createElement("otp-form");
          form.setAttribute("countries", "US GB");
          form.phoneLibrary = globalThis.libphonenumber;
          form.phoneNumber = "+43664123456";
          document.querySelector("otp-form").replaceWith(form);
        }"""
    )
    expect(number(page)).to_have_value("+43664123456")
    page.get_by_label("Country").select_option("GB")
    expect(number(page)).to_have_value("664123456")


def test_a_number_copied_with_invisible_marks_is_accepted(page: Page, backend: StubBackend) -> None:
    page.evaluate("document.querySelector('otp-form').phoneLibrary = null")
    backend.will(200, sent())
    number(page).fill("\u202a+1\u2011415\u2011555\u20110123\u202c")
    number(page).press("Enter")
    expect(code(page)).to_be_focused()
    assert backend.calls[0][1]["phoneNumber"] == NUMBER


def test_an_unusual_language_tag_becomes_a_valid_locale(page: Page, backend: StubBackend) -> None:
    for language, locale in (("en_US", "en-US"), ("de-u-co-phonebk", "de"), ("as you like", "en")):
        page.evaluate("(language) => (document.documentElement.lang = language)", language)
        request_code(page, backend)
        assert backend.calls[-1][1]["locale"] == locale
        page.evaluate("document.querySelector('otp-form').reset()")


def test_a_backend_that_does_not_answer_gets_one_request_and_shows_an_error(page: Page) -> None:
    waiting: list[Route] = []
    page.route("**/demo/*-code", lambda route: waiting.append(route))
    number(page).fill(NUMBER)
    number(page).press("Enter")
    expect(button(page, "Text me a code")).to_have_attribute("aria-disabled", "true")
    number(page).press("Enter")
    assert len(waiting) == 1
    waiting[0].fulfill(status=504, body="")
    expect(spoken(page)).to_have_text("Something went wrong. Try again.")


def test_a_composed_code_is_neither_doubled_nor_verified_at_once(page: Page, backend: StubBackend) -> None:
    request_code(page, backend)
    keyboard = page.context.new_cdp_session(page)
    for typed in ("４８２９１３", CODE):
        code(page).fill("")
        for end in range(1, 7):
            composed = {"text": typed[:end], "selectionStart": end, "selectionEnd": end}
            keyboard.send("Input.imeSetComposition", composed)
        keyboard.send("Input.insertText", {"text": typed})
        expect(code(page)).to_have_value(CODE)
        expect(button(page, "Verify")).to_have_attribute("aria-disabled", "false")
    assert len(backend.calls) == 1
    backend.will(200, {})
    code(page).press("Enter")
    expect(page.get_by_text("Your number is verified.")).to_be_visible()


def test_forced_colours_show_the_place_of_the_next_digit(page: Page, backend: StubBackend) -> None:
    page.emulate_media(forced_colors="active")
    request_code(page, backend)
    cell = page.locator("otp-form .cell.next")
    expect(cell).to_have_css("outline-style", "solid")
    expect(code(page)).to_have_css("forced-color-adjust", "none")
    page.emulate_media(forced_colors="none")
