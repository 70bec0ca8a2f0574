// Whole numbers in texts, as Java's Integer.parseInt and Long.parseLong read them: with a sign or none, in digits of any script.

/** Longer ones, leading zeros aside, are beyond 64 bits. */
const MOST_DIGITS = 19;
/** In other digits than those of ASCII a number is not read that is longer: nobody writes one. */
const LONGEST_FOREIGN = 1000;

/** The number that a text is; undefined where it is none, or takes more than so many bits. */
export function javaNumber(text: string, bits: 32 | 64): number | undefined {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  const ascii = /^[+-]?\d+$/.test(text) || text.length > LONGEST_FOREIGN ? text : inAscii(text);
  const [, sign, digits] = /^([+-]?)0*(\d+)$/.exec(ascii) ?? [];
  if (digits === undefined || digits.length > MOST_DIGITS) return undefined;
  const value = sign === '-' ? -BigInt(digits) : BigInt(digits);
  return BigInt.asIntN(bits, value) === value ? Number(value) : undefined;
}

/** The text with the digits of all scripts as those of ASCII: as Java reads them, characters up to U+FFFF. */
function inAscii(text: string): string {
  return text.replace(/\p{Nd}/gu, (digit) => {
    if (digit.length > 1) return digit;
    // The ten of a script stand one after the other.
    let value = 0;
    while (/\p{Nd}/u.test(String.fromCharCode(digit.charCodeAt(0) - value - 1))) value++;
    return String(value % 10);
  });
}
