/** Each channel's texts: to ask by it first, to ask by it instead, and what was sent by it. */
const TEXTS = {
  sms: { send: "send", instead: "text-instead", sent: "sent-sms" },
  voice: { send: "call", instead: "call-instead", sent: "sent-voice" },
  whatsapp: { send: "whatsapp", instead: "whatsapp-instead", sent: "sent-whatsapp" },
};

/** The names of a channel's texts; an unknown channel has those of `sms`. */
export function textsOf(channel) {
  return TEXTS[channel] ?? TEXTS.sms;
}

/** The channels that the attribute names, in its order; `sms` where it names none. */
export function channelsIn(attribute) {
  const named = (attribute ?? "").toLowerCase().split(/[\s,]+/).filter(Boolean);
  const known = named.filter((channel) => Object.hasOwn(TEXTS, channel));
  for (const channel of named.filter((each) => !known.includes(each))) {
    console.warn(`<otp-form> channels: there is no channel "${channel}"`);
  }
  return known.length ? [...new Set(known)] : ["sms"];
}
