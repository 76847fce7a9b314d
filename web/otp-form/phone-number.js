import { withAsciiDigits } from "./digits.js";

const E164 = /^\+[1-9]\d{6,14}$/;
/** Prefixes of Mexican mobile numbers until 2019: within the country, and from abroad. */
const MEXICAN_PREFIX = /^(?:04[45]|01|1)(?=\d{10}$)/;

/** Digits of every script as ASCII, a full-width plus as `+`; invisible characters gone. */
export function plainNumber(text) {
  return withAsciiDigits(text).replaceAll(/\p{Cf}/gu, "");
}

/**
 * The number in E.164 as the service stores it; null if it cannot be one. With a library, it may be written in
 * `country`'s national format. A number with a country code is validated by the service, whose metadata may be newer.
 */
export function e164Of(text, library, country) {
  const plain = plainNumber(text).trim();
  if (!library) {
    const compact = plain.replaceAll(/[\s().\p{Pd}]/gu, "");
    return E164.test(compact) ? withoutMexicanPrefix(compact) : null;
  }
  const parsed = library.parsePhoneNumberFromString(plain, country);
  if (!parsed) return null;
  const isMexican = parsed.countryCallingCode === "52";
  const national = isMexican ? parsed.nationalNumber.replace(MEXICAN_PREFIX, "") : parsed.nationalNumber;
  const number = `+${parsed.countryCallingCode}${national}`;
  const isPossible = plain.startsWith("+") || library.parsePhoneNumberFromString(number)?.isPossible();
  return isPossible && E164.test(number) ? number : null;
}

function withoutMexicanPrefix(number) {
  return number.startsWith("+52") ? `+52${number.slice(3).replace(MEXICAN_PREFIX, "")}` : number;
}
