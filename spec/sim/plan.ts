/**
 * What a seed stands for: the ring, the load, the faults, each with its time, all drawn before the
 * run begins, so that a run can be repeated, and made smaller, from the plan alone. Each seed has
 * only some kinds of faults (a swarm): all at once would hide one another.
 */
import type { Chaos } from './chaos-transport.ts';
import { noChaos } from './chaos-transport.ts';
import { type SeededRandom, stream } from './seeded-random.ts';

/** What a client may ask; `write` of a dyn-put is chosen by `context`. */
export const operationKinds = [
  'get',
  'set',
  'del',
  'setnx',
  'append',
  'incr',
  'expire',
  'mset',
  'wait',
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
  /** The second key of MSET. */
  readonly other: string;
  /** Which of the contexts that the client remembers of this key. */
  readonly context: 'last' | 'stale' | 'none';
  readonly ttlMs: number;
}

export type Fault =
  | { readonly kind: 'crash' | 'stop' | 'pause'; readonly nodes: readonly number[] }
  /** A clean stop, a start, and a crash soon after it. */
  | { readonly kind: 'relapse'; readonly nodes: readonly number[]; readonly afterMs: number }
  | { readonly kind: 'power'; readonly nodes: readonly number[] }
  /** One way, or both, between the nodes of `nodes` and those of `others`. */
  | {
      readonly kind: 'cut';
      readonly nodes: readonly number[];
      readonly others: readonly number[];
      readonly oneWay: boolean;
    }
  | {
      readonly kind: 'reset';
      readonly nodes: readonly number[];
      readonly others: readonly number[];
    }
  | { readonly kind: 'clock'; readonly nodes: readonly number[]; readonly byMs: number }
  | { readonly kind: 'slow-disk'; readonly nodes: readonly number[]; readonly factor: number }
  | {
      readonly kind: 'failing-disk';
      readonly nodes: readonly number[];
      readonly outcome: 'keep' | 'lose';
    }
  /** The process is killed; when it comes back its records are gone, its identity is not. */
  | { readonly kind: 'wipe'; readonly nodes: readonly number[] }
  /** One record of a stopped process is gone, or damaged. */
  | { readonly kind: 'lost-record' | 'bit-flip'; readonly nodes: readonly number[] };

export type FaultKind = Fault['kind'];

export interface Action {
  readonly atMs: number;
  /** Until what was done is undone. */
  readonly forMs: number;
  readonly fault: Fault;
}

export interface Plan {
  readonly seed: number;
  readonly nodes: number;
  readonly quorum: readonly [n: number, r: number, w: number];
  readonly strict: boolean;
  readonly appendfsync: 'always' | 'everysec';
  readonly timeoutMs: number;
  readonly offsetsMs: readonly number[];
  readonly drifts: readonly number[];
  readonly chaos: Chaos;
  readonly durationMs: number;
  readonly operations: readonly Operation[];
  readonly actions: readonly Action[];
}

/** A record that only this kind of load touches is checked more strictly. */
export type KeyRole = 'mixed' | 'dyn' | 'plain' | 'counter' | 'log';

const roleOperations: {
  readonly [role in KeyRole]: readonly (readonly [OperationKind, number])[];
} = {
  mixed: [
    ['get', 3],
    ['set', 4],
    ['del', 1],
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
    ['get', 3],
    ['set', 5],
    ['del', 1],
    ['setnx', 2],
    ['mset', 1],
    ['expire', 1],
    ['wait', 1],
  ],
  counter: [
    ['incr', 4],
    ['get', 1],
  ],
  log: [
    ['append', 4],
    ['get', 1],
  ],
};
const roles = Object.keys(roleOperations) as KeyRole[];

export function roleOf(key: string): KeyRole {
  return roles.find((role) => key.startsWith(role)) ?? 'mixed';
}

const quorums = [
  [3, 2, 2],
  [3, 2, 2],
  [3, 2, 2],
  [3, 1, 1],
  [3, 1, 3],
  [3, 3, 1],
  [3, 1, 2],
  [2, 1, 1],
  [2, 2, 2],
  [5, 3, 3],
  [4, 2, 3],
] as const;

/** How often each kind of fault strikes in a run that has it; the rest of the seed's swarm. */
const faultWeights: { readonly [kind in FaultKind]: number } = {
  crash: 3,
  stop: 2,
  relapse: 2,
  pause: 2,
  power: 2,
  cut: 4,
  reset: 2,
  clock: 1,
  'slow-disk': 1,
  'failing-disk': 3,
  wipe: 1,
  'lost-record': 1,
  'bit-flip': 1,
};
const faultKinds = Object.keys(faultWeights) as FaultKind[];

