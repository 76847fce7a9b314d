import { node } from "/otp-form/dom.js";
import { written } from "./names.js";

/** A call on the phone: ringing, accepted or declined, and its message. */
export class Call {
  #heard;
  #ended;
  #screen = document.getElementById("call");
  #timer = null;

  /** `heard` gets the message of an accepted call; `ended` is called at the end of a call. */
  constructor(heard, ended) {
    this.#heard = heard;
    this.#ended = ended;
  }

  /** The button that accepts or ends the call; null without a call. */
  get answering() {
    return this.#screen.hidden ? null : this.#screen.querySelector("button:last-child");
  }

  ring(message) {
    this.#show(
      { state: `Incoming call\n${written(message.to)}` },
      this.#button("decline", "Decline", () => this.#end()),
      this.#button("accept", "Accept", () => this.#take(message)),
    );
  }

  #take(message) {
    const hangUp = this.#button("decline", "End", () => this.#end());
    const state = this.#show({ state: "0:00", caption: `“${message.text}”` }, hangUp);
    const since = performance.now();
    this.#timer = setInterval(() => {
      const seconds = Math.round((performance.now() - since) / 1000);
      state.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    }, 1000);
    hangUp.focus();
    this.#heard(message);
  }

  #end() {
    clearInterval(this.#timer);
    this.#screen.hidden = true;
    this.#ended();
  }

  #show({ state, caption = "" }, ...buttons) {
    clearInterval(this.#timer);
    const shown = node("p", { class: "call-state" }, state);
    this.#screen.replaceChildren(
      node("div", {}, node("p", { class: "caller" }, "Northwind"), shown),
      node("p", { class: "caption" }, caption),
      node("div", { class: `call-buttons${buttons.length === 1 ? " one" : ""}` }, ...buttons),
    );
    this.#screen.hidden = false;
    return shown;
  }

  #button(kind, label, onclick) {
    return node("button", { type: "button", class: `call-button ${kind}`, onclick }, label);
  }
}
