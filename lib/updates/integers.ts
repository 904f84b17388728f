/**
 * Integers as Redis reads them from values and arguments: decimal text of a signed 64-bit number in
 * its only canonical form. No spaces, no plus sign, no leading zeros, no `-0`. Text that passes is
 * also what `OBJECT ENCODING` calls `int`. Source: string2ll of Redis' util.c.
 */
export const int64Min: bigint = -(2n ** 63n);
export const int64Max: bigint = 2n ** 63n - 1n;

/** Digits that always fit a safe integer. */
const shortDigitsMax = 15;
const longDigitsMax = 19;
const minus = 0x2d;
const zero = 0x30;
const nine = 0x39;

/** undefined: not the canonical text of a signed 64-bit integer. */
export function parseInt64(text: Uint8Array): bigint | undefined {
  const digitsAt = text[0] === minus ? 1 : 0;
  const digits = text.length - digitsAt;
  if (digits < 1 || digits > longDigitsMax) return undefined;
  if (text[digitsAt] === zero && text.length > 1) return undefined;
  const short = Math.min(text.length, digitsAt + shortDigitsMax);
  let value = 0;
  for (let at = digitsAt; at < short; at += 1) {
    const digit = digitAt(text, at);
    if (digit < 0) return undefined;
    value = value * 10 + digit;
  }
  let whole = BigInt(value);
  for (let at = short; at < text.length; at += 1) {
    const digit = digitAt(text, at);
    if (digit < 0) return undefined;
    whole = whole * 10n + BigInt(digit);
  }
  if (digitsAt === 1) whole = -whole;
  return fitsInt64(whole) ? whole : undefined;
}

export function fitsInt64(value: bigint): boolean {
  return value >= int64Min && value <= int64Max;
}

/** -1: not a digit. */
function digitAt(text: Uint8Array, at: number): number {
  const code = text[at] ?? 0;
  return code >= zero && code <= nine ? code - zero : -1;
}
