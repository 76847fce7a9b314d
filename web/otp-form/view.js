import { textsOf } from "./channels.js";
import { CodeField } from "./code-field.js";
import { node } from "./dom.js";
import { PhoneField } from "./phone-field.js";
import { style } from "./style.js";
import { clock } from "./texts.js";

/** The component's elements: their layout, and rendering of the form's state. No logic. */
export class View {
  #texts;

  /**
   * Builds the shadow tree of `host`. `act` has a function for each user action: `retyped()` (the number),
   * `request(channel)`, `resend(channel)`, `verify()` (a whole code filled in), `noCode()` (a text without one),
   * `submitCode()`, `changeNumber()`, `backToCode()`.
   */
  constructor(host, texts, channels, act) {
    this.#texts = texts;
    const length = Number(host.getAttribute("code-length") ?? 6);
    const describedBy = "sent newest code-error";
    this.phone = new PhoneField(texts, { host, describedBy: "number-error", changed: act.retyped });
    this.code = new CodeField(length, { whole: act.verify, noCode: act.noCode, describedBy });
    this.errors = { number: errorLine("number"), code: errorLine("code") };
    this.send = primary();
    this.primary = primary();
    this.otherwise = channels.slice(1).map((channel) => [channel, link(channel, () => act.request(channel))]);
    this.instead = channels.map((channel) => [channel, link(channel, () => act.resend(channel))]);
    this.again = link("again", () => act.resend(null));
    this.backToCode = link("back", () => act.backToCode());
    this.sent = node("p", { id: "sent", class: "sent", part: "text" });
    this.newest = node("p", { id: "newest", class: "newest", part: "text", hidden: true });
    this.expiry = node("p", { class: "hint", part: "hint" });
    this.challenge = node(
      "div",
      { class: "challenge", part: "challenge", role: "group", tabindex: "-1", hidden: true },
      node("slot", { name: "challenge" }),
    );
    this.spoken = node("p", { role: "status", class: "visually-hidden" });
    const change = link("change", () => act.changeNumber());
    change.textContent = texts.say("change-number");
    this.steps = {
      number: form(
        () => act.request(channels[0]),
        node("slot", { name: "number" }),
        this.phone.element,
        this.errors.number,
        this.send,
        ...this.otherwise.map(([, button]) => button),
        this.backToCode,
      ),
      code: form(
        () => act.submitCode(),
        node("slot", { name: "code" }),
        node("div", { class: "about" }, this.sent, this.newest, change),
        node(
          "div",
          { class: "field" },
          node("label", { for: "code", part: "label" }, texts.say("code", { count: length })),
          this.code.element,
          this.errors.code,
          this.expiry,
        ),
        this.primary,
        node("div", { class: "links" }, this.again, ...this.instead.map(([, button]) => button)),
      ),
      done: node(
        "div",
        { class: "done", part: "done", tabindex: "-1", role: "group", "aria-labelledby": "verified" },
        node("span", { class: "tick", part: "tick", "aria-hidden": "true" }),
        node("p", { id: "verified", class: "verified" }, texts.say("verified")),
        node("slot", { name: "verified" }),
      ),
    };
    const root = host.attachShadow({ mode: "open", delegatesFocus: true });
    root.adoptedStyleSheets = [style];
    root.append(...Object.values(this.steps), this.challenge, this.spoken);
  }

  showStep(step) {
    for (const [name, element] of Object.entries(this.steps)) element.hidden = name !== step;
    for (const name of Object.keys(this.errors)) this.showError(name, "");
    this.challenge.hidden = true;
  }

  showError(step, text) {
    const line = this.errors[step];
    line.textContent = text;
    line.hidden = !text;
  }

  /** Focus the captcha's slot, labelled by the text. */
  showChallenge(text) {
    this.challenge.setAttribute("aria-label", text);
    this.challenge.hidden = false;
    this.challenge.focus();
  }

  /** Hide the captcha; focus moves from it to the step's button. */
  hideChallenge(step) {
    const held = this.challenge.matches(":focus-within");
    this.challenge.hidden = true;
    if (held) ({ number: this.send, code: this.primary })[step].focus();
  }

  /** Show the number that the code was sent to, formatted. */
  showSent(channel, number, isNewest) {
    // Numbers are left-to-right in every language.
    const written = () => node("bdi", { dir: "ltr" }, number);
    this.sent.replaceChildren(...this.#texts.sayAround(textsOf(channel).sent, "number", written));
    this.newest.hidden = !isNewest;
    // Even a hidden element would describe the field.
    this.newest.textContent = isNewest ? this.#texts.say("newest-message") : "";
  }

  /** Announce a text to screen readers, once. */
  say(text) {
    // Only changes are announced: a trailing blank makes a repeated text one.
    this.spoken.textContent = this.spoken.textContent === text && text ? `${text}\u00a0` : text;
  }

  /**
   * `waits` are the seconds left of each countdown; `waiting` is the number whose code is still valid, or null.
   */
  render({ isBusy, isOver, canResend, channel, firstChannel, waits, waiting }) {
    const { number, code } = this.steps;
    for (const each of [number, code]) each.setAttribute("aria-busy", String(isBusy));
    this.#primary(this.send, textsOf(firstChannel).send, waits.wait, isBusy);
    for (const [other, button] of this.otherwise) {
      this.#link(button, this.#texts.say(textsOf(other).send), waits.wait > 0 || isBusy);
    }
    this.#link(this.backToCode, this.#texts.say("back-to-code", { number: waiting ?? "" }), isBusy);
    this.backToCode.hidden = !waiting;
    this.#primary(this.primary, isOver ? "new-code" : "verify", waits.wait, isBusy);
    this.#renderResend({ isBusy, canResend: canResend && !isOver, channel, wait: waits.resend });
    this.expiry.hidden = !waits.expiry || isOver;
    this.expiry.textContent = this.#texts.say("expires-in", { time: clock(waits.expiry) });
  }

  #renderResend({ isBusy, canResend, channel, wait }) {
    const mustWait = wait > 0 || isBusy;
    const again = wait ? "send-again-in" : "send-again";
    this.again.hidden = !canResend;
    this.#link(this.again, this.#texts.say(again, { time: clock(wait) }), mustWait);
    for (const [other, button] of this.instead) {
      button.hidden = !canResend || other === channel;
      this.#link(button, this.#texts.say(textsOf(other).instead), mustWait);
    }
  }

  #primary(button, name, wait, isBusy) {
    button.textContent = wait ? this.#texts.say("wait-for", { time: clock(wait) }) : this.#texts.say(name);
    button.setAttribute("aria-disabled", String(wait > 0 || isBusy));
  }

  #link(button, text, isDisabled) {
    button.textContent = text;
    button.setAttribute("aria-disabled", String(isDisabled));
  }
}

function form(submit, ...children) {
  const onsubmit = (event) => {
    event.preventDefault();
    submit();
  };
  return node("form", { novalidate: true, onsubmit }, ...children);
}

function primary() {
  return node("button", { type: "submit", class: "primary", part: "button" });
}

function link(name, onclick) {
  return node("button", { type: "button", class: `link ${name}`, part: "link", onclick });
}

function errorLine(name) {
  return node("p", { id: `${name}-error`, class: "error", part: "error", hidden: true });
}
