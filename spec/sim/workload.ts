/**
 * What clients ask in a run: operations with their times, drawn before it begins. A key has a role,
 * its name says which: a record that only one kind of load touches is checked more strictly.
 *
 * Operations of one group leave their client together: as a pipeline, or between MULTI and EXEC.
 */
import type { SeededRandom } from './seeded-random.ts';

export const operationKinds = [
  'get',
  'mget',
  'set',
  'del',
  'getdel',
  'setnx',
  'append',
  'setrange',
  'incr',
  'expire',
  'mset',
  'msetnx',
  'rename',
  'copy',
  /** WATCH, GET, then SET inside MULTI. */
  'exchange',
  'wait',
  'scan',
  'keys',
  'dyn-get',
  'dyn-put',
  'dyn-del',
  'flush',
] as const;
export type OperationKind = (typeof operationKinds)[number];

export interface Operation {
  /** Unique; part of what is written. */
  readonly id: number;
  readonly atMs: number;
  readonly client: number;
  readonly node: number;
  readonly kind: OperationKind;
  readonly key: string;
  /** The second key, of those that have one. */
  readonly other: string;
  /** Which of the contexts that the client remembers of this key. */
  readonly context: 'last' | 'stale' | 'none';
  readonly ttlMs: number;
  /** Operations of a client that have this in common go together. */
  readonly group: number;
  readonly together: 'pipeline' | 'exec';
}

/** What a client has set for each of its connections. */
export interface ClientTraits {
  /** DYN.QUORUM. */
  readonly quorum?: readonly [r: number, w: number];
  /** DYN.CONTEXT TRACK. */
  readonly tracks: boolean;
}

export type KeyRole =
  | 'mixed'
  | 'dyn'
  | 'plain'
  | 'counter'
  | 'log'
  | 'range'
  | 'moved'
  | 'tag'
  | 'exchanged';

type Weights = readonly (readonly [OperationKind, number])[];

const roleOperations: { readonly [role in KeyRole]: Weights } = {
  mixed: [
    ['get', 3],
    ['mget', 1],
    ['set', 4],
    ['del', 1],
    ['getdel', 0.5],
    ['setnx', 1],
    ['append', 1],
    ['expire', 1],
    ['mset', 1],
    ['dyn-get', 2],
    ['dyn-put', 4],
    ['dyn-del', 1],
    ['wait', 1],
  ],
  dyn: [
    ['dyn-get', 3],
    ['dyn-put', 6],
    ['dyn-del', 1],
    ['get', 1],
  ],
  plain: [
    ['get', 4],
    ['mget', 1],
    ['set', 5],
    ['del', 1],
    ['setnx', 2],
    ['append', 1],
    ['mset', 1],
    ['expire', 1],
    ['wait', 1],
  ],
  counter: [
    ['incr', 4],
    ['get', 1],
    ['wait', 0.3],
  ],
  log: [
    ['append', 4],
    ['get', 1],
    ['wait', 0.3],
  ],
  range: [
    ['setrange', 4],
    ['get', 1],
  ],
  moved: [
    ['set', 3],
    ['rename', 2],
    ['copy', 1],
    ['del', 1],
    ['get', 2],
  ],
  tag: [
    ['msetnx', 3],
    ['del', 2],
    ['mget', 2],
    ['get', 1],
  ],
  exchanged: [
    ['exchange', 4],
    ['get', 1],
  ],
};
const roles = Object.keys(roleOperations) as KeyRole[];

export function roleOf(key: string): KeyRole {
  return roles.find((role) => key.startsWith(role)) ?? 'mixed';
}

/** The checks of the others allow no writes from elsewhere. */
const open: readonly KeyRole[] = ['mixed', 'plain'];
/** One at a time: each waits for answers of its own. */
const alone: readonly OperationKind[] = ['exchange', 'scan', 'keys', 'flush'];
/** Not between MULTI and EXEC. */
const outside: readonly OperationKind[] = [...alone, 'wait', 'rename', 'copy'];

export interface Load {
  readonly nodes: number;
  readonly durationMs: number;
  readonly clients: number;
  readonly count: number;
  readonly flushes: boolean;
  readonly scans: boolean;
}

export function drawOperations(random: SeededRandom, load: Load): Operation[] {
  const keys = Array.from({ length: random.between(1, 4) }, (_, index) => {
    const role = random.pick(roles);
    return role === 'tag' ? `tag{t}${index}` : `${role}${index}`;
  });
  const blind = random.unit();
  const pipelined = random.chance(0.4) ? 0.3 : 0;
  const batched = random.chance(0.3) ? 0.2 : 0;
  const count = Math.ceil(load.count / (1 + 2 * (pipelined + batched)));
  const times = Array.from({ length: count }, () => random.below(load.durationMs));
  const operations: Operation[] = [];
  for (const [group, atMs] of times.sort((a, b) => a - b).entries()) {
    const first = drawKind(random, load, random.pick(keys));
    const together = random.chance(batched) && !outside.includes(first.kind) ? 'exec' : 'pipeline';
    const grows = together === 'exec' || random.chance(pipelined);
    const size = grows && !alone.includes(first.kind) ? random.between(2, 5) : 1;
    const shared = { atMs, group, together, client: random.below(load.clients) } as const;
    const node = random.below(load.nodes);
    for (let at = 0; at < size; at += 1) {
      const { key, kind } = at === 0 ? first : drawNext(random, keys, first.key, together);
      operations.push({
        ...shared,
        id: operations.length,
        node,
        kind,
        key,
        other: drawOther(random, keys, key),
        context: random.chance(blind) ? 'none' : random.chance(0.2) ? 'stale' : 'last',
        ttlMs: random.pick([50, 500, 5000, 100_000]),
      });
    }
  }
  return operations;
}

interface Kind {
  readonly key: string;
  readonly kind: OperationKind;
}

function drawKind(random: SeededRandom, { flushes, scans }: Load, key: string): Kind {
  if (flushes && random.chance(0.01)) return { key, kind: 'flush' };
  if (scans && random.chance(0.08)) return { key, kind: random.chance(0.7) ? 'scan' : 'keys' };
  return { key, kind: weighted(random, roleOperations[roleOf(key)]) };
}

/** Behind another operation of its group, mostly of the same key. */
function drawNext(
  random: SeededRandom,
  keys: readonly string[],
  last: string,
  together: 'pipeline' | 'exec',
): Kind {
  const key = random.chance(0.8) ? last : random.pick(keys);
  const kind = weighted(random, roleOperations[roleOf(key)]);
  const refused = together === 'exec' ? outside : alone;
  return { key, kind: refused.includes(kind) ? 'get' : kind };
}

/** Another key that operations of this one's role may touch. */
function drawOther(random: SeededRandom, keys: readonly string[], key: string): string {
  const role = roleOf(key);
  const spare = role === 'moved' ? 'moved9' : role === 'tag' ? 'tag{t}9' : 'plain9';
  const fits = (name: string): boolean => {
    return open.includes(role) ? open.includes(roleOf(name)) : roleOf(name) === role;
  };
  return random.pick([...keys.filter((name) => name !== key && fits(name)), spare]);
}

export function weighted<T>(random: SeededRandom, items: readonly (readonly [T, number])[]): T {
  let at = random.unit() * items.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [item, weight] of items) {
    at -= weight;
    if (at < 0) return item;
  }
  throw new Error('nothing to choose from');
}
