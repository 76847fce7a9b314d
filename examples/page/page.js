const account = document.getElementById("account");
const message = document.getElementById("message");

document.querySelector("otp-form").addEventListener("otp-verified", () => {
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
