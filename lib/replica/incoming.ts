/**
 * Records that come from peers: merged into what is held, by the algebra alone and without a dot.
 * They are borrowed for the call, and copied when the row they go into must first be read from the
 * disk.
 */
import { own } from '../base/bytes.ts';
import type { Later } from '../base/later.ts';
import { merge, type Record, type VersionVector } from '../causal/record.ts';
import { compareDots, compareVersions, covered } from '../causal/version-vector.ts';

/** Runs `use`, which asks for the record once: a copy if that is after this turn. */
export function borrowing<T>(incoming: Record, use: (take: () => Record) => Later<T>): Later<T> {
  let held = incoming;
  let taken = false;
  const result = use(() => {
    taken = true;
    return held;
  });
  if (!taken) held = ownRecord(incoming);
  return result;
}

export function ownRecord({ vv, siblings }: Record): Record {
  return { vv, siblings: siblings.map((sibling) => ({ ...sibling, bytes: own(sibling.bytes) })) };
}

/** The merged record; undefined: `incoming` has nothing new. */
export function mergeInto(
  held: { readonly vv: VersionVector; readonly record: Record },
  incoming: Record,
): Record | undefined {
  if (supersedes(incoming, held.vv)) return incoming;
  const merged = merge(held.record, incoming);
  return merged === held.record ? undefined : merged;
}

/**
 * True of the usual replicated write: it has seen all that is held and each of its values is new,
 * so what is held need not be decoded. Without the second, a value that was superseded here by a
 * delete without a dot would come back.
 */
function supersedes({ vv, siblings }: Record, held: VersionVector): boolean {
  return compareVersions(held, vv) === 'before' && siblings.every(({ dot }) => !covered(held, dot));
}

/**
 * What the sender is told is held now. The values are those of `incoming` itself if they are all
 * there is, else all are copies, because what was held is a view of this turn.
 */
export function answerTo(incoming: Record, held: Record): Record {
  const { siblings } = incoming;
  const same =
    held.siblings.length === siblings.length &&
    held.siblings.every(({ dot }, index) => {
      const other = siblings[index];
      return other !== undefined && compareDots(dot, other.dot) === 0;
    });
  return same ? { vv: held.vv, siblings } : ownRecord(held);
}
