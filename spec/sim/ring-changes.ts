/**
 * What a plan does to the ring itself: machines that join, operators who want weights, one who
 * copies a data directory, one who points a node of another ring at this one. Only some seeds have
 * any of it; their rings may begin with one member. A few seeds have a long split or pause instead.
 */
import type { Action, Fault } from './plan.ts';
import type { SeededRandom } from './seeded-random.ts';

export type RingChange =
  /** A new machine starts with an empty disk; its seeds are the addresses of these. */
  | { readonly kind: 'join'; readonly nodes: readonly number[]; readonly seeds: readonly number[] }
  /** Operators at each of these want a weight of their own for one node, at the same moment. */
  | {
      readonly kind: 'weigh';
      readonly nodes: readonly number[];
      readonly target: number;
      readonly weights: readonly number[];
    }
  | { readonly kind: 'leave'; readonly nodes: readonly number[]; readonly at: number }
  /**
   * The machine dies, is given up by the operator at another once it is seen to be dead, and comes
   * back at the end. `amid`: it dies when the next change has begun, which then waits for it.
   */
  | {
      readonly kind: 'remove';
      readonly nodes: readonly number[];
      readonly at: number;
      readonly amid: boolean;
    }
  /**
   * A copy of the disk, of the running process or of the last one, starts on another machine, and
   * the original runs too. In the end the copy goes and the original is started anew.
   */
  | { readonly kind: 'clone'; readonly nodes: readonly number[]; readonly stopped: boolean }
  /** A node with the seeds of this ring that has no business in it. */
  | {
      readonly kind: 'stranger';
      readonly nodes: readonly number[];
      /** What is wrong with it: it has a ring and data already, or another cluster-name. */
      readonly of: 'ring' | 'name';
    };

const kinds: readonly string[] = ['join', 'weigh', 'leave', 'remove', 'clone', 'stranger'];

export function isRingChange(fault: Fault): fault is RingChange {
  return kinds.includes(fault.kind);
}

export function changesRing({ actions }: { readonly actions: readonly Action[] }): boolean {
  return actions.some(({ fault }) => isRingChange(fault));
}

/** Clients must not notice. */
export function isHarmless({ kind }: Fault): boolean {
  return kind === 'join' || kind === 'weigh' || kind === 'leave' || kind === 'stranger';
}

/** The ring at its founding, and how many machines come later. */
export interface Shape {
  readonly nodes: number;
  readonly joins: number;
  readonly durationMs: number;
  /** How long clients begin operations. */
  readonly loadMs: number;
  /** Whether the ring is changed at all. */
  readonly changes: boolean;
  /** Somebody dies for good: it takes seconds until the members agree that he has. */
  readonly removes: boolean;
  /** One long split or pause, and nothing else. */
  readonly long: boolean;
}

const changesChance = 0.12;
const longChance = 0.004;
const closeMs = 500;

export function drawShape(
  random: SeededRandom,
  { nodes: usualNodes, durationMs: usualMs }: Pick<Shape, 'nodes' | 'durationMs'>,
): Shape {
  const usual = {
    nodes: usualNodes,
    joins: 0,
    durationMs: usualMs,
    loadMs: usualMs,
    changes: false,
    removes: false,
    long: false,
  };
  const kind = random.unit();
  if (kind < longChance) {
    const durationMs = 5000 + random.between(60_000, random.chance(0.2) ? 300_000 : 90_000);
    return { ...usual, durationMs, long: true };
  }
  if (kind > longChance + changesChance) return usual;
  const nodes = random.pick([1, 1, 2, 3, 3, 4, 5]);
  const joins = nodes === 1 ? random.between(1, 2) : random.pick([0, 1, 1, 2]);
  const removes = nodes > 2 && random.chance(0.4);
  const durationMs = removes ? random.between(12_000, 16_000) : random.between(4000, 11_000);
  const loadMs = removes ? durationMs : Math.min(durationMs, usualMs);
  return { nodes, joins, durationMs, loadMs, changes: true, removes, long: false };
}

