import { node } from "./dom.js";

const E164 = /^\+[1-9]\d{6,14}$/;

/**
 * A number's field. With a library of libphonenumber-js's form there is a country to choose, and the number is
 * formatted as it is typed; without one, the number is typed with its country code.
 */
export class PhoneField {
  #texts;
  #library = null;
  #country;
  #countries;
  #describedBy;
  #changed;
  #isByKey = false;

  /**
   * `countries` are the ISO 3166 codes to choose from, empty for all; `country` is the first choice.
   * `changed` is called when another number is put in.
   */
  constructor(texts, { country, countries, describedBy, changed }) {
    this.#texts = texts;
    this.#country = country;
    this.#countries = countries;
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

  /** libphonenumber-js, or what has the same AsYouType, parsePhoneNumberFromString, getCountries … */
  set library(library) {
    this.#library = library;
    this.picker.hidden = !library;
    this.hint.hidden = Boolean(library);
    // What is hidden would describe the field all the same.
    this.input.setAttribute("aria-describedby", library ? this.#describedBy : `number-hint ${this.#describedBy}`);
    if (library) this.#offer();
  }

  /** In E.164, or null for what is no number. */
  get value() {
    const typed = this.input.value.trim();
    if (this.#library) {
      const parsed = this.#library.parsePhoneNumberFromString(typed, this.#country);
      return parsed?.isPossible() ? parsed.number : null;
    }
    const plain = typed.replaceAll(/[\s().\p{Pd}\p{Cf}]/gu, "");
    return E164.test(plain) ? plain : null;
  }

  /** Put a number in E.164 in, as if it had been typed. */
  fill(number) {
    const parsed = this.#library?.parsePhoneNumberFromString(number);
    const country = parsed && this.#offered(parsed.country, parsed.countryCallingCode);
    if (country) this.#go(country);
    this.input.value = country ? parsed.formatNational() : number;
    this.#changed();
  }

  /** A number in E.164 as people write it. */
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
    const names = new Intl.DisplayNames([this.#texts.language, "en"], { type: "region" });
    const offered = this.#offers();
    const options = offered.map((code) => {
      const calling = this.#library.getCountryCallingCode(code);
      // The mark keeps the plus before its digits where the names are written from right to left.
      return { code, text: `${names.of(code)} (\u200e+${calling})` };
    });
    options.sort((one, other) => one.text.localeCompare(other.text, this.#texts.language));
    this.select.replaceChildren(...options.map(({ code, text }) => node("option", { value: code }, text)));
    this.#go(offered.includes(this.#country) ? this.#country : options[0]?.code);
  }

  /** That country; where the number does not say which, one that shares its calling code. Null: not offered. */
  #offered(country, callingCode) {
    // In the library's order, where the country that a code is known by mostly comes first.
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
    this.input.value = this.#formatted(this.#withoutCountry(this.input.value));
    // Each key that is pressed on a closed list chooses: who is led away cannot press the next one.
    if (!this.#isByKey) this.input.focus();
    this.#changed();
  }

  #withoutCountry(typed) {
    const formatter = new this.#library.AsYouType();
    formatter.input(typed);
    const told = formatter.getCallingCode() ?? "\\d*";
    return typed.replace(new RegExp(`^\\+${told}\\s*`), "");
  }

  #typed(event) {
    this.#changed();
    // Where the caret is inside the number, or something was deleted, formatting would move it away.
    const atEnd = this.input.selectionStart === this.input.value.length;
    if (!this.#library || !atEnd || event.inputType?.startsWith("delete")) return;
    this.input.value = this.#formatted(this.input.value);
  }

  #formatted(typed) {
    const formatter = new this.#library.AsYouType(this.#country);
    const formatted = formatter.input(typed);
    const told = formatter.getCallingCode();
    const country = typed.startsWith("+") && told && this.#offered(formatter.getCountry(), told);
    if (country) this.#go(country);
    return formatted;
  }
}
