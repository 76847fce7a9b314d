"""`<otp-form>` in Chromium, under the page's policy, with a backend that answers as each test needs."""

from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.conftest import (
    CODE,
    NOW,
    NUMBER,
    PASTE,
    button,
    code,
    number,
    request_code,
    sent,
    show,
    spoken,
)
from tests.chromium import StubBackend, watched


def test_a_number_is_formatted_as_it_is_typed_and_sent_in_e164(page: Page, backend: StubBackend) -> None:
    backend.will(200, sent())
    number(page).press_sequentially("4155550123")
    expect(number(page)).to_have_value("(415) 555-0123")
    number(page).press("Enter")
    expect(page.get_by_text("We sent a text message to +1 415 555 0123.")).to_be_visible()
    assert backend.calls == [("request", {"phoneNumber": NUMBER, "channel": "sms", "locale": "en"})]


def test_a_number_typed_with_its_country_code_chooses_the_country(page: Page, backend: StubBackend) -> None:
    backend.will(200, sent())
    number(page).press_sequentially("+447700900123")
    expect(page.get_by_label("Country")).to_have_value("GB")
    expect(number(page)).to_have_value("+44 7700 900123")
    button(page, "Text me a code").click()
    expect(code(page)).to_be_visible()
    assert backend.calls[0][1]["phoneNumber"] == "+447700900123"


def test_a_number_of_the_chosen_country_needs_no_country_code(page: Page, backend: StubBackend) -> None:
    backend.will(200, sent())
    page.get_by_label("Country").select_option("GB")
    expect(number(page)).to_be_focused()
    number(page).press_sequentially("07700900123")
    number(page).press("Enter")
    expect(code(page)).to_be_visible()
    assert backend.calls[0][1]["phoneNumber"] == "+447700900123"


def test_an_invalid_number_shows_an_error_and_sends_nothing(page: Page, backend: StubBackend) -> None:
    number(page).fill("12")
    button(page, "Text me a code").click()
    expect(number(page)).to_be_focused()
    expect(number(page)).to_have_attribute("aria-invalid", "true")
    expect(number(page)).to_have_accessible_description("Enter a valid phone number.")
    expect(spoken(page)).to_have_text("Enter a valid phone number.")
    assert backend.calls == []


def test_without_the_library_the_number_is_typed_with_its_country_code(
    page: Page, backend: StubBackend, sandbox: str
) -> None:
    show(page, sandbox, library="")
    backend.will(200, sent())
    expect(page.get_by_label("Country")).to_be_hidden()
    number(page).fill("0415 555 0123")
    number(page).press("Enter")
    expect(number(page)).to_have_accessible_description(
        "With the country code, such as +44 … Enter a valid phone number."
    )
    number(page).fill("+1 (415) 555-0123")
    number(page).press("Enter")
    expect(code(page)).to_be_focused()
    assert backend.calls[0][1]["phoneNumber"] == NUMBER


def test_a_refused_number_shows_the_error_at_its_field(page: Page, backend: StubBackend) -> None:
    number(page).fill(NUMBER)
    for status, error, text in (
        (400, "INVALID_PHONE_NUMBER", "Enter a valid phone number."),
        (403, "DESTINATION_NOT_ALLOWED", "We cannot send codes to this number."),
        (422, "PROVIDER_REJECTED", "This number does not accept our messages. Try another one."),
    ):
        backend.will_refuse(status, error)
        number(page).press("Enter")
        expect(number(page)).to_have_accessible_description(text)
        expect(number(page)).to_be_focused()


def test_a_wait_is_counted_down_and_no_request_is_sent_meanwhile(page: Page, backend: StubBackend) -> None:
    number(page).fill(NUMBER)
    for status, error, text in (
        (429, "RATE_LIMITED", "Too many codes in a short time."),
        (429, "NUMBER_LOCKED", "Too many incorrect codes."),
        (503, "PROVIDER_UNAVAILABLE", "Messages cannot be sent at the moment."),
    ):
        backend.will_refuse(status, error, retryAfter=20)
        button(page, "Text me a code").click()
        expect(spoken(page)).to_have_text(text)
        expect(button(page, "Try again in 0:20")).to_have_attribute("aria-disabled", "true")
        number(page).press("Enter")
        expect(spoken(page)).to_have_text("Try again in 0:20")
        page.clock.run_for(20_000)
        expect(spoken(page)).to_have_text("You can try again now.")
    assert len(backend.calls) == 3
    backend.will(200, sent())
    button(page, "Text me a code").click()
    expect(code(page)).to_be_focused()


