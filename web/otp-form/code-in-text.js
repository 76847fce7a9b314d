import { withAsciiDigits } from "./digits.js";

/** The line for browsers in a message (WICG, "Origin-bound one-time codes"): "@example.com #482913". */
const SITE_LINE = /@[^\s@#]+\s+#([\p{L}\p{N}]+)/gu;
const INTERNATIONAL_NUMBER = /\+\d[\d ().-]*\d/g;

/** Scripts without spaces between words, which may touch a code: "验证码482913". */
const UNSPACED = ["Han", "Hira", "Kana", "Hang", "Thai", "Laoo", "Khmr", "Mymr"].map((name) => `\\p{sc=${name}}`).join("");
const IN_A_WORD = `(?![${UNSPACED}])[\\p{L}\\p{M}_]|\\p{N}`;
const BEFORE = `(?<!${IN_A_WORD}|[+@\\p{Sc}]|\\d[-./:,'])`;
const AFTER = `(?!${IN_A_WORD}|[-./:,']\\d|\\s?%)`;

/** The digits of the typed text, in any script. */
export function digitsOf(text) {
  return withAsciiDigits(text.normalize("NFKC")).replaceAll(/\D/g, "");
}

/**
 * The one code of `length` digits in a pasted, dropped or filled-in text; null for no code, or several. A wrong
 * choice would spend an attempt, so a part of a longer number is not a code.
 */
export function codeIn(text, length) {
  const plain = withAsciiDigits(text.normalize("NFKC"))
    .replaceAll(/\p{Cf}/gu, "")
    .replaceAll(/\p{Pd}/gu, "-");
  const forBrowsers = [...plain.matchAll(SITE_LINE)].at(-1)?.[1];
  if (forBrowsers !== undefined) return isCode(forBrowsers, length) ? forBrowsers : null;
  const digits = plain.replaceAll(/\s/g, "");
  if (isCode(digits, length)) return digits;
  const rest = plain.replaceAll(INTERNATIONAL_NUMBER, "+");
  return only(runs(rest, length)) ?? only(groups(rest, length));
}

function isCode(text, length) {
  return new RegExp(`^\\d{${length}}$`).test(text);
}

function runs(text, length) {
  return text.match(new RegExp(`${BEFORE}\\d{${length}}${AFTER}`, "gu")) ?? [];
}

/** "482-913", "482 913", "48 29 13": groups of equal size, without further groups beside them. */
function groups(text, length) {
  const found = [];
  for (let size = 2; size <= length / 2; size += 1) {
    if (length % size) continue;
    // Two digits between hyphens are part of a date.
    const separator = size > 2 ? "[ -]" : " ";
    const more = `(?:(${separator})\\d{${size}})(?:\\1\\d{${size}}){${length / size - 2}}`;
    const pattern = new RegExp(`(?<!\\d[ -])${BEFORE}\\d{${size}}${more}${AFTER}(?![ -]\\d)`, "gu");
    found.push(...(text.match(pattern) ?? []).map((each) => each.replaceAll(/\D/g, "")));
  }
  return found;
}

/** Repetitions of one code count as one. */
function only(codes) {
  const different = new Set(codes);
  return different.size === 1 ? [...different][0] : null;
}
