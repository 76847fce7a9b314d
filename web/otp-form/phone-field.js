import { countriesIn, countryNames } from "./countries.js";
import { node } from "./dom.js";
import { e164Of, plainNumber } from "./phone-number.js";

const FIRST_COUNTRY = "US";

/**
 * The phone number's field. With libphonenumber-js, or a library with its interface, the user chooses a country and
 * the number is formatted while typing; without it, the user types the country code.
 */
export class PhoneField {
  #texts;
  #host;
  #library = null;
  #country;
  #first;
  #countries = [];
  #describedBy;
  #changed;
  #isByKey = false;

  /**
   * `host` has the attributes `country` and `countries`; `changed` is called when the number changes.
   */
  constructor(texts, { host, describedBy, changed }) {
    this.#texts = texts;
    this.#host = host;
    this.#describedBy = describedBy;
    this.#changed = changed;
    this.input = node("input", {
      id: "number",
      part: "input number",
      type: "tel",
      inputmode: "tel",
      autocomplete: "tel",
      dir: "ltr",
      oninput: (event) => this.#typed(event),
      oncompositionend: () => this.#composed(),
    });
    this.select = node("select", {
      id: "country",
      class: "country-select",
      autocomplete: "country",
      onkeydown: () => (this.#isByKey = true),
      onpointerdown: () => (this.#isByKey = false),
      onchange: () => this.#chosen(),
    });
    this.shown = node("span", { class: "country-shown", "aria-hidden": "true" });
    this.picker = node(
      "div",
      { class: "country", part: "country", hidden: true },
      node("label", { for: "country", class: "visually-hidden" }, texts.say("country")),
      this.shown,
      this.select,
    );
    this.hint = node("p", { id: "number-hint", class: "hint", part: "hint" }, texts.say("number-hint"));
    this.element = node(
      "div",
      { class: "field" },
      node("label", { for: "number", part: "label" }, texts.say("number")),
      node("div", { class: "phone" }, this.picker, this.input),
      this.hint,
    );
  }

  /** libphonenumber-js, or an object with its AsYouType, parsePhoneNumberFromString, getCountries … */
  set library(library) {
    this.#library = library;
    this.picker.hidden = !library;
    this.hint.hidden = Boolean(library);
    // Even a hidden element would describe the field.
    this.input.setAttribute("aria-describedby", library ? this.#describedBy : `number-hint ${this.#describedBy}`);
    if (library) this.#offer();
  }

  /** The number in E.164; null if it is not a number. */
  get value() {
    return e164Of(this.input.value, this.#library, this.#country);
  }

  get isEmpty() {
    return !this.input.value.trim();
  }

  /** Fill in a number in E.164, as by typing. */
  fill(number) {
    const parsed = this.#library?.parsePhoneNumberFromString(number);
    const country = parsed && this.#offered(parsed.country, parsed.countryCallingCode);
    if (country) this.#go(country);
    this.input.value = country ? parsed.formatNational() : number;
    this.#changed();
  }

  /** Clear the number, and select the initial country. */
  reset() {
    this.input.value = "";
    if (this.#library) this.#go(this.#first);
  }

  /** An E.164 number, formatted for display. */
  written(number) {
    return this.#library?.parsePhoneNumberFromString(number)?.formatInternational() ?? number;
  }

  set invalid(invalid) {
    this.input.setAttribute("aria-invalid", String(invalid));
  }

  focus() {
    this.input.focus();
    this.input.select();
  }

  #offers() {
    const every = this.#library.getCountries();
    return this.#countries.length ? every.filter((code) => this.#countries.includes(code)) : every;
  }

  #offer() {
    this.#countries = countriesIn(this.#host.getAttribute("countries"), this.#library, "countries");
    const [named] = countriesIn(this.#host.getAttribute("country"), this.#library, "country");
    const nameOf = countryNames(this.#texts.language);
    const offered = this.#offers();
    const options = offered.map((code) => {
      const calling = this.#library.getCountryCallingCode(code);
      // The mark keeps the plus before its digits in right-to-left text.
      return { code, text: `${nameOf(code)} (\u200e+${calling})` };
    });
    options.sort((one, other) => one.text.localeCompare(other.text, this.#texts.language));
    this.select.replaceChildren(...options.map(({ code, text }) => node("option", { value: code }, text)));
    this.#first = [named, FIRST_COUNTRY].find((code) => offered.includes(code)) ?? options[0].code;
    this.#go(this.#first);
  }

  /** The country; if unknown, one with its calling code. Null if not offered. */
  #offered(country, callingCode) {
    // In the library's order, in which a code's main country mostly comes first.
    const offered = this.#offers();
    if (country) return offered.includes(country) ? country : null;
    const shares = (other) => this.#library.getCountryCallingCode(other) === callingCode;
    return shares(this.#country) ? this.#country : (offered.find(shares) ?? null);
  }

  #go(country) {
    this.#country = country;
    this.select.value = country;
    this.shown.textContent = `${country} +${this.#library.getCountryCallingCode(country)}`;
  }

  #chosen() {
    this.#go(this.select.value);
    this.input.value = this.#formatted(this.#withoutCountry(plainNumber(this.input.value)));
    // Each key pressed on a closed list selects: moving the focus would lose the next key.
    if (!this.#isByKey) this.input.focus();
    this.#changed();
  }

  #withoutCountry(typed) {
    const formatter = new this.#library.AsYouType();
    formatter.input(typed);
    const callingCode = formatter.getCallingCode() ?? "\\d*";
    return typed.replace(new RegExp(`^\\+${callingCode}\\s*`), "");
  }

  #typed(event) {
    this.#changed();
    // Rewriting the text during an IME composition would insert it twice.
    if (event.isComposing || event.inputType?.startsWith("delete")) return;
    this.#format();
  }

  #composed() {
    this.#changed();
    this.#format();
  }

  #format() {
    // With the caret inside the number, formatting would move it.
    const atEnd = this.input.selectionStart === this.input.value.length;
    if (!this.#library || !atEnd) return;
    const formatted = this.#formatted(plainNumber(this.input.value));
    if (formatted !== this.input.value) this.input.value = formatted;
  }

  #formatted(typed) {
    const formatter = new this.#library.AsYouType(this.#country);
    const formatted = formatter.input(typed);
    const callingCode = formatter.getCallingCode();
    const country = typed.startsWith("+") && callingCode && this.#offered(formatter.getCountry(), callingCode);
    if (country) this.#go(country);
    return formatted;
  }
}
