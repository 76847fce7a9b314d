const PROVIDERS = { infobip: "Infobip", sinch: "Sinch", aws: "AWS" };

export function nameOf(provider) {
  return PROVIDERS[provider] ?? provider;
}

/** An E.164 number, formatted if the library is installed. */
export function written(number) {
  return globalThis.libphonenumber?.parsePhoneNumberFromString(number)?.formatInternational() ?? number;
}
