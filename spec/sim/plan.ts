/**
 * What a seed stands for: the ring, the load, the faults, each with its time, all drawn before the
 * run begins, so that a run can be repeated, and made smaller, from the plan alone. Each seed has
 * only some kinds of faults (a swarm): all at once would hide one another.
 */
import type { Chaos } from './chaos-transport.ts';
import { noChaos } from './chaos-transport.ts';
import { drawChanges, drawShape, type RingChange, type Shape } from './ring-changes.ts';
import { type SeededRandom, stream } from './seeded-random.ts';
import { type ClientTraits, drawOperations, type Operation, weighted } from './workload.ts';

/** What machines, disks and networks do. */
export type Harm =
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

export type Fault = Harm | RingChange;
export type HarmKind = Harm['kind'];

export interface Action {
  readonly atMs: number;
  /** Until what was done is undone. */
  readonly forMs: number;
  readonly fault: Fault;
}

export interface Plan {
  readonly seed: number;
  /** Those that found the ring; `join` brings more. */
  readonly nodes: number;
  readonly quorum: readonly [n: number, r: number, w: number];
  /** R and W come from `quorum-db`. */
  readonly quorumByDb: boolean;
  readonly strict: boolean;
  readonly siblingLimit: number;
  readonly appendfsync: 'always' | 'everysec';
  readonly timeoutMs: number;
  readonly offsetsMs: readonly number[];
  readonly drifts: readonly number[];
  readonly chaos: Chaos;
  readonly durationMs: number;
  /** Keys that were written before, on all owners, and are left alone. */
  readonly coldKeys: number;
  /** By the number of the client; those that are not there have nothing special. */
  readonly clients: readonly ClientTraits[];
  readonly operations: readonly Operation[];
  readonly actions: readonly Action[];
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
const faultWeights: { readonly [kind in HarmKind]: number } = {
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
const faultKinds = Object.keys(faultWeights) as HarmKind[];

export function planOf(seed: number): Plan {
  const random = stream(seed, 'plan');
  const large = random.chance(0.1);
  const founders = large ? random.between(5, 6) : random.between(3, 5);
  const usualMs = large ? random.between(10_000, 40_000) : random.between(2500, 8000);
  const shape = drawShape(stream(seed, 'shape'), {
    nodes: founders,
    durationMs: usualMs,
  });
  const { nodes, joins, durationMs, loadMs } = shape;
  const machines = nodes + joins;
  const clients = random.between(2, large ? 8 : 5);
  const count = random.between(60, large ? 600 : 250);
  const skewed = random.chance(0.5);
  const flushes = random.chance(0.08);
  const scans = random.chance(0.2);
  const quorum = random.pick(quorums);
  return {
    seed,
    nodes,
    quorum,
    quorumByDb: random.chance(0.15),
    strict: random.chance(0.2),
    siblingLimit: random.pick([100, 100, 5]),
    appendfsync: random.chance(0.6) ? 'always' : 'everysec',
    timeoutMs: random.pick([100, 300, 500]),
    offsetsMs: Array.from({ length: machines }, () => (skewed ? random.between(-50, 50) : 0)),
    drifts: Array.from({ length: machines }, () => (skewed ? (random.unit() * 2 - 1) * 1e-4 : 0)),
    chaos: random.chance(0.35) ? drawChaos(random) : noChaos,
    durationMs,
    coldKeys: scans || shape.changes ? random.between(3, 15) : 0,
    clients: shape.changes ? [] : drawTraits(random, clients, Math.min(nodes, quorum[0])),
    operations: drawOperations(stream(seed, 'workload'), {
      nodes: machines,
      durationMs: loadMs,
      clients,
      count,
      flushes,
      scans,
    }),
    actions: drawAllActions(seed, shape, random.chance(shape.changes ? 0.5 : 0.2)),
  };
}

/** Machines that take part at some time. */
export function machinesOf({ nodes, actions }: Plan): number {
  const joiners = actions.flatMap(({ fault }) => (fault.kind === 'join' ? fault.nodes : []));
  return Math.max(nodes, ...joiners.map((joiner) => joiner + 1));
}

function drawAllActions(seed: number, shape: Shape, calm: boolean): readonly Action[] {
  const { nodes, joins, durationMs } = shape;
  const random = stream(seed, 'nemesis');
  const faults = calm || shape.long ? [] : drawActions(random, nodes + joins, durationMs);
  const changes = drawChanges(stream(seed, 'changes'), shape);
  return [...faults, ...changes].sort((a, b) => a.atMs - b.atMs);
}

function drawTraits(random: SeededRandom, clients: number, n: number): readonly ClientTraits[] {
  const [some, tracking] = [random.chance(0.2), random.chance(0.15)];
  return Array.from({ length: clients }, () => ({
    ...(some && random.chance(0.5) && { quorum: [random.between(1, n), random.between(1, n)] }),
    tracks: tracking && random.chance(0.5),
  }));
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

function drawActions(random: SeededRandom, nodes: number, durationMs: number): Action[] {
  const enabled = faultKinds.filter(() => random.chance(0.3));
  if (enabled.length === 0) enabled.push(random.pick(faultKinds));
  const weights = enabled.map((kind) => [kind, faultWeights[kind]] as const);
  const count = random.between(1, 4 + Math.floor(durationMs / 1500));
  return Array.from({ length: count }, () => {
    const atMs = random.below(durationMs);
    const forMs = random.pick([30, 200, 700, 2000, 5000]);
    return { atMs, forMs, fault: drawFault(random, weighted(random, weights), nodes) };
  });
}

function drawFault(random: SeededRandom, kind: HarmKind, nodes: number): Fault {
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
