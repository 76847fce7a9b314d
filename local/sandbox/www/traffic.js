import { node } from "/otp-form/dom.js";
import { nameOf } from "./names.js";

const TOKENS = /("(?:\\.|[^"\\])*")(\s*:)?|(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|true|false|null)/g;

/** The drawer: each request of the app's backend to the service, with its provider calls. */
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

  /** `page` is the name that this page's form sends with its requests. */
  constructor(page) {
    this.#page = page;
    // In sequence: otherwise an earlier choice's faults could be added after a later choice has cleared them.
    this.#weather.addEventListener("change", ({ target }) => {
      this.#spoilt = this.#spoilt.then(() => spoil(target.value));
    });
  }

  /** All newest first; `calls` belong to no exchange, `faults` are the pending ones. */
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

  /** Reuse an exchange's element, so that opened details stay open. */
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

  /** Open the newest request, and close the previous one. */
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

/** A provider call without a request of this page. */
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
    // Only a secure context has a clipboard: elsewhere, show the command to copy by hand.
    if (!navigator.clipboard) return (text.hidden = false);
    await navigator.clipboard.writeText(command);
    copy.textContent = "Copied";
  });
  return node("div", { class: "curl" }, copy, text);
}

/** JSON with coloured keys, strings and other values. */
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
