import { node } from "/otp-form/dom.js";
import { Call } from "./call.js";
import { nameOf, written } from "./names.js";

/** The source of a code, if not Messages. */
const FROM = { voice: "From the call", whatsapp: "From WhatsApp" };

/** The phone on the page: every message in the sandbox's inbox, to any number. */
export class Phone {
  #use;
  #known = new Set();
  #isFirst = true;
  #newest = null;
  #isAwaited = false;
  #thread = document.getElementById("thread");
  #empty = document.getElementById("empty");
  #suggestion = document.getElementById("suggestion");
  #status = document.getElementById("phone-status");
  #arrival = document.getElementById("arrival");

  /** `use` gets the code that the user taps. */
  constructor(use) {
    this.#use = use;
    this.call = new Call((message) => this.#heard(message), () => this.#lead());
    this.#arrival.addEventListener("click", () => this.#lead());
    this.#showTime();
  }

  /** Whether the form waits for a code; then the phone suggests the newest. */
  set isAwaited(isAwaited) {
    this.#isAwaited = isAwaited;
    // Codes from before this form's request are not suggested.
    if (!isAwaited) this.#newest = null;
    this.#arrives(null);
    this.#suggest();
  }

  /** `messages`: newest first, each `{to, text, code, provider, channel, sentAt}`. */
  show(messages) {
    const oldestFirst = [...messages].reverse();
    if (!messages.length) this.#clear();
    for (const message of oldestFirst) {
      const key = `${message.sentAt} ${message.to}`;
      if (this.#known.has(key)) continue;
      this.#known.add(key);
      if (this.#isFirst) this.#append(message, false);
      else this.#arrived(message);
    }
    this.#isFirst = false;
    this.#empty.hidden = this.#known.size > 0;
  }

  #arrived(message) {
    if (message.channel === "voice") {
      this.#status.textContent = "The phone rings.";
      this.#arrives("The phone below rings");
      this.call.ring(message);
      return;
    }
    this.#append(message, true);
    this.#newest = message;
    this.#status.textContent = `New message on the phone: ${message.text}`;
    this.#arrives("New message on the phone below");
    this.#suggest();
  }

  #heard(message) {
    this.#append(message, true);
    this.#newest = message;
    this.#status.textContent = `On the phone: ${message.text}`;
    this.#suggest();
  }

  /** Shown beside the code when the phone is below the form. */
  #arrives(what) {
    this.#arrival.textContent = what ?? "The phone is below";
    this.#arrival.classList.toggle("new", what !== null);
  }

  /** Focus the phone's current action: the call, the code, else the messages. */
  #lead() {
    const code = this.#suggestion.hidden ? null : this.#suggestion.querySelector("button");
    (this.call.answering ?? code ?? this.#thread).focus();
  }

  #append(message, isNew) {
    const to = node("p", { class: "meta" }, `${nameOf(message.provider)} to ${written(message.to)} · ${time(message.sentAt)}`);
    const bubble = node("p", { class: "bubble" }, ...marked(message));
    const item = node("li", { class: `message ${message.channel}${isNew ? " new" : ""}` }, to, bubble);
    this.#thread.append(item);
    this.#thread.scrollTop = this.#thread.scrollHeight;
  }

  #suggest() {
    const message = this.#newest;
    this.#suggestion.hidden = !message || !this.#isAwaited;
    if (this.#suggestion.hidden) return;
    const button = node(
      "button",
      { type: "button", onclick: () => this.#use(message.code) },
      FROM[message.channel] ?? "From Messages",
      node("b", {}, message.code),
    );
    this.#suggestion.replaceChildren(button);
    this.#thread.scrollTop = this.#thread.scrollHeight;
  }

  #clear() {
    this.#known.clear();
    this.#thread.replaceChildren();
    this.#newest = null;
    this.#suggest();
  }

  #showTime() {
    const now = document.getElementById("now");
    const show = () => (now.textContent = time(Date.now()));
    show();
    setInterval(show, 10_000);
  }
}

function time(moment) {
  const parts = { hour: "numeric", minute: "2-digit", hour12: false };
  return new Date(moment).toLocaleTimeString("en-GB", parts);
}

/** The text, with its code highlighted. */
function marked({ text, code }) {
  const at = text.indexOf(code);
  if (at < 0) return [text];
  return [text.slice(0, at), node("span", { class: "code" }, code), text.slice(at + code.length)];
}
