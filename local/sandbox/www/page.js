import "/otp-form/otp-form.js";
import { Phone } from "./phone.js";
import { Traffic } from "./traffic.js";

const form = document.getElementById("form");
const phone = new Phone((code) => form.fill(code));
const traffic = new Traffic();
const STEPS = ["number", "code", "done"];

// The bundle's global; it is not there where npm has not been run, and the form does without.
if (globalThis.libphonenumber) form.phoneLibrary = globalThis.libphonenumber;

form.addEventListener("otp-step", ({ detail }) => progress(detail.step));
progress(form.getAttribute("step"));

document.getElementById("restart").addEventListener("click", () => form.reset());
for (const example of document.querySelectorAll(".example")) {
  example.addEventListener("click", () => {
    form.reset();
    form.phoneNumber = example.dataset.number;
  });
}

const feed = new EventSource("/demo/events");
feed.addEventListener("message", ({ data }) => {
  const told = JSON.parse(data);
  phone.show(told.messages);
  traffic.show(told.exchanges, told.calls, told.faults);
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
