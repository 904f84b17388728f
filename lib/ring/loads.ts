/**
 * How many partitions each member should hold: proportional to its weight, as far as the rules
 * allow (RELIABILITY 1.10). Water is poured into vessels as wide as the weights: a member is full
 * at Q partitions (it holds each once), a zone at Q * zmax. The common level L satisfies
 *
 *   sum over zones of min(Q * zmax, sum over members of min(Q, L * weight)) = Q * N
 *
 * Whole numbers by largest remainder, per zone, then per member: nobody is a partition or more away
 * from the level. Who holds more than its share rounded down comes first: that saves a move.
 * Targets of this kind can always be met exactly (McNaughton's wrap-around rule).
 */

/** A vessel of this width takes no more than `max`. */
export interface Vessel {
  readonly weight: number;
  readonly max: number;
}

/** Members of one zone, by index. */
export type Zone = readonly number[];

/** What a table of owners should be like. */
export interface Goal {
  readonly partitions: number;
  /** N, capped by the members. */
  readonly replicas: number;
  readonly zones: readonly Zone[];
  /** Of one zone, in one partition. */
  readonly zoneMax: number;
  readonly weights: readonly number[];
  /** What each member should hold, not rounded. */
  readonly loads: readonly number[];
}

export function goalOf(
  members: readonly { readonly weight: number; readonly zone: string }[],
  partitions: number,
  n: number,
): Goal {
  const replicas = Math.min(n, members.length);
  const zones = zonesOf(members.map(({ zone }) => zone));
  const zoneMax = zoneMaxOf(zones, replicas);
  const weights = members.map(({ weight }) => weight);
  const vessels = weights.map((weight) => ({ weight, max: partitions }));
  const loads = loadsOf(vessels, zones, zoneMax * partitions, partitions * replicas);
  return { partitions, replicas, zones, zoneMax, weights, loads };
}

function zonesOf(zoneOf: readonly string[]): readonly Zone[] {
  const zones = new Map<string, number[]>();
  for (const [index, zone] of zoneOf.entries()) {
    const known = zones.get(zone);
    if (known === undefined) zones.set(zone, [index]);
    else known.push(index);
  }
  return [...zones.values()];
}

/** The fewest replicas that a zone has to take; ceil(N / zones) unless some zone is too small. */
function zoneMaxOf(zones: readonly Zone[], replicas: number): number {
  let zoneMax = 1;
  const room = (): number =>
    zones.reduce((total, zone) => total + Math.min(zoneMax, zone.length), 0);
  while (room() < replicas) zoneMax += 1;
  return zoneMax;
}

/** What each member should hold, not rounded; in sum `total`, which the zones can take. */
function loadsOf(
  vessels: readonly Vessel[],
  zones: readonly Zone[],
  zoneMax: number,
  total: number,
): readonly number[] {
  const inZone = (zone: Zone): Vessel[] => zone.flatMap((member) => vessels[member] ?? []);
  const heldBy = (zone: Zone, level: number): number =>
    Math.min(zoneMax, sum(inZone(zone).map((vessel) => held(vessel, level))));
  const common = levelOf((level) => sum(zones.map((zone) => heldBy(zone, level))), total);
  const loads = new Array<number>(vessels.length).fill(0);
  for (const zone of zones) {
    const inside = poured(inZone(zone), heldBy(zone, common));
    for (const [at, member] of zone.entries()) loads[member] = inside[at] ?? 0;
  }
  return loads;
}

/** The loads in whole numbers; `held` is what each member holds now. */
export function targetsOf(goal: Goal, held: readonly number[]): readonly number[] {
  const { partitions, replicas, zones, loads } = goal;
  const inZone = (values: readonly number[]): readonly (readonly number[])[] =>
    zones.map((zone) => zone.map((member) => values[member] ?? 0));
  const shares = inZone(loads);
  const holdings = inZone(held);
  const wholes = rounded(shares.map(sum), holdings.map(sum), partitions * replicas);
  const targets = new Array<number>(loads.length).fill(0);
  for (const [index, zone] of zones.entries()) {
    const inside = rounded(shares[index] ?? [], holdings[index] ?? [], wholes[index] ?? 0);
    for (const [at, member] of zone.entries()) targets[member] = inside[at] ?? 0;
  }
  return targets;
}

/** What each vessel holds when `total` is poured in, not rounded. */
export function poured(vessels: readonly Vessel[], total: number): readonly number[] {
  const level = levelOf((at) => sum(vessels.map((vessel) => held(vessel, at))), total);
  return vessels.map((vessel) => held(vessel, level));
}

function held({ weight, max }: Vessel, level: number): number {
  return Math.min(max, level * weight);
}

/** The lowest level, as exactly as doubles can say it, at which `contents` reaches the total. */
function levelOf(contents: (level: number) => number, total: number): number {
  let low = 0;
  let high = total + 1;
  for (let step = 0; step < 80; step += 1) {
    const middle = (low + high) / 2;
    if (contents(middle) < total) low = middle;
    else high = middle;
  }
  return high;
}

/** What is lost by rounding down goes to those who keep it, then to those who lost most. */
function rounded(
  shares: readonly number[],
  held: readonly number[],
  total: number,
): readonly number[] {
  const exact = shares.map((share) => (isWhole(share) ? Math.round(share) : share));
  const wholes = exact.map(Math.floor);
  const left = total - sum(wholes);
  const lost = exact.flatMap((share, index) => {
    const whole = Math.floor(share);
    if (share === whole) return [];
    return { index, part: share - whole, keeps: (held[index] ?? 0) > whole ? 1 : 0 };
  });
  lost.sort((a, b) => b.keeps - a.keeps || b.part - a.part || a.index - b.index);
  for (const { index } of lost.slice(0, left)) wholes[index] = (wholes[index] ?? 0) + 1;
  return wholes;
}

/** As far as the arithmetic of doubles can tell. */
export function isWhole(share: number): boolean {
  return Math.abs(share - Math.round(share)) < 1e-6;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
