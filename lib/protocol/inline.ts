/**
 * Inline commands: what somebody types into a raw connection. Words are split on white space;
 * `"..."` knows \n \r \t \b \a \xHH and \c for any other c, `'...'` knows only \'; a closing quote
 * must be followed by white space. Source: sdssplitargs of Redis 7.0.
 */
const space = 0x20;
const tab = 0x09;
const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const doubleQuote = 0x22;
const singleQuote = 0x27;
const backslash = 0x5c;
const letterX = 0x78;

const escapes: ReadonlyMap<number, number> = new Map([
  [0x6e, 0x0a],
  [0x72, 0x0d],
  [0x74, 0x09],
  [0x62, 0x08],
  [0x61, 0x07],
]);

/**
 * The words of a line without its line feed; undefined: unbalanced quotes. The words are copies.
 */
export function splitInline(line: Buffer): Buffer[] | undefined {
  const words: Buffer[] = [];
  const output = Buffer.alloc(line.length);
  let written = 0;
  let at = skipBlanks(line, 0);
  while (at < line.length) {
    const start = written;
    let quote = 0;
    for (; at < line.length; at += 1) {
      const byte = line[at] ?? 0;
      if (quote === 0) {
        if (endsWord(byte)) break;
        if (byte === doubleQuote || byte === singleQuote) quote = byte;
        else written = output.writeUInt8(byte, written);
      } else if (byte === quote) {
        quote = 0;
        at += 1;
        if (at < line.length && !isBlank(line[at] ?? 0)) return undefined;
        break;
      } else if (byte === backslash && quote === doubleQuote && at + 1 < line.length) {
        const code = hexPair(line, at + 1);
        const next = line[at + 1] ?? 0;
        written = output.writeUInt8(code >= 0 ? code : (escapes.get(next) ?? next), written);
        at += code >= 0 ? 3 : 1;
      } else if (byte === backslash && line[at + 1] === singleQuote) {
        written = output.writeUInt8(singleQuote, written);
        at += 1;
      } else written = output.writeUInt8(byte, written);
    }
    if (quote !== 0) return undefined;
    words.push(output.subarray(start, written));
    at = skipBlanks(line, at);
  }
  return words;
}

function skipBlanks(line: Buffer, from: number): number {
  let at = from;
  while (at < line.length && isBlank(line[at] ?? 0)) at += 1;
  return at;
}

function isBlank(byte: number): boolean {
  return byte === space || (byte >= tab && byte <= carriageReturn);
}

/** Vertical tab and form feed separate words, but do not end one. */
function endsWord(byte: number): boolean {
  return byte === space || byte === tab || byte === lineFeed || byte === carriageReturn;
}

/** The byte that `xHH` names, or -1. */
function hexPair(line: Buffer, at: number): number {
  if (line[at] !== letterX || at + 2 >= line.length) return -1;
  const high = hexDigit(line[at + 1] ?? 0);
  const low = hexDigit(line[at + 2] ?? 0);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