export function drawChanges(random: SeededRandom, shape: Shape): Action[] {
  if (shape.long) return drawLong(random, shape);
  if (!shape.changes) return [];
  const { nodes, joins, durationMs } = shape;
  const machines = nodes + joins;
  const actions: Action[] = [];
  const add = (atMs: number, forMs: number, fault: Action['fault']): void => {
    actions.push({ atMs, forMs, fault });
  };
  const any = (count: number, of = machines): number[] =>
    random.shuffled(Array.from({ length: of }, (_, index) => index)).slice(0, count);
  const sometime = (): number => random.below(durationMs * (shape.removes ? 0.3 : 0.7));
  const mayLeave = any(machines).filter((node) => nodes > 1 || node > 0);
  const leaves = !shape.removes && machines > 2 && random.chance(0.2);
  const leaver = leaves ? (mayLeave[0] ?? machines) : machines;
  const lost = joins > 0 && random.chance(0.35) ? nodes : random.below(nodes);
  const gone = shape.removes ? lost : leaver;
  let joinAtMs = sometime();
  for (let joiner = nodes; joiner < machines; joiner += 1) {
    // Who knows only somebody that has gone never finds the ring.
    const others = any(nodes, nodes).filter((node) => node !== gone);
    const seeds = others.slice(0, random.between(1, nodes));
    add(joinAtMs, 0, { kind: 'join', nodes: [joiner], seeds });
    joinAtMs = random.chance(0.5) ? joinAtMs + random.below(closeMs) : sometime();
  }
  const soonAfterJoin = (): number =>
    random.chance(0.5) ? joinAtMs + random.below(2000) : sometime();
  for (let round = random.chance(0.5) ? random.between(1, 2) : 0; round > 0; round -= 1) {
    const askedAt = any(random.between(1, 2));
    const weights = askedAt.map((_, index) => 2 * round + index);
    add(soonAfterJoin(), 0, { kind: 'weigh', nodes: askedAt, target: any(1)[0] ?? 0, weights });
  }
  if (machines > 1 && random.chance(0.25)) {
    const [few, rest] = [any(1), any(machines)];
    const others = rest.filter((node) => !few.includes(node));
    const forMs = random.pick([700, 2000, 5000]);
    add(soonAfterJoin(), forMs, { kind: 'cut', nodes: few, others, oneWay: random.chance(0.2) });
  }
  if (random.chance(0.2)) {
    const forMs = random.pick([1500, 4000, 6000]);
    add(sometime(), forMs, { kind: 'clone', nodes: any(1), stopped: random.chance(0.5) });
  }
  if (random.chance(0.15)) {
    const of = random.chance(0.5) ? 'ring' : 'name';
    add(sometime(), 5000, { kind: 'stranger', nodes: any(1, nodes), of });
  }
  if (leaver < machines) {
    const at = any(2).find((node) => node !== leaver) ?? 0;
    add(sometime(), 0, { kind: 'leave', nodes: [leaver], at });
  }
  if (shape.removes) {
    const amid = lost === nodes || random.chance(0.5);
    const at = any(2, nodes).find((node) => node !== lost) ?? 0;
    const atMs = random.below(durationMs * 0.2);
    add(atMs, durationMs, { kind: 'remove', nodes: [lost], at, amid });
  }
  return actions;
}

/** Everything else of such a run is over before it begins. */
function drawLong(random: SeededRandom, { nodes, durationMs }: Shape): Action[] {
  const all = random.shuffled(Array.from({ length: nodes }, (_, index) => index));
  const [atMs, forMs] = [4000, durationMs - 4500];
  if (random.chance(0.3)) {
    return [{ atMs, forMs: 60_000, fault: { kind: 'pause', nodes: all.slice(0, 1) } }];
  }
  const half = Math.floor(nodes / 2);
  const fault = {
    kind: 'cut',
    nodes: all.slice(0, half),
    others: all.slice(half),
    oneWay: false,
  } as const;
  return [{ atMs, forMs, fault }];
}
