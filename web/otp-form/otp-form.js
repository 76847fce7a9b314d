import { Backend, secondsUntil, withChallenge } from "./backend.js";
import { channelsIn } from "./channels.js";
import { Countdowns } from "./countdowns.js";
import { takeUp } from "./dom.js";
import { ABOUT_THE_CODE, ABOUT_THE_NUMBER, OVER } from "./problems.js";
import { clock, Texts } from "./texts.js";
import { View } from "./view.js";

const SOON_SECONDS = 60;
/** Longer than any code's lifetime: beyond it, the time was not the backend's. */
const LONGEST_LIFE_SECONDS = 3600;

/**
 * `<otp-form request-url verify-url resend-url session-url>`: verifies a phone number by a code. It calls only the
 * app's backend; README.md beside this file documents the backend's answers, the attributes and the events.
 */
export class OtpForm extends HTMLElement {
  #texts = new Texts(this);
  #countdowns = new Countdowns((ended) => this.#second(ended));
  #backend = new Backend();
  #view = null;
  #phone;
  #code;
  #channels;
  #library = null;
  #initialNumber = "";
  #initialSession = null;
  #step = null;
  /** `{number, channel, isNewest}` of the code sent last; null before the first. */
  #pending = null;
  #isBusy = false;
  #isOver = false;
  #isExpiryAnnounced = false;
  #refused = null;
  /** Incremented when the user abandons a request: earlier answers are ignored. */
  #turn = 0;
  #seenAgain = () => {
    if (document.visibilityState === "visible") this.#readSession((session, now) => this.#resume(session, now));
  };

  /** libphonenumber-js, for the choice of a country and formatting while typing; null without it. */
  set phoneLibrary(library) {
    this.#library = library;
    if (this.#view) this.#phone.library = library;
  }

  get phoneLibrary() {
    return this.#library;
  }

  /** Fill in a number (E.164) in the form's first step. */
  set phoneNumber(number) {
    if (this.#view) this.#phone.fill(number);
    else this.#initialNumber = number;
  }

  /** The backend's session, for a page that already has it: the form starts at its step. */
  set session(session) {
    if (this.#view) this.#begin(session, Date.now());
    else this.#initialSession = session;
  }

  connectedCallback() {
    if (!this.#view) this.#start();
    this.#countdowns.resume();
    if (this.#step === "code" && !this.#isOver) this.#code.listen();
    document.addEventListener("visibilitychange", this.#seenAgain);
  }

  disconnectedCallback() {
    this.#countdowns.pause();
    this.#code.stopListening();
    document.removeEventListener("visibilitychange", this.#seenAgain);
  }

  /** Fill in the code in the text, like autofill, and verify it; only while the form waits for a code. */
  fill(text) {
    if (this.#step === "code" && !this.#isOver) this.#code.fill(text);
  }

  /** Repeat the request refused by CHALLENGE_REQUIRED, with the captcha's response for the backend to check. */
  passChallenge(response) {
    this.#refused?.(response);
  }

  /** Reset to an empty form. */
  reset() {
    this.#initialNumber = "";
    this.#initialSession = null;
    if (!this.#view) return;
    this.#turn += 1;
    this.#countdowns.stopAll();
    this.#backend.forget();
    this.#pending = null;
    this.#phone.reset();
    this.#show("number");
    this.#view.say("");
  }

  #start() {
    takeUp(this, "phoneLibrary", "phoneNumber", "session");
    this.#build();
    this.#show("number");
    if (this.#initialNumber) this.#phone.fill(this.#initialNumber);
    if (this.#initialSession) this.#begin(this.#initialSession, Date.now());
    else this.#readSession((session, now) => this.#begin(session, now));
  }

  #build() {
    this.#channels = channelsIn(this.getAttribute("channels"));
    this.#view = new View(this, this.#texts, this.#channels, {
      retyped: () => this.#retyped(),
      request: (channel) => this.#request(channel),
      resend: (channel) => this.#resend(channel ?? this.#pending.channel),
      verify: () => this.#verify(),
      submitCode: () => (this.#isOver ? this.#request(this.#pending.channel) : this.#verify()),
      noCode: () => this.#notWhole(),
      changeNumber: () => this.#changeNumber(),
      backToCode: () => this.#show("code"),
    });
    this.#phone = this.#view.phone;
    this.#code = this.#view.code;
    this.#phone.library = this.#library;
  }

  /** Read the backend's session and call `begin`, unless the user acted meanwhile. */
  async #readSession(begin) {
    if (!this.hasAttribute("session-url") || this.#isBusy) return;
    const turn = this.#turn;
    const answer = await this.#backend.get(this.getAttribute("session-url"));
    if (answer.ok && turn === this.#turn && !this.#isBusy) begin(answer.body, answer.now);
  }

  /** Start at the session's step; `now` is the backend's time in milliseconds. */
  #begin(session, now) {
    if (session.step === "done" && this.#step !== "done") return this.#finish(session);
    // A user who is typing another number is offered the code, without changing the step.
    const isFree = this.#phone.isEmpty || this.#phone.value === session.phoneNumber;
    if (this.#holds(session, now) && isFree) this.#show("code", { resumed: true });
  }

  /** The page is visible again: another tab may have advanced, or the machine may have slept. */
  #resume(session, now) {
    const number = this.#pending?.number;
    if (this.#step === "code" && session.step === "done") return this.#finish(session);
    if (this.#step === "done" || !this.#holds(session, now)) return;
    if (this.#step === "code" && number !== this.#pending.number) this.#show("code", { resumed: true });
  }

  /** Take over the session's pending code. Returns false if it has none. */
  #holds(session, now) {
    const life = secondsUntil(session.expiresAt, Date.parse(session.now) || now);
    if (session.step !== "code" || !(life > 0) || this.#isOver) return false;
    const isNewest = this.#pending?.number === session.phoneNumber && this.#pending.isNewest;
    this.#pending = { number: session.phoneNumber, channel: session.channel, isNewest };
    this.#count(life, session.resendAfter);
    this.#render();
    return true;
  }

  async #request(channel, challenge) {
    const number = this.#step === "number" ? this.#phone.value : this.#pending.number;
    if (this.#mustWait("wait")) return;
    if (!number) return this.#wrong("number", this.#texts.say("error-number"));
    const body = { phoneNumber: number, channel, locale: this.#texts.language };
    const answer = await this.#post("request-url", withChallenge(body, challenge));
    if (answer.ok) return this.#arrives(answer, { number, channel, isNewest: false });
    if (await this.#wasSentTo(number, answer.problem)) return;
    this.#refusedToSend(answer.problem, "wait", (response) => this.#request(channel, response), channel);
  }

  /**
   * Whether the session has a valid code for this number although its request was refused or its answer was lost;
   * then the form shows the code's step.
   */
  async #wasSentTo(number, problem) {
    if (this.#step !== "number" || !problem) return false;
    const mayBeSent = problem.errorCode === "RATE_LIMITED" || problem.status === 0 || problem.status >= 500;
    if (!mayBeSent) return false;
    const wasAwaited = this.#isAwaited;
    if (!wasAwaited) await this.#readSession((session, now) => session.phoneNumber === number && this.#holds(session, now));
    if (this.#step !== "number" || !this.#isAwaited || this.#pending.number !== number) return false;
    if (problem.retryAfter) this.#countdowns.start("resend", problem.retryAfter);
    this.#show("code");
    if (wasAwaited) this.#showMessage(this.#texts.error(problem.errorCode));
    return true;
  }

  async #resend(channel, challenge) {
    if (this.#mustWait("resend")) return;
    const answer = await this.#post("resend-url", withChallenge({ channel }, challenge));
    if (!answer.ok) return this.#refusedToResend(answer.problem, channel);
    const isNewest = this.#pending.isNewest || answer.body.sameCode === false;
    this.#arrives(answer, { number: this.#pending.number, channel, isNewest });
    const { sent, newest } = this.#view;
    this.#view.say([sent.textContent, isNewest && newest.textContent].filter(Boolean).join(" "));
  }

  async #verify() {
    if (this.#mustWait("wait")) return;
    if (!this.#code.isWhole) return this.#notWhole();
    const answer = await this.#post("verify-url", { otp: this.#code.value });
    if (answer.ok) this.#finish(answer.body);
    else this.#refusedToVerify(answer.problem);
  }

  async #post(attribute, body) {
    if (this.#isBusy) return { ok: false, problem: null };
    const turn = this.#turn;
    const isMeant = () => turn === this.#turn;
    this.#isBusy = true;
    this.#view.say(this.#texts.say("busy"));
    this.#render();
    const answer = await this.#backend.post(this.getAttribute(attribute), body, isMeant);
    this.#isBusy = false;
    this.#view.say("");
    this.#render();
    if (!isMeant()) return { ok: false, problem: null };
    if (!answer.ok) this.#emit("otp-error", answer.problem);
    return answer;
  }

  /** A code was sent: show its step. */
  #arrives({ body, now }, { number, channel, isNewest }) {
    this.#pending = { number, channel: body.channel ?? channel, isNewest };
    this.#count(secondsUntil(body.expiresAt, now), body.resendAfter);
    this.#show("code");
  }

  #count(life, resendAfter) {
    this.#countdowns.start("expiry", life <= LONGEST_LIFE_SECONDS ? life : 0);
    this.#countdowns.start("resend", resendAfter);
    this.#isExpiryAnnounced = life <= SOON_SECONDS;
  }

  #finish(detail) {
    this.#countdowns.stopAll();
    this.#pending = null;
    this.#show("done");
    this.#emit("otp-verified", detail);
  }

  #refusedToSend(problem, countdown, repeat, channel) {
    if (!problem) return;
    const text = this.#texts.error(problem.errorCode, channel);
    if (problem.errorCode === "CHALLENGE_REQUIRED") return this.#challenge(problem, text, repeat);
    if (ABOUT_THE_NUMBER.includes(problem.errorCode)) {
      if (this.#step !== "number") this.#changeNumber();
      return this.#wrong("number", text);
    }
    this.#countdowns.start(countdown, problem.retryAfter);
    this.#showMessage(text);
  }

  /** The sent code stays valid, unless the verification is over. */
  #refusedToResend(problem, channel) {
    if (!problem) return;
    if (OVER.includes(problem.errorCode)) return this.#over(problem);
    if (ABOUT_THE_NUMBER.includes(problem.errorCode)) return this.#showMessage(this.#texts.say("error-channel"));
    this.#refusedToSend(problem, "resend", (response) => this.#resend(channel, response));
  }

  #refusedToVerify(problem) {
    if (!problem) return;
    const { errorCode, attemptsRemaining, retryAfter } = problem;
    if (OVER.includes(errorCode)) return this.#over(problem);
    if (attemptsRemaining === 0) return this.#over({ ...problem, errorCode: "TOO_MANY_ATTEMPTS" });
    const text = this.#texts.error(errorCode === "PROVIDER_UNAVAILABLE" ? "CHECK_UNAVAILABLE" : errorCode);
    if (ABOUT_THE_CODE.includes(errorCode)) {
      const left = attemptsRemaining && this.#texts.say("attempts-left", { count: attemptsRemaining });
      return this.#wrong("code", [text, left].filter(Boolean).join(" "));
    }
    this.#countdowns.start("wait", retryAfter);
    this.#showMessage(text);
  }

  #challenge(problem, text, repeat) {
    this.#showMessage(text);
    this.#refused = repeat;
    this.#view.showChallenge(text);
    this.#emit("challenge-required", problem);
  }

  /** A pending answer will be ignored. The code stays valid. */
  #changeNumber() {
    this.#turn += 1;
    if (this.#phone.isEmpty) this.#phone.fill(this.#pending.number);
    if (this.#isOver) this.#pending = null;
    this.#show("number");
  }

  /** Another number: clear the previous number's message and wait. */
  #retyped() {
    if (this.#step !== "number") return;
    this.#countdowns.stop("wait");
    this.#showMessage("");
  }

  #over({ errorCode, retryAfter }, takesFocus = true) {
    this.#isOver = true;
    this.#countdowns.stopAll();
    this.#countdowns.start("wait", retryAfter);
    this.#code.stopListening();
    this.#showMessage(this.#texts.error(errorCode));
    if (takesFocus) this.#view.primary.focus();
  }

  /** Whether that countdown runs; announces the time left. */
  #mustWait(name) {
    const seconds = this.#countdowns.left(name);
    if (seconds) this.#view.say(this.#texts.say("wait-for", { time: clock(seconds) }));
    return seconds > 0;
  }

  /** Show an error at the step's field, and focus it. */
  #wrong(step, text) {
    this.#showMessage(text);
    const field = step === "number" ? this.#phone : this.#code;
    field.invalid = true;
    field.focus();
  }

  #notWhole() {
    this.#wrong("code", this.#texts.say("error-code", { count: this.#code.length }));
  }

  /** Show the step's message, which stays until the user acts. */
  #showMessage(text) {
    this.#phone.invalid = this.#code.invalid = false;
    this.#refused = null;
    this.#view.showError(this.#step, text);
    this.#view.hideChallenge(this.#step);
    this.#view.say(text);
    this.#render();
  }

  #emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }

  /** Whether a sent code is still valid. */
  get #isAwaited() {
    return this.#pending !== null && !this.#isOver && this.#countdowns.left("expiry") > 0;
  }

  #show(step, { resumed = false } = {}) {
    const isFirst = this.#step === null;
    this.#step = step;
    this.setAttribute("step", step);
    this.#refused = null;
    this.#countdowns.stop("wait");
    this.#view.showStep(step);
    this.#phone.invalid = this.#code.invalid = this.#isOver = false;
    this.#code.stopListening();
    this.#code.clear();
    if (step === "code") {
      const { channel, number, isNewest } = this.#pending;
      this.#view.showSent(channel, this.#phone.written(number), isNewest);
      this.#code.listen();
    }
    this.#render();
    if (!isFirst && !resumed) ({ number: this.#phone, code: this.#code, done: this.#view.steps.done })[step].focus();
    this.#emit("otp-step", { step, resumed });
  }

  #second(ended) {
    if (ended.includes("wait")) this.#view.say(this.#texts.say("can-go-on"));
    if (this.#step === "code") this.#secondOfCode(ended);
    this.#render();
  }

  #secondOfCode(ended) {
    // A countdown must not take the focus from elsewhere on the page.
    const isHere = this.shadowRoot.activeElement !== null;
    if (ended.includes("expiry") && !this.#isBusy) return this.#over({ errorCode: "OTP_EXPIRED" }, isHere);
    if (ended.includes("resend")) this.#view.say(this.#texts.say("can-send-again"));
    const left = this.#countdowns.left("expiry");
    if (left && left <= SOON_SECONDS && !this.#isExpiryAnnounced) {
      this.#isExpiryAnnounced = true;
      this.#view.say(this.#texts.say("expires-soon"));
    }
  }

  #render() {
    const left = (name) => this.#countdowns.left(name);
    this.#code.disabled = this.#isOver;
    this.#view.render({
      isBusy: this.#isBusy,
      isOver: this.#isOver,
      canResend: this.hasAttribute("resend-url"),
      channel: this.#pending?.channel,
      firstChannel: this.#channels[0],
      waits: { wait: left("wait"), resend: left("resend"), expiry: left("expiry") },
      waiting: this.#isAwaited ? this.#phone.written(this.#pending.number) : null,
    });
  }
}

customElements.define("otp-form", OtpForm);
