import { post } from "./backend.js";
import { CodeField } from "./code-field.js";
import { Countdowns } from "./countdowns.js";
import { node, takeUp } from "./dom.js";
import { PhoneField } from "./phone-field.js";
import { ABOUT_THE_CODE, ABOUT_THE_NUMBER, OVER } from "./problems.js";
import { style } from "./style.js";
import { clock, Texts } from "./texts.js";

const SOON_SECONDS = 60;

/**
 * `<otp-form request-url verify-url resend-url>`: a phone number, a code, done. It talks to the app's own
 * backend alone; README.md beside this file says what the backend answers, and lists attributes and events.
 */
export class OtpForm extends HTMLElement {
  #texts = new Texts(this);
  #countdowns = new Countdowns((ended) => this.#second(ended));
  #built = false;
  #phone;
  #code;
  #steps;
  #errors;
  #send;
  #call;
  #sent;
  #expiry;
  #primary;
  #again;
  #instead;
  #spoken;
  #library = null;
  #given = "";
  #step = "number";
  #number = null;
  #channel = null;
  #isBusy = false;
  #isOver = false;
  #isToldSoon = false;
  #turn = 0;

  /** libphonenumber-js, for the choice of a country and formatting while typing; none is needed. */
  set phoneLibrary(library) {
    this.#library = library;
    if (this.#built) this.#phone.library = library;
  }

  get phoneLibrary() {
    return this.#library;
  }

  /** Put a number (E.164) into the form's first step. */
  set phoneNumber(number) {
    if (this.#built) this.#phone.fill(number);
    else this.#given = number;
  }

  connectedCallback() {
    if (this.#built) return this.#goOn();
    takeUp(this, "phoneLibrary", "phoneNumber");
    this.#build();
    this.#show("number");
    if (this.#given) this.#phone.fill(this.#given);
  }

  disconnectedCallback() {
    this.#countdowns.pause();
    this.#code.stopListening();
  }

  /** Put a code in as if the browser had, and verify it. Does nothing while none is asked for. */
  fill(code) {
    if (this.#step === "code" && !this.#isOver) this.#code.fill(code);
  }

  /** Back to an empty form. */
  reset() {
    this.#given = "";
    if (!this.#built) return;
    this.#countdowns.stopAll();
    this.#phone.input.value = "";
    this.#back();
  }

  #goOn() {
    this.#countdowns.resume();
    if (this.#step === "code" && !this.#isOver) this.#code.listen();
  }

  get #channels() {
    return (this.getAttribute("channels") ?? "sms").split(/\s+/).filter(Boolean);
  }

  get #length() {
    return Number(this.getAttribute("code-length") ?? 6);
  }

  #build() {
    this.#phone = new PhoneField(this.#texts, {
      country: (this.getAttribute("country") ?? "US").toUpperCase(),
      countries: (this.getAttribute("countries") ?? "").toUpperCase().split(/[\s,]+/).filter(Boolean),
      describedBy: "number-error",
      changed: () => this.#retyped(),
    });
    this.#code = new CodeField(this.#length, {
      whole: () => this.#verify(),
      describedBy: "sent code-error",
    });
    this.#errors = { number: this.#errorLine("number"), code: this.#errorLine("code") };
    this.#send = node("button", { type: "submit", class: "primary", part: "button" });
    this.#call = this.#link("call", () => this.#ask(this.#channels[1]));
    this.#sent = node("p", { id: "sent", class: "sent", part: "text" });
    this.#expiry = node("p", { class: "hint", part: "hint" });
    this.#primary = node("button", { type: "submit", class: "primary", part: "button" });
    this.#again = this.#link("again", () => this.#resend(this.#channel));
    this.#instead = this.#link("instead", () => this.#resend(this.#other));
    this.#spoken = node("p", { role: "status", class: "visually-hidden" });