def test_a_wrong_code_shows_the_attempts_left_and_can_be_typed_over(page: Page, backend: StubBackend) -> None:
    request_code(page, backend)
    for left, text in ((4, "You have 4 attempts left."), (1, "You have one attempt left.")):
        backend.will_refuse(400, "OTP_INCORRECT", attemptsRemaining=left)
        page.keyboard.type("111111")
        page.keyboard.press("Enter")
        expect(page.get_by_text(f"Incorrect code. {text}").first).to_be_visible()
        expect(code(page)).to_be_focused()
        expect(code(page)).to_have_attribute("aria-invalid", "true")
    backend.will(200, {"purpose": "sign-up"})
    page.keyboard.type(CODE)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Your number is verified.")).to_be_visible()
    assert backend.calls[-1] == ("verify", {"otp": CODE})


def test_a_typed_code_is_submitted_only_by_the_user(page: Page, backend: StubBackend) -> None:
    request_code(page, backend)
    page.keyboard.type("12345")
    button(page, "Verify").click()
    expect(spoken(page)).to_have_text("Enter all 6 digits of the code.")
    page.keyboard.type(CODE)
    expect(code(page)).to_have_value(CODE)
    assert len(backend.calls) == 1


def test_a_pasted_code_is_found_in_any_form_and_verified_at_once(page: Page, backend: StubBackend) -> None:
    request_code(page, backend)
    texts = ["482-913", " 482 913 ", "Your code is 482913. Good for 5 minutes.", "٤٨٢٩١٣", "４８２９１３"]
    for text in texts:
        backend.will_refuse(400, "OTP_INCORRECT", attemptsRemaining=4)
        code(page).evaluate(PASTE, text)
        expect(code(page)).to_have_value(CODE)
        expect(button(page, "Verify")).to_have_attribute("aria-disabled", "false")
    assert backend.calls[1:] == [("verify", {"otp": CODE})] * len(texts)


def test_a_code_that_the_browser_fills_in_is_verified_at_once(page: Page, backend: StubBackend) -> None:
    request_code(page, backend)
    backend.will(200, {})
    assert code(page).get_attribute("autocomplete") == "one-time-code"
    assert code(page).get_attribute("inputmode") == "numeric"
    page.keyboard.insert_text(CODE)
    expect(page.get_by_text("Your number is verified.")).to_be_visible()


def test_a_code_that_the_browser_reads_in_the_message_is_verified_at_once(
    browser: Browser, sandbox: str
) -> None:
    with watched(browser) as page:
        page.add_init_script(
            """window.OTPCredential = class {};
            CredentialsContainer.prototype.get = async ({ otp }) =>
              ({ code: otp.transport[0] === "sms" ? "482913" : "" });"""
        )
        show(page, sandbox)
        backend = StubBackend(page, NOW).will(200, sent()).will(200, {})
        number(page).fill(NUMBER)
        number(page).press("Enter")
        expect(page.get_by_text("Your number is verified.")).to_be_visible()
        assert backend.calls[-1] == ("verify", {"otp": CODE})


def test_a_code_that_is_no_longer_valid_leads_to_a_new_one(page: Page, backend: StubBackend) -> None:
    request_code(page, backend)
    for status, error, members in (
        (410, "OTP_EXPIRED", {}),
        (410, "VERIFICATION_CANCELLED", {}),
        (404, "VERIFICATION_NOT_FOUND", {}),
        (409, "ALREADY_VERIFIED", {}),
        (429, "TOO_MANY_ATTEMPTS", {"attemptsRemaining": 0}),
        (400, "OTP_INCORRECT", {"attemptsRemaining": 0}),
    ):
        backend.will_refuse(status, error, **members).will(200, sent())
        page.keyboard.insert_text(CODE)
        expect(button(page, "Request a new code")).to_be_focused()
        expect(code(page)).to_be_disabled()
        page.keyboard.press("Enter")
        expect(code(page)).to_be_focused()
        expect(code(page)).to_have_value("")
        assert [step for step, _ in backend.calls[-2:]] == ["verify", "request"]
        assert backend.calls[-1][1]["phoneNumber"] == NUMBER


