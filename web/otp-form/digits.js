const DECIMAL = /\p{Nd}/u;
const DECIMALS = /\p{Nd}/gu;
const PLUS = /[\u2795\u207a\u208a\ufe62\uff0b\ufb29]/g;

/** The text with decimal digits of every script as 0 to 9, and every plus sign as `+`. */
export function withAsciiDigits(text) {
  return text.replaceAll(PLUS, "+").replaceAll(DECIMALS, (digit) => String(decimalValue(digit.codePointAt(0))));
}

/** Unicode encodes a script's decimal digits in order, in runs of ten starting with zero. */
function decimalValue(codePoint) {
  let zero = codePoint;
  while (DECIMAL.test(String.fromCodePoint(zero - 1))) zero -= 1;
  return (codePoint - zero) % 10;
}
