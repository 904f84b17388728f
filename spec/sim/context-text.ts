/** What is in the text of a context, for the checkers: they need no proof of who made it. */
import type { Dot, VersionVector } from '../../lib/causal/record.ts';
import { dotBytes, readDot } from '../../lib/causal/record-codec.ts';

const dotsAt = 13;
const macBytes = 16;

export function vectorOf(context: string): VersionVector {
  const bytes = Buffer.from(context, 'base64url');
  const vv: Dot[] = [];
  for (let at = dotsAt; at + dotBytes + macBytes <= bytes.length; at += dotBytes) {
    vv.push(readDot(bytes, at));
  }
  return vv;
}
