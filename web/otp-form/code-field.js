import { codeIn, digitsOf } from "./code-in-text.js";
import { node } from "./dom.js";

/**
 * One real input over drawn cells, one for each digit. A whole code (paste, drop, autofill, WebOTP, `fill`) calls
 * `whole` at once; a typed code waits for the user to submit it, because a typo costs an attempt.
 */
export class CodeField {
  #length;
  #whole;
  #noCode;
  #listening = null;
  #before = "";

  /** `noCode` is called for an inserted text with no code, or with several. */
  constructor(length, { whole, noCode, describedBy }) {
    this.#length = length;
    this.#whole = whole;
    this.#noCode = noCode;
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
      onpaste: (event) => this.#putIn(event, event.clipboardData),
      ondrop: (event) => this.#putIn(event, event.dataTransfer),
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

  get length() {
    return this.#length;
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

  /** Fill in the code in the text, like autofill. */
  fill(text) {
    const code = codeIn(String(text), this.#length);
    if (code === null) return this.#noCode();
    this.input.value = code;
    this.#draw();
    this.#whole();
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

  /** Request the code in the text message from the browser, if it supports WebOTP. */
  async listen() {
    if (!("OTPCredential" in window)) return;
    this.stopListening();
    const listening = new AbortController();
    this.#listening = listening;
    try {
      const read = await navigator.credentials.get({ otp: { transport: ["sms"] }, signal: listening.signal });
      if (read && !listening.signal.aborted) this.fill(read.code);
    } catch {
      // Not allowed, aborted, or no such message: the user types the code.
    }
  }

  stopListening() {
    this.#listening?.abort();
    this.#listening = null;
  }

  #typed(event) {
    const before = this.#before;
    // Changing the text during an IME composition would insert it twice.
    if (event.isComposing) {
      this.#draw();
      // A keyboard's suggestion inserts the whole code in one step.
      if (this.value.length - before.length > 1 && this.isWhole && digitsOf(this.value) === this.value) this.#whole();
      return;
    }
    // Typing inserts single digits; autofill inserts more, or reports no data.
    if ([...(event.data ?? "")].length === 1 || event.inputType?.startsWith("delete")) return this.#tidy();
    const code = codeIn(event.data ?? this.value, this.#length) ?? codeIn(this.value, this.#length);
    if (code !== null) return this.fill(code);
    const digits = digitsOf(this.value);
    if (digits.length <= this.#length) return this.#tidy();
    this.input.value = before;
    this.#draw();
    this.#noCode();
  }

  #tidy() {
    const value = digitsOf(this.input.value).slice(0, this.#length);
    // Setting the value moves the caret to the end, so only if it changes.
    if (value !== this.input.value) this.input.value = value;
    this.#draw();
  }

  #putIn(event, data) {
    event.preventDefault();
    const text = data.getData("text");
    const digits = digitsOf(text);
    // The first digits of a code, which the user completes.
    if (digits.length < this.#length && /^[\p{Nd}\s-]+$/u.test(text)) {
      this.input.value = digits;
      this.#draw();
    } else {
      this.fill(text);
    }
  }

  #draw() {
    this.#before = this.value;
    const { selectionStart: start, selectionEnd: end } = this.input;
    const next = start === end ? Math.min(start, this.#length - 1) : -1;
    this.cells.forEach((cell, index) => {
      cell.classList.toggle("filled", index < this.value.length);
      cell.classList.toggle("selected", index >= start && index < end);
      cell.classList.toggle("next", index === next);
    });
  }
}
