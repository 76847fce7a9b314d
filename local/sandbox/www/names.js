const PROVIDERS = { infobip: "Infobip", sinch: "Sinch", aws: "AWS" };

export function nameOf(provider) {
  return PROVIDERS[provider] ?? provider;
}

/** A number in E.164 as people write it, where the library is there. */
export function written(number) {
  return globalThis.libphonenumber?.parsePhoneNumberFromString(number)?.formatInternational() ?? number;
}
