import { node } from "/otp-form/dom.js";
import { nameOf } from "./names.js";

/** The drawer: each call of the app's backend to the service, and of the service to a provider. */
export class Traffic {
  #list = document.getElementById("exchanges");
  #quiet = document.getElementById("quiet");
  #count = document.getElementById("count");
  #weather = document.getElementById("weather");
  #known = new Map();
  #spoilt = Promise.resolve();

  constructor() {
    // One after the other: of two choices at once, the earlier's faults would come after the later has cleared them.
    this.#weather.addEventListener("change", ({ target }) => {
      this.#spoilt = this.#spoilt.then(() => spoil(target.value));
    });
  }

  /** Both newest first; `faults` are those that the sandbox still has. */
  show(exchanges, calls, faults) {
    const rows = [
      ...exchanges.map((exchange) => this.#row(exchange, exchangeRow)),
      ...calls.map((call) => this.#row(call, providerRow)),
    ];
    rows.sort((one, other) => other.at.localeCompare(one.at));
    const elements = rows.map(({ element }) => element);
    this.#open(elements.find((element) => element.querySelector("details")));
    this.#list.replaceChildren(...elements);
    const times = exchanges.length;
    this.#count.textContent = times ? `${times} ${times === 1 ? "call" : "calls"}` : "";
    this.#quiet.hidden = rows.length > 0;
    const down = [...new Set(faults.map((fault) => fault.provider))].sort().join(" ");
    const chosen = this.#weather.querySelector(`[value="${CSS.escape(down)}"]`);
    if (chosen) chosen.checked = true;
  }

  /** The element of a row stays the same, so that what was opened stays open. */
  #row(told, make) {
    const key = JSON.stringify(told);
    if (!this.#known.has(key)) this.#known.set(key, { at: told.at, element: make(told) });
    return this.#known.get(key);
  }

  /** The newest call shows itself; the one before it makes room. */
  #open(newest) {
    if (!newest || newest.isConnected) return;
    for (const open of this.#list.querySelectorAll("details[open]")) open.open = false;
    newest.querySelector("details").open = true;
  }
}

function exchangeRow({ method, path, request, status, response, milliseconds, curl }) {
  return node(
    "li",
    {},
    node(
      "details",
      { class: "exchange" },
      node(
        "summary",
        {},
        statusMark(status),
        node("code", {}, `${method} ${path}`),
        node("span", { class: "took" }, `${milliseconds} ms`),
      ),
      node(
        "div",
        { class: "inside" },
        node("div", {}, node("h3", {}, "Asked"), json(request)),
        node("div", {}, node("h3", {}, "Answered"), json(response)),
        curlButton(curl),
      ),
    ),
  );
}

function providerRow({ provider, operation, status }) {
  const what = `${nameOf(provider)} ${operation}`;
  return node("li", { class: "provider" }, what, statusMark(status));
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

/** JSON with its keys and values told apart. */
function json(value) {
  const text = JSON.stringify(value, null, 2) ?? "";
  const tokens = text.split(/("(?:\\.|[^"\\])*"(?:\s*:)?)/);
  const parts = tokens.filter(Boolean).map((token) => {
    if (token.endsWith(":")) return node("span", { class: "key" }, token);
    if (token.startsWith('"')) return node("span", { class: "string" }, token);
    return /\w/.test(token) ? node("span", { class: "other" }, token) : token;
  });
  return node("pre", {}, ...parts);
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
