import "/otp-form/otp-form.js";
import { meetWithAltcha } from "/otp-form/altcha.js";
import { Attack } from "./attack.js";
import { Phone } from "./phone.js";
import { Traffic } from "./traffic.js";

const form = document.getElementById("form");
const phone = new Phone((code) => form.fill(code));
const page = nameOfThisPage();
const traffic = new Traffic(page);
const attack = new Attack();
const STEPS = ["number", "code", "done"];

// The bundle's global; undefined without the npm packages, which the form does not require.
if (globalThis.libphonenumber) form.phoneLibrary = globalThis.libphonenumber;

for (const name of ["request-url", "resend-url", "verify-url"]) {
  form.setAttribute(name, `${form.getAttribute(name)}?page=${page}`);
}

form.addEventListener("otp-step", ({ detail }) => progress(detail.step));
progress(form.getAttribute("step"));

meetWithAltcha(form, { widget: "/altcha", challenge: "/demo/challenge" });
document.getElementById("restart").addEventListener("click", async () => {
  form.reset();
  const headers = { "content-type": "application/json" };
  await fetch("/demo/start-again", { method: "POST", headers, body: "{}" });
});
for (const example of document.querySelectorAll(".example")) {
  example.addEventListener("click", () => {
    form.reset();
    form.phoneNumber = example.dataset.number;
  });
}

const feed = new EventSource("/demo/events");
feed.addEventListener("message", ({ data }) => {
  const { messages, exchanges, calls, faults, attack: state } = JSON.parse(data);
  phone.show(messages);
  attack.show(state, exchanges.find((each) => each.page === page));
  traffic.show(exchanges, calls, faults);
});

function progress(step) {
  const reached = STEPS.indexOf(step);
  for (const item of document.querySelectorAll("#progress li")) {
    const at = STEPS.indexOf(item.dataset.step);
    item.classList.toggle("reached", at <= reached);
    if (at === reached) item.setAttribute("aria-current", "step");
    else item.removeAttribute("aria-current");
  }
  phone.isAwaited = step === "code";
}

/** Stable across reloads, and different in each tab. */
function nameOfThisPage() {
  const name = sessionStorage.getItem("page") ?? String(crypto.getRandomValues(new Uint32Array(1))[0]);
  sessionStorage.setItem("page", name);
  return name;
}
