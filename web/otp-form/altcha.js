import { node } from "./dom.js";
import { Texts } from "./texts.js";

const ALGORITHM = "PBKDF2/SHA-256";
/** No recording of user input, and no footer, the only text that the widget parses as markup. */
const DEFAULTS = { humanInteractionSignature: false, hideLogo: true, hideFooter: true };
/** The tick covers the checkbox and would intercept clicks. */
const STYLE = new CSSStyleSheet();
STYLE.replaceSync(".altcha-checkbox svg { pointer-events: none; }");
/** Under `require-trusted-types-for 'script'`, a worker needs a URL made by a policy. */
const workers = globalThis.trustedTypes?.createPolicy("otp-form", { createScriptURL: (url) => url });

/**
 * Answer CHALLENGE_REQUIRED with ALTCHA's proof of work: load its widget into the form's slot `challenge` once a
 * challenge is required. `widget` is the URL of the folder `dist` of the npm package altcha, `challenge` the URL of
 * the backend's route that makes one. The backend checks the solution, which the form sends as `challenge`.
 */
export function meetWithAltcha(form, { widget, challenge }) {
  let shown = null;
  form.addEventListener("challenge-required", async () => {
    if (shown) return shown.reset();
    const missing = form.querySelector(".otp-no-altcha");
    try {
      shown = widgetOf(form, challenge);
      await load((path) => new URL(`${widget}/${path}`, document.baseURI).href);
      form.append(shown);
      missing?.remove();
    } catch {
      shown = null;
      if (!missing) showMissing(form);
    }
  });
}

async function load(at) {
  await Promise.all([loadStyle(at("external/altcha.css")), import(at("external/altcha.min.js"))]);
  document.adoptedStyleSheets.push(STYLE);
  globalThis.$altcha.defaults.set(DEFAULTS);
  const worker = at("workers/pbkdf2.js");
  globalThis.$altcha.algorithms.set(ALGORITHM, () => new Worker(workers?.createScriptURL(worker) ?? worker));
}

function loadStyle(href) {
  return new Promise((onload, onerror) => {
    document.head.append(node("link", { rel: "stylesheet", href, onload, onerror }));
  });
}

function widgetOf(form, challenge) {
  const widget = node("altcha-widget", { slot: "challenge", challenge });
  widget.addEventListener("verified", ({ detail }) => form.passChallenge(detail.payload));
  return widget;
}

function showMissing(form) {
  const text = new Texts(form).say("error-no-challenge");
  form.append(node("p", { slot: "challenge", class: "otp-no-altcha", role: "alert" }, text));
}
