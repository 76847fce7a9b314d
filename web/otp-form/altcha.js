import { node } from "./dom.js";
import { Texts } from "./texts.js";

const ALGORITHM = "PBKDF2/SHA-256";
/** Nothing that the user does is recorded, and nothing becomes markup: the footer is the one text that would. */
const DEFAULTS = { humanInteractionSignature: false, hideLogo: true, hideFooter: true };
/** Its tick lies over its box, and would take the clicks. */
const STYLE = new CSSStyleSheet();
STYLE.replaceSync(".altcha-checkbox svg { pointer-events: none; }");
/** Under `require-trusted-types-for 'script'` a worker starts from a policy's URL alone. */
const workers = globalThis.trustedTypes?.createPolicy("otp-form", { createScriptURL: (url) => url });

/**
 * Meet CHALLENGE_REQUIRED with ALTCHA's proof of work: its widget is loaded and put into the form's slot `challenge`
 * once a challenge is required. `widget` is the URL of the folder `dist` of the npm package altcha, `challenge` that
 * of the backend's route which makes one. The backend checks what the form then sends as `challenge`.
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
      if (!missing) sayThatItIsMissing(form);
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

function sayThatItIsMissing(form) {
  const text = new Texts(form).say("error-no-challenge");
  form.append(node("p", { slot: "challenge", class: "otp-no-altcha", role: "alert" }, text));
}
