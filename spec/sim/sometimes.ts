/**
 * Rare states that a long campaign must have reached, or it has shown less than it seems to
 * (RELIABILITY 4.6): by the names of the counts that runs gather.
 */
export const sometimes: readonly string[] = [
  'acknowledged with a dot of a fallback',
  'writes_sloppy',
  'hints_delivered',
  'uncertain write that survived',
  'fence entered and left',
  '3 siblings merged by one write',
  'second_rounds',
  'read_repairs',
  'corrupt record repaired',
  'forward repeated',
  'batch delegated',
  'batch run',
  'exchange refused',
  'complete scan',
  'own writes read',
  'join under load',
  'two joins in one version',
  'a ring of one grew',
  'acknowledged under two layouts',
  'split during a change',
  'change refused',
  'a ballot in several rounds',
  'clone refused writes',
  'a member left',
  'a member was removed',
  'a joiner was removed',
  'a change was given up',
  'another layout is read from',
  'suspicions_refuted',
  'dropped by an old owner',
];

/** Runs after which each of them must have been seen. */
export const enoughRuns = 1000;

export function neverReached(counts: ReadonlyMap<string, number>): string[] {
  return sometimes.filter((name) => (counts.get(name) ?? 0) === 0);
}
