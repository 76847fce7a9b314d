import { codeIn, digitsOf } from "./code-in-text.js";
import { node } from "./dom.js";

/**
 * One real input over as many drawn cells as the code has digits. A code that comes whole (paste, drop, autofill,
 * WebOTP, `fill`) is handed to `whole` at once; one that is typed waits for the user, since a slip costs an attempt.
 */
export class CodeField {
  #length;
  #whole;
  #noCode;
  #listening = null;
  #before = "";

  /** `noCode` is called where a text was put in that has no code, or several. */
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

  /** Put in the code that the text has, as if the browser had. */
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
    const before = this.#before;
    // What an input method composes is its own until it is done: changed meanwhile, it would come twice.
    if (event.isComposing) {
      this.#draw();
      // A keyboard's suggestion comes whole, in one step.
      if (this.value.length - before.length > 1 && this.isWhole && digitsOf(this.value) === this.value) this.#whole();
      return;
    }
    // What is typed comes digit by digit; autofill brings more, or no data at all.
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
    // Setting it moves the caret to the end, so only where there is something to take out.
    if (value !== this.input.value) this.input.value = value;
    this.#draw();
  }

  #putIn(event, data) {
    event.preventDefault();
    const text = data.getData("text");
    const digits = digitsOf(text);
    // The first digits of a code, to be completed by hand.
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
