/** A common code that is not in ISO 3166-1, and that CLDR has no alias for. */
const MISTAKEN = { EL: "GR" };

/**
 * The countries in an attribute, as ISO 3166-1 codes that `library` supports. An unknown code is replaced by
 * the country that it is an alias of, or dropped; both log a warning.
 */
export function countriesIn(attribute, library, name) {
  const supported = library.getCountries();
  const found = [];
  for (const code of (attribute ?? "").toUpperCase().split(/[\s,]+/).filter(Boolean)) {
    const isCountry = supported.includes(code);
    const right = isCountry ? code : meant(code);
    if (!isCountry) {
      const advice = supported.includes(right) ? `; it is taken for "${right}"` : "";
      console.warn(`<otp-form> ${name}: "${code}" is no ISO 3166-1 country that can be offered${advice}`);
    }
    if (supported.includes(right) && !found.includes(right)) found.push(right);
  }
  return found;
}

/** Matches names taken for abbreviations: with punctuation or in capitals only, such as "UK" and "EE. UU.". */
const ABBREVIATION = /\p{P}|^\p{Lu}+$/u;

/** Country names in a language: CLDR's short name ("Palestine"), unless it is an abbreviation. */
export function countryNames(language) {
  const [short, long] = ["short", "long"].map(
    (style) => new Intl.DisplayNames([language, "en"], { type: "region", style }),
  );
  return (code) => (ABBREVIATION.test(short.of(code)) ? long : short).of(code);
}

/** "UK" is an alias of "GB" in Unicode CLDR. */
function meant(code) {
  try {
    return MISTAKEN[code] ?? new Intl.Locale(`und-${code}`).region;
  } catch {
    return null;
  }
}
