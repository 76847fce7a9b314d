/**
 * Every text of the component by its name, in English. `label-NAME` on the element takes the place of one;
 * where a text has a {count}, `label-NAME-one`, `label-NAME-few` and so on do for that plural of the language.
 */
const ENGLISH = {
  country: "Country",
  number: "Phone number",
  "number-hint": "With the country code, such as +44 …",
  send: "Text me a code",
  call: "Call me with a code",
  code: "{count}-digit code",
  "sent-sms": "We sent a text message to {number}.",
  "sent-voice": "We are calling {number}. Listen for your code.",
  "change-number": "Change number",
  "expires-in": "The code is good for {time}",
  verify: "Verify",
  "send-again": "Send it again",
  "send-again-in": "Send it again in {time}",
  "call-instead": "Call me instead",
  "text-instead": "Text me instead",
  "new-code": "Get a new code",
  "wait-for": "Wait {time}",
  verified: "Your number is verified.",

  "attempts-left-one": "You have one more try.",
  "attempts-left": "You have {count} more tries.",
  "can-send-again": "You can ask for the code again now.",
  "can-go-on": "You can go on now.",
  "expires-soon": "Your code expires in one minute.",
  busy: "One moment …",

  "error-number": "That does not look like a phone number.",
  "error-code": "Enter all {count} digits.",
  "error-invalid-phone-number": "That does not look like a phone number.",
  "error-destination-not-allowed": "We cannot send codes to this number.",
  "error-provider-rejected": "This number does not take our messages. Try another one.",
  "error-otp-incorrect": "That code is not right.",
  "error-invalid-otp-format": "That code is not right.",
  "error-otp-expired": "This code has expired.",
  "error-too-many-attempts": "That was the last try for this code.",
  "error-verification-cancelled": "This code no longer counts.",
  "error-verification-not-found": "This code no longer counts.",
  "error-already-verified": "This code was used already.",
  "error-rate-limited": "Too many codes in a short time.",
  "error-number-locked": "Too many wrong codes. Take a short break.",
  "error-provider-unavailable": "Messages cannot be sent at the moment.",
  "error-check-unavailable": "The code could not be checked. Nothing is lost: try again.",
  "error-unreachable": "No connection. Check it and try again.",
  "error-unknown": "Something went wrong. Try again.",
};

export class Texts {
  #host;

  /** `host` is the element whose attributes and language count. */
  constructor(host) {
    this.#host = host;
  }

  /** BCP 47, without extensions: the nearest `lang`, else the browser's. English where that is no language. */
  get language() {
    const named = this.#host.closest("[lang]")?.lang || navigator.language;
    try {
      return new Intl.Locale(named.replaceAll("_", "-")).baseName;
    } catch {
      return "en";
    }
  }

  /** The text of that name, its {placeholders} filled in. */
  say(name, values = {}) {
    const plural = "count" in values ? this.#text(`${name}-${this.#plural(values.count)}`) : null;
    const text = plural ?? this.#text(name) ?? name;
    return text.replaceAll(/\{(\w+)\}/g, (whole, key) => values[key] ?? whole);
  }

  /** The pieces of the text of that name, with what `make` makes for each {key} of it. */
  sayAround(name, key, make) {
    return this.say(name).split(`{${key}}`).flatMap((text, index) => (index ? [make(), text] : [text]));
  }

  /** The text for an errorCode, with a word for codes that there is none for. */
  error(code) {
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