    this.#steps = {
      number: node(
        "form",
        { novalidate: true, onsubmit: (event) => this.#submit(event, () => this.#ask(this.#channels[0])) },
        node("slot", { name: "number" }),
        this.#phone.element,
        this.#errors.number,
        this.#send,
        this.#call,
      ),
      code: node(
        "form",
        { novalidate: true, onsubmit: (event) => this.#submit(event, () => this.#verifyOrRenew()) },
        node("slot", { name: "code" }),
        node("div", { class: "told" }, this.#sent, this.#link("change", () => this.#back())),
        node(
          "div",
          { class: "field" },
          node("label", { for: "code", part: "label" }, this.#texts.say("code", { count: this.#length })),
          this.#code.element,
          this.#errors.code,
          this.#expiry,
        ),
        this.#primary,
        node("div", { class: "links" }, this.#again, this.#instead),
      ),
      done: node(
        "div",
        { class: "done", part: "done", tabindex: "-1", role: "group", "aria-labelledby": "verified" },
        node("span", { class: "tick", part: "tick", "aria-hidden": "true" }),
        node("p", { id: "verified", class: "verified" }, this.#texts.say("verified")),
        node("slot", { name: "verified" }),
      ),
    };
    this.#steps.code.querySelector(".change").textContent = this.#texts.say("change-number");
    const root = this.attachShadow({ mode: "open", delegatesFocus: true });
    root.adoptedStyleSheets = [style];
    root.append(...Object.values(this.#steps), this.#spoken);
    this.#built = true;
    this.#phone.library = this.#library;
  }

  #errorLine(name) {
    return node("p", { id: `${name}-error`, class: "error", part: "error", hidden: true });
  }

  #link(name, onclick) {
    return node("button", { type: "button", class: `link ${name}`, part: "link", onclick });
  }

  /** The channel that is offered beside the one in use. */
  get #other() {
    return this.#channels.find((channel) => channel !== this.#channel);
  }

  #submit(event, act) {
    event.preventDefault();
    act();
  }

  async #ask(channel) {
    const number = this.#step === "number" ? this.#phone.value : this.#number;
    if (this.#mustWait("wait")) return;
    if (!number) return this.#wrong("number", this.#texts.say("error-number"));
    const body = { phoneNumber: number, channel, locale: this.#texts.language };
    const answer = await this.#post("request-url", body);
    if (answer.ok) {
      this.#number = number;
      this.#arrives(answer, channel);
    } else {
      this.#refusedToSend(answer.problem, "wait");
    }
  }

  async #resend(channel) {
    if (this.#mustWait("resend")) return;
    const answer = await this.#post("resend-url", { channel });
    if (!answer.ok) return this.#refusedToSend(answer.problem, "resend");
    this.#arrives(answer, channel);
    this.#say(this.#sent.textContent);
  }

  #verifyOrRenew() {
    return this.#isOver ? this.#ask(this.#channel) : this.#verify();
  }

  async #verify() {
    if (this.#mustWait("wait")) return;
    if (!this.#code.isWhole) {
      return this.#wrong("code", this.#texts.say("error-code", { count: this.#length }));
    }
    const answer = await this.#post("verify-url", { otp: this.#code.value });
    if (!answer.ok) return this.#refusedToVerify(answer.problem);
    this.#countdowns.stopAll();
    this.#show("done");
    this.#emit("otp-verified", answer.body);
  }

  async #post(attribute, body) {
    if (this.#isBusy) return { ok: false, problem: null };
    const turn = this.#turn;
    this.#isBusy = true;
    this.#say(this.#texts.say("busy"));
    this.#render();
    const answer = await post(this.getAttribute(attribute), body);
    this.#isBusy = false;
    this.#say("");
    if (turn !== this.#turn) {
      this.#render();
      return { ok: false, problem: null };
    }
    if (!answer.ok) this.#emit("otp-error", answer.problem);
    return answer;
  }

  /** A code is on its way. */
  #arrives({ body, ahead }, channel) {
    this.#channel = body.channel ?? channel;
    const life = (Date.parse(body.expiresAt) - Date.now() - ahead) / 1000;
    this.#countdowns.start("expiry", life);
    this.#countdowns.start("resend", body.resendAfter);
    this.#countdowns.stop("wait");
    this.#isToldSoon = life <= SOON_SECONDS;
    this.#show("code");
  }

  #refusedToSend(problem, countdown) {
    if (!problem) return;
    if (OVER.includes(problem.errorCode)) return this.#over(problem.errorCode);
    const text = this.#texts.error(problem.errorCode);
    if (ABOUT_THE_NUMBER.includes(problem.errorCode)) {
      this.#show("number");
      return this.#wrong("number", text);
    }
    this.#countdowns.start(countdown, problem.retryAfter);
    this.#tell(text);
  }

  #refusedToVerify(problem) {
    if (!problem) return;
    const { errorCode, attemptsRemaining, retryAfter } = problem;
    if (attemptsRemaining === 0) return this.#over("TOO_MANY_ATTEMPTS");
    if (OVER.includes(errorCode)) return this.#over(errorCode);
    const name = errorCode === "PROVIDER_UNAVAILABLE" ? "CHECK_UNAVAILABLE" : errorCode;
    const left = attemptsRemaining && this.#texts.say("attempts-left", { count: attemptsRemaining });
    const text = [this.#texts.error(name), left].filter(Boolean).join(" ");
    if (ABOUT_THE_CODE.includes(errorCode)) return this.#wrong("code", text);
    this.#countdowns.start("wait", retryAfter);
    this.#tell(text);
  }

