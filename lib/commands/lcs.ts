/**
 * The longest common subsequence of two values, by the textbook table of prefix lengths. The table
 * has (|a| + 1) * (|b| + 1) cells of 4 bytes and is bounded by the caller; walking it backwards
 * gives the subsequence and the ranges in which the two agree, last range first, as Redis' LCS IDX.
 */

/** Two runs of equal bytes; all positions inclusive. */
export interface CommonRange {
  readonly aFirst: number;
  readonly aLast: number;
  readonly bFirst: number;
  readonly bLast: number;
  readonly length: number;
}

export interface CommonSubsequence {
  readonly bytes: Buffer;
  /** Last first. */
  readonly ranges: readonly CommonRange[];
}

export function lcsTableBytes(a: Buffer, b: Buffer): number {
  return (a.length + 1) * (b.length + 1) * Uint32Array.BYTES_PER_ELEMENT;
}

export function longestCommonSubsequence(a: Buffer, b: Buffer): CommonSubsequence {
  const lengths = prefixLengths(a, b);
  const width = b.length + 1;
  const bytes = Buffer.alloc(lengths[lengths.length - 1] ?? 0);
  const ranges: CommonRange[] = [];
  let left = bytes.length;
  let runLength = 0;
  let i = a.length;
  let j = b.length;
  const endRun = (): void => {
    if (runLength > 0) ranges.push(commonRange(i, j, runLength));
    runLength = 0;
  };
  while (left > 0) {
    const byte = a[i - 1];
    if (byte === b[j - 1]) {
      i -= 1;
      j -= 1;
      left -= 1;
      bytes[left] = byte ?? 0;
      runLength += 1;
    } else {
      endRun();
      const above = lengths[(i - 1) * width + j] ?? 0;
      const before = lengths[i * width + j - 1] ?? 0;
      if (above > before) i -= 1;
      else j -= 1;
    }
  }
  endRun();
  return { bytes, ranges };
}

function commonRange(aFirst: number, bFirst: number, length: number): CommonRange {
  return { aFirst, aLast: aFirst + length - 1, bFirst, bLast: bFirst + length - 1, length };
}

/** Cell (i, j), at i * (|b| + 1) + j: for the first i bytes of a and the first j bytes of b. */
function prefixLengths(a: Buffer, b: Buffer): Uint32Array {
  const width = b.length + 1;
  const lengths = new Uint32Array((a.length + 1) * width);
  for (let i = 1; i <= a.length; i += 1) {
    const row = i * width;
    const byte = a[i - 1];
    for (let j = 1; j < width; j += 1) {
      const at = row + j;
      if (byte === b[j - 1]) lengths[at] = (lengths[at - width - 1] ?? 0) + 1;
      else lengths[at] = Math.max(lengths[at - width] ?? 0, lengths[at - 1] ?? 0);
    }
  }
  return lengths;
}
