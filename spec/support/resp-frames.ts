/**
 * Cuts a stream of replies, RESP2 or RESP3, into its top-level replies without decoding them, so that
 * two servers can be compared byte by byte.
 */
const crlf = '\r\n';
/** Items that follow a header with a count: a map has two for each. */
const itemsPerCount: ReadonlyMap<string, number> = new Map([
  ['*', 1],
  ['~', 1],
  ['>', 1],
  ['%', 2],
  ['|', 2],
]);
const bulkMarks = '$=!';

/** Where the reply that begins at `from` ends; -1 if it is not complete. */
export function frameEnd(bytes: Buffer, from: number): number {
  const lineEnd = bytes.indexOf(crlf, from);
  if (lineEnd === -1) return -1;
  const mark = String.fromCharCode(bytes[from] ?? 0);
  const count = Number(bytes.toString('latin1', from + 1, lineEnd));
  let end = lineEnd + crlf.length;
  if (bulkMarks.includes(mark)) {
    if (count >= 0) end += count + crlf.length;
    return end <= bytes.length ? end : -1;
  }
  const items = (itemsPerCount.get(mark) ?? 0) * count;
  for (let item = 0; item < items && end !== -1; item += 1) end = frameEnd(bytes, end);
  return end;
}

/** All complete replies in `bytes`, and what is left behind them. */
export function splitFrames(bytes: Buffer): { frames: Buffer[]; rest: Buffer } {
  const frames: Buffer[] = [];
  let at = 0;
  for (let end = frameEnd(bytes, at); end !== -1 && at < bytes.length; end = frameEnd(bytes, at)) {
    frames.push(bytes.subarray(at, end));
    at = end;
  }
  return { frames, rest: bytes.subarray(at) };
}
