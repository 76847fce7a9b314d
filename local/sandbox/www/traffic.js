import { node } from "/otp-form/dom.js";
import { nameOf } from "./names.js";

const TOKENS = /("(?:\\.|[^"\\])*")(\s*:)?|(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|true|false|null)/g;

/** The drawer: each request of the app's backend to the service, with the provider calls that it led to. */
export class Traffic {
  #page;
  #own = document.getElementById("exchanges");
  #others = document.getElementById("others");
  #elsewhere = document.getElementById("elsewhere");
  #quiet = document.getElementById("quiet");
  #count = document.getElementById("count");
  #weather = document.getElementById("weather");
  #rows = new Map();
  #spoilt = Promise.resolve();

  /** `page` is the name under which this page's form sends its requests. */
  constructor(page) {
    this.#page = page;
    // One after the other: of two choices at once, the earlier's faults would come after the later has cleared them.
    this.#weather.addEventListener("change", ({ target }) => {
      this.#spoilt = this.#spoilt.then(() => spoil(target.value));
    });
  }

  /** All newest first; `calls` are those that no exchange led to, `faults` those that the sandbox still has. */
  show(exchanges, calls, faults) {
    const own = exchanges.filter(({ page }) => page === this.#page);
    const others = [...exchanges.filter((each) => !own.includes(each)), ...calls];
    others.sort((one, other) => other.at.localeCompare(one.at));
    const rows = own.map((exchange) => this.#row(exchange));
    this.#open(rows[0]);
    this.#own.replaceChildren(...rows);
    this.#others.replaceChildren(...others.map((each) => (each.path ? this.#row(each) : callRow(each))));
    this.#elsewhere.hidden = !others.length;
    this.#quiet.hidden = rows.length > 0;
    this.#count.textContent = own.length ? `${own.length} ${own.length === 1 ? "request" : "requests"}` : "";
    const down = [...new Set(faults.map((fault) => fault.provider))].sort().join(" ");
    const chosen = this.#weather.querySelector(`[value="${CSS.escape(down)}"]`);
    if (chosen) chosen.checked = true;
  }

  /** The element of an exchange stays the same, so that what was opened stays open. */
  #row(exchange) {
    const key = `${exchange.at} ${exchange.curl}`;
    const text = JSON.stringify(exchange);
    const row = this.#rows.get(key) ?? { element: node("li"), text: null };
    if (row.text !== text) {
      const isOpen = row.element.querySelector("details")?.open ?? false;
      row.element.replaceChildren(exchangeDetails(exchange, isOpen));
      row.text = text;
    }
    this.#rows.set(key, row);
    return row.element;
  }

  /** The newest request shows itself; the one before it makes room. */
  #open(newest) {
    if (!newest || newest.isConnected) return;
    for (const open of this.#own.querySelectorAll("details[open]")) open.open = false;
    newest.querySelector("details").open = true;
  }
}

function exchangeDetails({ method, path, request, status, response, milliseconds, curl, calls }, isOpen) {
  const isRunning = milliseconds === null;
  return node(
    "details",
    { class: "exchange", open: isOpen },
    node(
      "summary",
      {},
      node(
        "span",
        { class: "line" },
        isRunning ? node("span", { class: "status" }, "…") : statusMark(status),
        node("code", {}, `${method} ${path}`),
        node("span", { class: "took" }, isRunning ? "" : `${milliseconds} ms`),
      ),
      ...calls.map((call) => node("span", { class: "call-made" }, ...callText(call))),
    ),
    node(
      "div",
      { class: "inside" },
      node("div", {}, node("h3", {}, "Request"), json(request)),
      node("div", {}, node("h3", {}, "Answer"), json(response)),
      curlButton(curl),
    ),
  );
}

/** A provider call that no request of this page led to. */
function callRow(call) {
  return node("li", { class: "call-made alone" }, ...callText(call));
}

function callText({ provider, operation, status }) {
  return [node("span", {}, `${nameOf(provider)} ${operation}`), statusMark(status)];
}

function statusMark(status) {
  const kind = status === null || status >= 500 ? "bad" : status >= 400 ? "soso" : "good";
  return node("span", { class: `status ${kind}` }, status === null ? "none" : String(status));
}

function curlButton(command) {
  const text = node("pre", { hidden: true }, command);
  const copy = node("button", { type: "button", class: "copy" }, "Copy as curl");
  copy.addEventListener("click", async () => {
    // Only a secure context has a clipboard: elsewhere it is shown, to be copied by hand.
    if (!navigator.clipboard) return (text.hidden = false);
    await navigator.clipboard.writeText(command);
    copy.textContent = "Copied";
  });
  return node("div", { class: "curl" }, copy, text);
}

/** JSON with its keys, strings and other values in colours of their own. */
function json(value) {
  const text = JSON.stringify(value, null, 2) ?? "";
  const parts = [];
  let end = 0;
  for (const token of text.matchAll(TOKENS)) {
    const [whole, string, colon, other] = token;
    parts.push(text.slice(end, token.index));
    if (other) parts.push(node("span", { class: "other" }, other));
    else parts.push(node("span", { class: colon ? "key" : "string" }, string), colon ?? "");
    end = token.index + whole.length;
  }
  return node("pre", {}, ...parts, text.slice(end));
}

async function spoil(providers) {
  await fetch("/faults", { method: "DELETE" });
  for (const provider of providers.split(" ").filter(Boolean)) {
    for (const operation of ["send", "resend"]) {
      const fault = { provider, operation, fault: "500", times: 1000 };
      await fetch("/faults", { method: "POST", body: JSON.stringify(fault) });
    }
  }
}