def test_a_code_that_could_not_be_checked_stays_and_can_be_retried(page: Page, backend: StubBackend) -> None:
    request_code(page, backend)
    page.keyboard.type(CODE)
    for status, error, text in (
        (429, "NUMBER_LOCKED", "Too many incorrect codes."),
        (
            503,
            "PROVIDER_UNAVAILABLE",
            "The code could not be checked. Try again: this attempt does not count.",
        ),
    ):
        backend.will_refuse(status, error, retryAfter=30)
        button(page, "Verify").click()
        expect(spoken(page)).to_have_text(text)
        expect(button(page, "Try again in 0:30")).to_be_visible()
        page.clock.run_for(30_000)
    backend.will(200, {})
    button(page, "Verify").click()
    expect(page.get_by_text("Your number is verified.")).to_be_visible()
    assert backend.calls[1:] == [("verify", {"otp": CODE})] * 3


def test_the_form_counts_down_to_the_expiry_and_announces_it(page: Page, backend: StubBackend) -> None:
    request_code(page, backend)
    expect(page.get_by_text("Expires in 5:00")).to_be_visible()
    page.clock.run_for(180_000)
    expect(page.get_by_text("Expires in 2:00")).to_be_visible()
    page.clock.run_for(60_000)
    expect(spoken(page)).to_have_text("Your code expires in one minute.")
    page.clock.run_for(60_000)
    expect(spoken(page)).to_have_text("This code has expired.")
    expect(button(page, "Request a new code")).to_be_focused()


def test_a_wrong_device_clock_does_not_change_the_expiry(page: Page, backend: StubBackend) -> None:
    page.clock.fast_forward("03:00:00")
    request_code(page, backend)
    expect(page.get_by_text("Expires in 5:00")).to_be_visible()


def test_the_code_is_sent_again_or_by_call_once_the_gap_is_over(page: Page, backend: StubBackend) -> None:
    request_code(page, backend)
    expect(button(page, "Send it again in 0:30")).to_have_attribute("aria-disabled", "true")
    button(page, "Call me instead").click(force=True)
    assert [step for step, _ in backend.calls] == ["request"]
    page.clock.run_for(30_000)
    expect(spoken(page)).to_have_text("You can request the code again now.")
    backend.will(200, sent(channel="voice", resendAfter=60))
    button(page, "Call me instead").click()
    expect(spoken(page)).to_have_text("We are calling +1 415 555 0123. Listen for your code.")
    expect(button(page, "Text me instead")).to_have_attribute("aria-disabled", "true")
    page.clock.run_for(60_000)
    backend.will(200, sent(channel="voice"))
    button(page, "Send it again").click()
    expect(button(page, "Send it again in 0:30")).to_be_visible()
    assert backend.calls[1:] == [("resend", {"channel": "voice"})] * 2


def test_a_refused_resend_shows_the_error_and_its_own_wait(page: Page, backend: StubBackend) -> None:
    request_code(page, backend, resendAfter=0)
    backend.will_refuse(429, "RATE_LIMITED", retryAfter=900)
    button(page, "Send it again").click()
    expect(spoken(page)).to_have_text("Too many codes in a short time.")
    expect(button(page, "Send it again in 15:00")).to_be_visible()
    backend.will(200, {})
    code(page).fill(CODE)
    expect(page.get_by_text("Your number is verified.")).to_be_visible()


def test_a_screen_reader_does_not_hear_each_second(page: Page, backend: StubBackend) -> None:
    request_code(page, backend)
    page.evaluate(
        """() => {
          window.spoken = [];
          const region = document.querySelector("otp-form").shadowRoot.querySelector("[role=status]");
          const record = () => window.spoken.push(region.textContent);
          new MutationObserver(record).observe(region, { childList: true });
        }"""
    )
    page.clock.run_for(250_000)
    assert page.evaluate("spoken") == [
        "You can request the code again now.",
        "Your code expires in one minute.",
    ]


