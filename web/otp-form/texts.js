/**
 * The component's English texts by name. `label-NAME` on the element replaces one; for a text with a {count},
 * `label-NAME-one`, `label-NAME-few` and so on replace the language's plural forms.
 */
const ENGLISH = {
  country: "Country",
  number: "Phone number",
  "number-hint": "With the country code, such as +44 …",
  send: "Text me a code",
  call: "Call me with a code",
  whatsapp: "Send it by WhatsApp",
  "back-to-code": "Enter the code sent to {number}",
  code: "{count}-digit code",
  "sent-sms": "We sent a text message to {number}.",
  "sent-voice": "We are calling {number}. Listen for your code.",
  "sent-whatsapp": "We sent a WhatsApp message to {number}.",
  "newest-message": "The code is a new one: use the newest message.",
  "change-number": "Change number",
  "expires-in": "Expires in {time}",
  verify: "Verify",
  "send-again": "Send it again",
  "send-again-in": "Send it again in {time}",
  "call-instead": "Call me instead",
  "text-instead": "Text me instead",
  "whatsapp-instead": "Send it by WhatsApp instead",
  "new-code": "Request a new code",
  "wait-for": "Try again in {time}",
  verified: "Your number is verified.",

  "attempts-left-one": "You have one attempt left.",
  "attempts-left": "You have {count} attempts left.",
  "can-send-again": "You can request the code again now.",
  "can-go-on": "You can try again now.",
  "expires-soon": "Your code expires in one minute.",
  busy: "One moment …",

  "error-number": "Enter a valid phone number.",
  "error-code": "Enter all {count} digits of the code.",
  "error-channel": "We cannot send a code to this number that way.",
  "error-no-challenge": "The check could not be loaded. Reload the page and try again.",
  "error-check-unavailable": "The code could not be checked. Try again: this attempt does not count.",
  "error-unreachable": "No connection. Check it and try again.",
  "error-unknown": "Something went wrong. Try again.",

  "error-invalid-request": "Something is missing. Check what you entered.",
  "error-invalid-phone-number": "Enter a valid phone number.",
  "error-destination-not-allowed": "We cannot send codes to this number.",
  "error-provider-rejected": "This number does not accept our messages. Try another one.",
  "error-number-disabled": "This number is blocked after too many incorrect codes. Contact us to unblock it.",
  "error-challenge-required": "Confirm that you are a person to get a code.",
  "error-otp-incorrect": "Incorrect code.",
  "error-invalid-otp-format": "Incorrect code.",
  "error-otp-expired": "This code has expired.",
  "error-too-many-attempts": "Too many incorrect codes. Request a new one.",
  "error-verification-cancelled": "This code is no longer valid.",
  "error-verification-not-found": "This code is no longer valid.",
  "error-already-verified": "This code has been used already.",
  "error-rate-limited": "Too many codes in a short time.",
  "error-number-locked": "Too many incorrect codes.",
  "error-request-in-progress": "Your code is being sent. Try again in a moment.",
  "error-idempotency-key-reused": "Something went wrong. Try again.",
  "error-provider-unavailable": "Messages cannot be sent at the moment.",
  "error-sending-stopped": "Messages cannot be sent at the moment. Try again later.",
  "error-service-unavailable": "The service cannot be reached at the moment. Try again.",
  "error-service-misconfigured": "Something is wrong on our side. Try again later.",
  "error-internal-error": "Something is wrong on our side. Try again.",
  "error-forbidden": "Something is wrong on our side. Try again later.",
};

export class Texts {
  #host;

  /** `host` is the element whose attributes and language apply. */
  constructor(host) {
    this.#host = host;
  }

  /** BCP 47 without extensions: the nearest `lang`, else the browser's, else English. */
  get language() {
    const named = this.#host.closest("[lang]")?.lang || navigator.language;
    try {
      return new Intl.Locale(named.replaceAll("_", "-")).baseName;
    } catch {
      return "en";
    }
  }

  /** The text of this name, with its {placeholders} filled in. */
  say(name, values = {}) {
    const plural = "count" in values ? this.#text(`${name}-${this.#plural(values.count)}`) : null;
    const text = plural ?? this.#text(name) ?? name;
    return text.replaceAll(/\{(\w+)\}/g, (whole, key) => values[key] ?? whole);
  }

  /** The pieces of the text of this name; `make` makes the piece for each {key}. */
  sayAround(name, key, make) {
    return this.say(name).split(`{${key}}`).flatMap((text, index) => (index ? [make(), text] : [text]));
  }

  /** The text for an errorCode of a send by this channel; a general one if the code has none. */
  error(code, channel = "sms") {
    // The number may still be sent an SMS.
    if (code === "DESTINATION_NOT_ALLOWED" && channel !== "sms") return this.say("error-channel");
    return this.#text(`error-${code.toLowerCase().replaceAll("_", "-")}`) ?? this.say("error-unknown");
  }

  #text(name) {
    return this.#host.getAttribute(`label-${name}`) ?? ENGLISH[name] ?? null;
  }

  #plural(count) {
    return new Intl.PluralRules(this.language).select(count);
  }
}

/** 0:07, 4:32, 1:05:00. */
export function clock(seconds) {
  const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const two = (part) => String(part).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}
