/** Each channel's texts: for the first request, for a request by it instead, and after sending. */
const TEXTS = {
  sms: { send: "send", instead: "text-instead", sent: "sent-sms" },
  voice: { send: "call", instead: "call-instead", sent: "sent-voice" },
  whatsapp: { send: "whatsapp", instead: "whatsapp-instead", sent: "sent-whatsapp" },
};

/** The names of a channel's texts; those of `sms` for an unknown channel. */
export function textsOf(channel) {
  return TEXTS[channel] ?? TEXTS.sms;
}

/** The channels in the attribute, in its order; `sms` by default. */
export function channelsIn(attribute) {
  const named = (attribute ?? "").toLowerCase().split(/[\s,]+/).filter(Boolean);
  const known = named.filter((channel) => Object.hasOwn(TEXTS, channel));
  for (const channel of named.filter((each) => !known.includes(each))) {
    console.warn(`<otp-form> channels: there is no channel "${channel}"`);
  }
  return known.length ? [...new Set(known)] : ["sms"];
}