def test_an_answer_that_is_not_json_verifies_nobody(page: Page) -> None:
    answers = [(502, "<h1>Bad Gateway</h1>"), (200, "<!doctype html>"), (500, "")]

    def answer(route: Route) -> None:
        status, body = answers.pop(0)
        route.fulfill(status=status, body=body, content_type="text/html")

    page.route("**/demo/*-code", answer)
    number(page).fill(NUMBER)
    while answers:
        left = len(answers)
        button(page, "Text me a code").click()
        expect(spoken(page)).to_have_text("Something went wrong. Try again.")
        expect(number(page)).to_have_value("+1 415 555 0123")
        assert len(answers) == left - 1


def test_a_lost_connection_shows_an_error_and_the_form_goes_on(browser: Browser, sandbox: str) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        show(page, sandbox)
        page.route("**/demo/*-code", lambda route: route.abort())
        number(page).fill(NUMBER)
        button(page, "Text me a code").click()
        expect(spoken(page)).to_have_text("No connection. Check it and try again.")
        StubBackend(page, NOW).will(200, sent())
        button(page, "Text me a code").click()
        expect(code(page)).to_be_focused()


def test_the_form_dispatches_events_to_the_app(page: Page, backend: StubBackend) -> None:
    page.evaluate(
        """() => {
          window.emitted = [];
          for (const name of ["otp-step", "otp-error", "otp-verified"])
            document.addEventListener(name, ({ detail }) => window.emitted.push([name, detail]));
        }"""
    )
    request_code(page, backend)
    backend.will_refuse(400, "OTP_INCORRECT", attemptsRemaining=4).will(200, {"purpose": "sign-up"})
    page.keyboard.insert_text("111111")
    expect(page.get_by_text("Incorrect code.").first).to_be_visible()
    page.keyboard.insert_text(CODE)
    expect(page.get_by_text("Your number is verified.")).to_be_visible()
    emitted = page.evaluate("emitted")
    assert [name for name, _ in emitted] == ["otp-step", "otp-error", "otp-step", "otp-verified"]
    assert (emitted[1][1]["errorCode"], emitted[1][1]["attemptsRemaining"]) == ("OTP_INCORRECT", 4)
    assert emitted[3][1] == {"purpose": "sign-up"}


def test_every_text_can_be_translated_with_its_plurals(page: Page, backend: StubBackend) -> None:
    page.evaluate(
        """() => {
          const form = document.createElement("otp-form");
          const labels = {
            lang: "pl", "label-number": "Numer telefonu", "label-send": "Wyślij kod", "label-code": "Kod",
            "label-error-otp-incorrect": "Zły kod.", "label-attempts-left-few": "Zostały {count} próby.",
            "request-url": "/demo/request-code", "verify-url": "/demo/verify-code", "code-length": "4",
          };
          for (const [name, value] of Object.entries(labels)) form.setAttribute(name, value);
          document.querySelector("otp-form").replaceWith(form);
        }"""
    )
    backend.will(200, sent())
    page.get_by_label("Numer telefonu").fill(NUMBER)
    button(page, "Wyślij kod").click()
    field = page.get_by_role("textbox", name="Kod")
    backend.will_refuse(400, "OTP_INCORRECT", attemptsRemaining=3)
    field.fill("1234")
    expect(field).to_have_accessible_description(
        "We sent a text message to +14155550123. Zły kod. Zostały 3 próby."
    )
    expect(button(page, "Send it again")).to_be_hidden()
    assert backend.calls[0][1]["locale"] == "pl"


def test_the_form_does_not_animate_if_the_user_prefers_reduced_motion(
    page: Page, backend: StubBackend
) -> None:
    page.emulate_media(reduced_motion="reduce")
    request_code(page, backend)
    backend.will(200, {})
    page.keyboard.insert_text(CODE)
    expect(page.get_by_text("Your number is verified.")).to_be_visible()
    animations = "document.getAnimations().map((each) => each.effect.getComputedTiming().duration)"
    assert page.evaluate(f"Math.max(0, ...{animations})") <= 1
    page.emulate_media(reduced_motion="no-preference")