  /** Back to the number. An answer that is still on its way is waited for, and then no longer meant. */
  #back() {
    this.#turn += 1;
    this.#show("number");
  }

  /** What was told of one number, and its wait, are not another's. */
  #retyped() {
    if (this.#step !== "number") return;
    this.#countdowns.stop("wait");
    this.#tell("");
  }

  #over(errorCode, takesFocus = true) {
    this.#isOver = true;
    this.#countdowns.stopAll();
    this.#code.stopListening();
    this.#tell(this.#texts.error(errorCode));
    if (takesFocus) this.#primary.focus();
  }

  /** True, and said, while that countdown runs. */
  #mustWait(name) {
    const seconds = this.#countdowns.left(name);
    if (seconds) this.#say(this.#texts.say("wait-for", { time: clock(seconds) }));
    return seconds > 0;
  }

  /** What was typed is wrong: said at the field, which gets the focus. */
  #wrong(step, text) {
    this.#tell(text);
    const field = step === "number" ? this.#phone : this.#code;
    field.invalid = true;
    field.focus();
  }

  #tell(text) {
    this.#phone.invalid = this.#code.invalid = false;
    const line = this.#errors[this.#step];
    line.textContent = text;
    line.hidden = !text;
    this.#say(text);
    this.#render();
  }

  /** Spoken by a screen reader, once. */
  #say(text) {
    // A blank more makes the same words a change, which is what is spoken.
    this.#spoken.textContent = this.#spoken.textContent === text && text ? `${text}\u00a0` : text;
  }

  #emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }

  #show(step) {
    const isFirst = !this.hasAttribute("step");
    this.#step = step;
    this.setAttribute("step", step);
    for (const [name, element] of Object.entries(this.#steps)) element.hidden = name !== step;
    for (const line of Object.values(this.#errors)) {
      line.textContent = "";
      line.hidden = true;
    }
    this.#phone.invalid = this.#code.invalid = this.#isOver = false;
    this.#code.stopListening();
    this.#code.disabled = false;
    this.#code.clear();
    if (step === "code") {
      // A number is read from left to right whatever the language around it.
      const number = () => node("bdi", { dir: "ltr" }, this.#phone.written(this.#number));
      this.#sent.replaceChildren(...this.#texts.sayAround(`sent-${this.#channel}`, "number", number));
      this.#code.listen();
    } else {
      this.#countdowns.stop("expiry");
      this.#countdowns.stop("resend");
    }
    this.#render();
    if (!isFirst) ({ number: this.#phone, code: this.#code, done: this.#steps.done })[step].focus();
    this.#emit("otp-step", { step });
  }

  #second(ended) {
    // Who is elsewhere on the page is not fetched back by a countdown.
    const isHere = this.shadowRoot.activeElement !== null;
    if (ended.includes("expiry") && !this.#isBusy) return this.#over("OTP_EXPIRED", isHere);
    if (ended.includes("wait")) this.#tell("");
    if (ended.includes("wait")) this.#say(this.#texts.say("can-go-on"));
    if (ended.includes("resend")) this.#say(this.#texts.say("can-send-again"));
    const left = this.#countdowns.left("expiry");
    if (left && left <= SOON_SECONDS && !this.#isToldSoon) {
      this.#isToldSoon = true;
      this.#say(this.#texts.say("expires-soon"));
    }
    this.#render();
  }

  #render() {
    const { number, code } = this.#steps;
    for (const form of [number, code]) form.setAttribute("aria-busy", String(this.#isBusy));
    const [first, second] = this.#channels;
    this.#button(this.#send, first === "voice" ? "call" : "send", "wait");
    this.#call.hidden = !second;
    this.#button(this.#call, second === "voice" ? "call" : "send", null);
    this.#call.setAttribute("aria-disabled", this.#send.getAttribute("aria-disabled"));
    this.#button(this.#primary, this.#isOver ? "new-code" : "verify", "wait");
    this.#code.disabled = this.#isOver;

    const canResend = this.hasAttribute("resend-url") && !this.#isOver;
    const wait = this.#countdowns.left("resend");
    this.#again.hidden = !canResend;
    this.#again.textContent = this.#texts.say(wait ? "send-again-in" : "send-again", { time: clock(wait) });
    this.#again.setAttribute("aria-disabled", String(wait > 0 || this.#isBusy));
    this.#instead.hidden = !canResend || !this.#other;
    this.#instead.textContent = this.#texts.say(this.#other === "voice" ? "call-instead" : "text-instead");
    this.#instead.setAttribute("aria-disabled", String(wait > 0 || this.#isBusy));

    const left = this.#countdowns.left("expiry");
    this.#expiry.hidden = !left || this.#isOver;
    this.#expiry.textContent = this.#texts.say("expires-in", { time: clock(left) });
  }

  #button(button, name, countdown) {
    const wait = countdown ? this.#countdowns.left(countdown) : 0;
    button.textContent = wait ? this.#texts.say("wait-for", { time: clock(wait) }) : this.#texts.say(name);
    button.setAttribute("aria-disabled", String(wait > 0 || this.#isBusy));
  }
}

customElements.define("otp-form", OtpForm);
