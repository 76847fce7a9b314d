import { meetWithAltcha } from "/otp-form/altcha.js";

const form = document.querySelector("otp-form");
const account = document.getElementById("account");
const message = document.getElementById("message");

meetWithAltcha(form, { widget: "/altcha", challenge: "/challenge" });

form.addEventListener("otp-verified", () => {
  account.hidden = false;
  document.getElementById("name").focus();
});

account.addEventListener("submit", async (event) => {
  event.preventDefault();
  const answer = await fetch("/sign-up", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ name: document.getElementById("name").value }),
  });
  const body = await answer.json();
  message.textContent = answer.ok ? `Welcome, ${body.name}.` : body.detail;
  if (answer.ok) account.hidden = true;
});
