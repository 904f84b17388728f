/**
 * The arithmetic of INCRBYFLOAT. Redis adds in `long double`, which on x86-64 is a binary float of
 * 64 bits of mantissa, and prints with "%.17Lf" less trailing zeros. Doubles would answer otherwise
 * (0.1 + 0.2 is 0.3 here), and clients compare the text, so the same float is built on BigInt:
 *
 *   value = mantissa * 2^exponent,  |mantissa| <= 2^64,  exponent >= -16445,  |value| < 2^16384
 *
 * Every operation computes exactly and rounds once, to nearest, ties to even. The sign of zero is
 * not kept, for Redis prints -0 as 0. Source: string2ld and ld2string of Redis 7.0's util.c, the
 * extended format of the Intel manuals (volume 1, 4.2.2).
 */
export type LongDouble =
  | { readonly kind: 'finite'; readonly mantissa: bigint; readonly exponent: number }
  | { readonly kind: 'infinite' };

const mantissaBits = 64;
const exponentMin = -16445;
/** Values of 2^16384 and above are infinite. */
const magnitudeBitsMax = 16384;
const fractionDigits = 17;
/** Redis' buffer, the end of the string included. */
const textBytesMax = 5 * 1024;
/**
 * Powers of ten safely beyond the largest and the smallest value: what lies there need not be
 * built.
 */
const decimalPlacesMax = 4940;
const decimalPlacesMin = -4960;

const decimalText = /^([+-]?)(\d+(?:\.\d*)?|\.\d+)(?:e([+-]?\d+))?$/i;
const hexText = /^([+-]?)0x([\da-f]+(?:\.[\da-f]*)?|\.[\da-f]+)(?:p([+-]?\d+))?$/i;
const infiniteText = /^[+-]?inf(inity)?$/i;

const nought: LongDouble = { kind: 'finite', mantissa: 0n, exponent: 0 };
const infinite: LongDouble = { kind: 'infinite' };

/** undefined: no float, or one that overflows or underflows to zero. Infinity itself is a float. */
export function parseLongDouble(bytes: Uint8Array): LongDouble | undefined {
  if (bytes.length >= textBytesMax) return undefined;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
  if (infiniteText.test(text)) return infinite;
  const decimal = decimalText.exec(text);
  const parts = decimal ?? hexText.exec(text);
  if (parts === null) return undefined;
  const [, sign, digits = '', exponent = '0'] = parts;
  const [whole = '', fraction = ''] = digits.split('.');
  const significant = (whole + fraction).replace(/^0+/, '');
  if (significant === '') return nought;
  const value =
    decimal === null
      ? fromHex(significant, Number(exponent) - 4 * fraction.length)
      : fromDecimal(significant, Number(exponent) - fraction.length);
  if (value.kind === 'infinite' || value.mantissa === 0n) return undefined;
  return sign === '-' ? { ...value, mantissa: -value.mantissa } : value;
}

/** Infinite if a summand or the sum is (or would be NaN). */
export function addLongDoubles(a: LongDouble, b: LongDouble): LongDouble {
  if (a.kind === 'infinite' || b.kind === 'infinite') return infinite;
  const exponent = Math.min(a.exponent, b.exponent);
  const sum =
    (a.mantissa << BigInt(a.exponent - exponent)) + (b.mantissa << BigInt(b.exponent - exponent));
  if (sum >= 0n) return rounded(sum, exponent);
  const value = rounded(-sum, exponent);
  return value.kind === 'finite' ? { ...value, mantissa: -value.mantissa } : value;
}

/** As "%.17Lf" without trailing zeros; undefined: infinite. */
export function formatLongDouble(value: LongDouble): string | undefined {
  if (value.kind === 'infinite') return undefined;
  const { mantissa, exponent } = value;
  const negative = mantissa < 0n;
  const scaled = (negative ? -mantissa : mantissa) * 10n ** BigInt(fractionDigits);
  const units =
    exponent >= 0 ? scaled << BigInt(exponent) : shiftedRight(scaled, BigInt(-exponent));
  if (units === 0n) return '0';
  const text = units.toString().padStart(fractionDigits + 1, '0');
  const whole = text.slice(0, -fractionDigits);
  const fraction = text.slice(-fractionDigits).replace(/0+$/, '');
  return `${negative ? '-' : ''}${whole}${fraction === '' ? '' : `.${fraction}`}`;
}

/** digits * 10^exponent; digits start with a non-zero one. */
function fromDecimal(digits: string, exponent: number): LongDouble {
  const places = digits.length + exponent;
  if (places > decimalPlacesMax) return infinite;
  if (places < decimalPlacesMin) return nought;
  const whole = BigInt(digits);
  if (exponent >= 0) return rounded(whole * 10n ** BigInt(exponent), 0);
  // Enough bits that the last one, which says whether there was a remainder, cannot round wrong.
  const divisor = 10n ** BigInt(-exponent);
  const shift = Math.max(0, mantissaBits + 2 + bitsOf(divisor) - bitsOf(whole));
  const dividend = whole << BigInt(shift);
  const remainder = dividend % divisor === 0n ? 0n : 1n;
  return rounded((dividend / divisor) * 2n + remainder, -shift - 1);
}

/** digits * 2^exponent; digits start with a non-zero one. */
function fromHex(digits: string, exponent: number): LongDouble {
  const bits = 4 * digits.length + exponent;
  if (bits > magnitudeBitsMax + 4) return infinite;
  if (bits < exponentMin - 4) return nought;
  return rounded(BigInt(`0x${digits}`), exponent);
}

/** mantissa * 2^exponent, mantissa >= 0, as the nearest value of the format. */
function rounded(mantissa: bigint, exponent: number): LongDouble {
  const shift = Math.max(bitsOf(mantissa) - mantissaBits, exponentMin - exponent, 0);
  const kept = shiftedRight(mantissa, BigInt(shift));
  if (bitsOf(kept) + exponent + shift > magnitudeBitsMax) return infinite;
  return { kind: 'finite', mantissa: kept, exponent: exponent + shift };
}

/** value / 2^shift to the nearest integer, ties to even; value >= 0. */
function shiftedRight(value: bigint, shift: bigint): bigint {
  if (shift === 0n) return value;
  const kept = value >> shift;
  const rest = value - (kept << shift);
  const half = 1n << (shift - 1n);
  const up = rest > half || (rest === half && (kept & 1n) === 1n);
  return up ? kept + 1n : kept;
}

function bitsOf(value: bigint): number {
  return value === 0n ? 0 : value.toString(2).length;
}
