import { node } from "./dom.js";

const OTHER_DIGITS = /[\u0660-\u0669\u06f0-\u06f9]/g;

/** ASCII digits of what was typed: full-width and Arabic ones are digits too. */
function digits(text) {
  const ascii = text.normalize("NFKC").replaceAll(OTHER_DIGITS, (digit) => digit.charCodeAt(0) & 15);
  return ascii.replaceAll(/\D/g, "");
}

/** The code in a pasted text: "123-456", "123 456", or a message with one run of as many digits. */
function codeIn(text, length) {
  const runs = text.normalize("NFKC").match(/\d+/g) ?? [];
  const whole = runs.filter((run) => run.length === length);
  return whole.length === 1 ? whole[0] : digits(text).slice(0, length);
}

/**
 * One real input over as many drawn cells as the code has digits. A code that comes whole (paste, autofill,
 * WebOTP, `fill`) is handed to `whole` at once; one that is typed waits for the user, since a slip costs a try.
 */
export class CodeField {
  #length;
  #whole;
  #listening = null;
  #had = 0;

  constructor(length, { whole, describedBy }) {
    this.#length = length;
    this.#whole = whole;
    this.input = node("input", {
      id: "code",
      part: "code",
      class: "code-input",
      type: "text",
      inputmode: "numeric",
      autocomplete: "one-time-code",
      autocapitalize: "off",
      spellcheck: "false",
      dir: "ltr",
      "aria-describedby": describedBy,
      oninput: (event) => this.#typed(event),
      oncompositionend: () => this.#tidy(),
      onpaste: (event) => this.#pasted(event),
      onselect: () => this.#draw(),
      onkeyup: () => this.#draw(),
      onpointerup: () => this.#draw(),
    });
    this.cells = Array.from({ length }, () => node("span", { class: "cell", part: "code-cell" }));
    this.element = node(
      "div",
      { class: "code" },
      node("div", { class: "cells", "aria-hidden": "true" }, ...this.cells),
      this.input,
    );
    this.element.style.setProperty("--length", length);
    this.#draw();
  }

  get value() {
    return this.input.value;
  }

  get isWhole() {
    return this.value.length === this.#length;
  }

  clear() {
    this.input.value = "";
    this.#draw();
  }

  /** Put a code in as if the browser had. */
  fill(code) {
    this.input.value = digits(String(code)).slice(0, this.#length);
    this.#draw();
    if (this.isWhole) this.#whole();
  }

  set invalid(invalid) {
    this.input.setAttribute("aria-invalid", String(invalid));
    this.element.classList.toggle("invalid", invalid);
  }

  set disabled(disabled) {
    this.input.disabled = disabled;
  }

  focus() {
    this.input.focus();
    this.input.select();
  }

  /** Ask the browser for the code in the text message, where it can read one (WebOTP). */
  async listen() {
    if (!("OTPCredential" in window)) return;
    this.stopListening();
    const listening = new AbortController();
    this.#listening = listening;
    try {
      const read = await navigator.credentials.get({ otp: { transport: ["sms"] }, signal: listening.signal });
      if (read && !listening.signal.aborted) this.fill(read.code);
    } catch {
      // Not allowed here, given up, or no such message: the code is typed.
    }
  }

  stopListening() {
    this.#listening?.abort();
    this.#listening = null;
  }

  #typed(event) {
    const more = this.value.length - this.#had;
    // What an input method composes is its own until it is done: changed meanwhile, it would come twice.
    if (event.isComposing) this.#draw();
    else this.#tidy();
    // What is typed comes digit by digit; autofill brings more, or no data at all.
    const cameWhole = event.isComposing ? more > 1 : event.data?.length !== 1;
    if (cameWhole && !event.inputType?.startsWith("delete") && this.isWhole) this.#whole();
  }

  #tidy() {
    const value = digits(this.input.value).slice(0, this.#length);
    // Setting it moves the caret to the end, so only where there is something to take out.
    if (value !== this.input.value) this.input.value = value;
    this.#draw();
  }

  #pasted(event) {
    event.preventDefault();
    this.fill(codeIn(event.clipboardData.getData("text"), this.#length));
  }

  #draw() {
    this.#had = this.value.length;
    const { selectionStart: start, selectionEnd: end } = this.input;
    const next = start === end ? Math.min(start, this.#length - 1) : -1;
    this.cells.forEach((cell, index) => {
      cell.classList.toggle("filled", index < this.value.length);
      cell.classList.toggle("selected", index >= start && index < end);
      cell.classList.toggle("next", index === next);
    });
  }
}