export function planOf(seed: number): Plan {
  const random = stream(seed, 'plan');
  const large = random.chance(0.1);
  const nodes = large ? random.between(5, 6) : random.between(3, 5);
  const durationMs = large ? random.between(10_000, 40_000) : random.between(2500, 8000);
  const clients = random.between(2, large ? 8 : 5);
  const count = random.between(60, large ? 600 : 250);
  const skewed = random.chance(0.5);
  const flushes = random.chance(0.08);
  return {
    seed,
    nodes,
    quorum: random.pick(quorums),
    strict: random.chance(0.2),
    appendfsync: random.chance(0.6) ? 'always' : 'everysec',
    timeoutMs: random.pick([100, 300, 500]),
    offsetsMs: Array.from({ length: nodes }, () => (skewed ? random.between(-50, 50) : 0)),
    drifts: Array.from({ length: nodes }, () => (skewed ? (random.unit() * 2 - 1) * 1e-4 : 0)),
    chaos: random.chance(0.4) ? drawChaos(random) : noChaos,
    durationMs,
    operations: drawOperations(stream(seed, 'workload'), {
      nodes,
      durationMs,
      clients,
      count,
      flushes,
    }),
    actions: random.chance(0.1)
      ? []
      : drawActions(stream(seed, 'nemesis'), nodes, durationMs, flushes),
  };
}

function drawChaos(random: SeededRandom): Chaos {
  const some = (most: number): number => (random.chance(0.5) ? random.unit() * most : 0);
  return {
    lose: some(0.1),
    loseAnswer: some(0.1),
    repeat: some(0.2),
    delay: some(0.3),
    delayMaxMs: random.pick([5, 50, 500, 3000]),
  };
}

interface Load {
  readonly nodes: number;
  readonly durationMs: number;
  readonly clients: number;
  readonly count: number;
  readonly flushes: boolean;
}

function drawOperations(random: SeededRandom, load: Load): Operation[] {
  const keys = Array.from({ length: random.between(1, 4) }, (_, index) => {
    return `${random.pick(roles)}${index}`;
  });
  const blind = random.unit();
  const times = Array.from({ length: load.count }, () => random.below(load.durationMs));
  return times
    .sort((a, b) => a - b)
    .map((atMs, id) => {
      const key = random.pick(keys);
      const flush = load.flushes && random.chance(0.01);
      return {
        id,
        atMs,
        client: random.below(load.clients),
        node: random.below(load.nodes),
        kind: flush ? 'flush' : weighted(random, roleOperations[roleOf(key)]),
        key,
        other: random.pick(keys.filter((name) => !isExact(name)).concat('plain9')),
        context: random.chance(blind) ? 'none' : random.chance(0.2) ? 'stale' : 'last',
        ttlMs: random.pick([50, 500, 5000, 100_000]),
      } as const;
    });
}

/** Keys whose checks allow no other writes. */
function isExact(key: string): boolean {
  return ['counter', 'log', 'dyn'].includes(roleOf(key));
}

function drawActions(
  random: SeededRandom,
  nodes: number,
  durationMs: number,
  flushes: boolean,
): Action[] {
  // A damaged record of a key that a flush made all others forget is repaired by nobody.
  const possible = faultKinds.filter((kind) => kind !== 'bit-flip' || !flushes);
  const enabled = possible.filter(() => random.chance(0.3));
  if (enabled.length === 0) enabled.push(random.pick(possible));
  const weights = enabled.map((kind) => [kind, faultWeights[kind]] as const);
  const count = random.between(1, 4 + Math.floor(durationMs / 1500));
  return Array.from({ length: count }, () => {
    const atMs = random.below(durationMs);
    const forMs = random.pick([30, 200, 700, 2000, 5000]);
    return { atMs, forMs, fault: drawFault(random, weighted(random, weights), nodes) };
  }).sort((a, b) => a.atMs - b.atMs);
}

function drawFault(random: SeededRandom, kind: FaultKind, nodes: number): Fault {
  const shuffled = random.shuffled(Array.from({ length: nodes }, (_, index) => index));
  const one = shuffled.slice(0, 1);
  switch (kind) {
    case 'crash':
    case 'power':
      return { kind, nodes: shuffled.slice(0, random.pick([1, 1, 1, 2, nodes])) };
    case 'cut': {
      const size = random.chance(0.5) ? 1 : random.between(1, nodes - 1);
      const rest = shuffled.slice(size);
      const others = random.chance(0.3) ? rest.slice(0, 1) : rest;
      return { kind, nodes: shuffled.slice(0, size), others, oneWay: random.chance(0.3) };
    }
    case 'reset':
      return { kind, nodes: one, others: shuffled.slice(1) };
    case 'clock': {
      const hours = 3_600_000;
      const byMs = random.chance(0.5) ? random.between(-hours, hours) : random.between(-3000, 3000);
      return { kind, nodes: one, byMs };
    }
    case 'slow-disk':
      return { kind, nodes: one, factor: random.pick([10, 100, 1000]) };
    case 'relapse':
      return { kind, nodes: one, afterMs: random.between(1, 400) };
    case 'failing-disk':
      return { kind, nodes: one, outcome: random.chance(0.5) ? 'keep' : 'lose' };
    default:
      return { kind, nodes: one };
  }
}

function weighted<T>(random: SeededRandom, items: readonly (readonly [T, number])[]): T {
  let at = random.unit() * items.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [item, weight] of items) {
    at -= weight;
    if (at < 0) return item;
  }
  throw new Error('nothing to choose from');
}
