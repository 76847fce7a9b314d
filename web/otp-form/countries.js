/** A code in wide use that ISO 3166-1 does not have, and CLDR knows no alias for. */
const MISTAKEN = { EL: "GR" };

/**
 * The countries that an attribute names, as ISO 3166-1 codes that `library` supports. A code that does not exist
 * is left out with a warning that names the right one where there is one, which is taken then.
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

/** A name with a mark in it or of capitals alone, such as "UK" and "EE. UU.". */
const ABBREVIATION = /\p{P}|^\p{Lu}+$/u;

/** Countries' names in a language: the short one of Unicode CLDR ("Palestine"), unless that is an abbreviation. */
export function countryNames(language) {
  const [short, long] = ["short", "long"].map(
    (style) => new Intl.DisplayNames([language, "en"], { type: "region", style }),
  );
  return (code) => (ABBREVIATION.test(short.of(code)) ? long : short).of(code);
}

/** "UK" is Unicode CLDR's alias of "GB". */
function meant(code) {
  try {
    return MISTAKEN[code] ?? new Intl.Locale(`und-${code}`).region;
  } catch {
    return null;
  }
}
