/**
 * Redis' glob patterns over bytes: `*` any run, `?` any byte, `[ab]` `[a-z]` `[^a]` one of a set,
 * `\x` the byte x itself. What is not closed or not followed by anything stands for what is there.
 *
 * Work is bounded by |pattern| * |text|. Only the last `*` is ever returned to: when a later part
 * does not fit, an earlier `*` could only have begun that part further to the right, where the last
 * one will look anyway. (Redis' own matcher recurses, and needs a guard for `a*a*a*b`.)
 */
const star = 0x2a;
const question = 0x3f;
const open = 0x5b;
const close = 0x5d;
const backslash = 0x5c;
const caret = 0x5e;
const hyphen = 0x2d;

const mismatch = -1;

export function globMatches(pattern: Buffer, text: Buffer, ignoreCase = false): boolean {
  let at = 0;
  let textAt = 0;
  let behindStar = mismatch;
  let starTextAt = 0;
  while (textAt < text.length) {
    if (pattern[at] === star) {
      at += 1;
      behindStar = at;
      starTextAt = textAt;
      continue;
    }
    const next = matchByte(pattern, at, text[textAt] ?? 0, ignoreCase);
    if (next !== mismatch) {
      at = next;
      textAt += 1;
    } else if (behindStar !== mismatch) {
      starTextAt += 1;
      at = behindStar;
      textAt = starTextAt;
    } else return false;
  }
  while (pattern[at] === star) at += 1;
  return at === pattern.length;
}

/** Where the pattern goes on if what stands at `at` (not a star) fits this byte. */
function matchByte(pattern: Buffer, at: number, byte: number, ignoreCase: boolean): number {
  const first = pattern[at];
  if (first === undefined) return mismatch;
  if (first === question) return at + 1;
  if (first === open) return matchSet(pattern, at + 1, byte, ignoreCase);
  const escaped = first === backslash ? pattern[at + 1] : undefined;
  if (fold(escaped ?? first, ignoreCase) !== fold(byte, ignoreCase)) return mismatch;
  return escaped === undefined ? at + 1 : at + 2;
}

/** `from` is behind the opening bracket. An escaped byte of a set keeps its case, as in Redis. */
function matchSet(pattern: Buffer, from: number, byte: number, ignoreCase: boolean): number {
  const negated = pattern[from] === caret;
  const folded = fold(byte, ignoreCase);
  let at = negated ? from + 1 : from;
  let found = false;
  while (at < pattern.length && pattern[at] !== close) {
    const low = pattern[at] ?? 0;
    const next = pattern[at + 1];
    const high = pattern[at + 2];
    if (low === backslash && next !== undefined) {
      found ||= next === byte;
      at += 2;
    } else if (next === hyphen && high !== undefined) {
      found ||= isBetween(fold(low, ignoreCase), fold(high, ignoreCase), folded);
      at += 3;
    } else {
      found ||= fold(low, ignoreCase) === folded;
      at += 1;
    }
  }
  if (found === negated) return mismatch;
  return Math.min(at + 1, pattern.length);
}

function isBetween(one: number, other: number, byte: number): boolean {
  return one < other ? one <= byte && byte <= other : other <= byte && byte <= one;
}

function fold(byte: number, ignoreCase: boolean): number {
  return ignoreCase && byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;
}
