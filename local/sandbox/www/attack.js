/** The switch "Under attack": before each first request of the form, strangers request codes for neighbouring numbers. */
export class Attack {
  #switch = document.getElementById("attack");
  #status = document.getElementById("attack-status");

  constructor() {
    this.#switch.addEventListener("change", async () => {
      const headers = { "content-type": "application/json" };
      await fetch("/demo/attack", { method: "POST", headers, body: JSON.stringify({ isOn: this.#switch.checked }) });
    });
  }

  /** Show the sandbox's attack state, and this page's newest request. */
  show(attack, newest) {
    this.#switch.checked = attack.isOn;
    const text = attack.isOn ? [attackers(attack), user(attack, newest)].filter(Boolean).join(" ") : "";
    if (this.#status.textContent !== text) this.#status.textContent = text;
  }
}

function attackers({ requested, sent, isChallenged }) {
  if (!requested) return "Strangers will request codes for the neighbours of the number that you type.";
  const codes = `Strangers were sent ${sent} ${sent === 1 ? "code" : "codes"}`;
  return isChallenged ? `${codes}. Now the service requires a challenge.` : `${codes}, and the service requires no challenge.`;
}

/** The attack's effect on the user, who was just sent a code. */
function user({ isChallenged }, newest) {
  if (!isChallenged || newest?.status !== 200 || !newest.path.match(/^\/(request|resend)-otp$/)) return "";
  if (newest.request.challenged) return "The user passed it and was sent a code.";
  return "The user was sent a code without one: the service knows the number.";
}
