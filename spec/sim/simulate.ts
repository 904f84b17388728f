/**
 * One run of a plan, in two phases (RELIABILITY 4.3). Safety: clients and faults together, while the
 * checkers watch. Liveness: everything healed, nobody writes; hints must drain, owners must agree.
 */

import { type Record, siblingKind } from '../../lib/causal/record.ts';
import type { Layout } from '../../lib/ring/layout.ts';
import { realSystem } from '../../lib/runtime/system.ts';
import { noChaos } from './chaos-transport.ts';
import { Clients } from './clients.ts';
import { checkConverged, checkUsable, readEverything } from './convergence.ts';
import { Copies } from './copies.ts';
import { Layouts } from './layouts.ts';
import { Ledger } from './ledger.ts';
import { checkMembership } from './membership.ts';
import { Nemesis } from './nemesis.ts';
import { machinesOf, type Plan } from './plan.ts';
import type { Referee } from './running.ts';
import { SimRing } from './sim-ring.ts';
import { Transitions } from './transitions.ts';
import { silentLog } from './virtual-time.ts';

const { hashes } = realSystem(silentLog);
const livenessMsMax = 120_000;

export interface Outcome {
  readonly seed: number;
  /** `I2: text`, the first one is what went wrong. */
  readonly failures: readonly string[];
  readonly trace: readonly string[];
  readonly hash: string;
  readonly events: number;
  readonly virtualMs: number;
  /** How often rare states were reached. */
  readonly counts: ReadonlyMap<string, number>;
}

class Stopped extends Error {}

export async function simulate(plan: Plan): Promise<Outcome> {
  const ring = ringOf(plan);
  const failures: string[] = [];
  const complain = (invariant: string, text: string): void => {
    failures.push(`${invariant}: ${text}`);
    ring.trace.add('!!', `${invariant}: ${text}`);
  };
  const marks = new Map<string, number>();
  const mark = (name: string): void => {
    marks.set(name, (marks.get(name) ?? 0) + 1);
  };
  ring.onMark = mark;
  const clients = new Clients(plan);
  const ledger = new Ledger(clients, hashes.crc32, {
    siblingLimit: plan.siblingLimit,
    nowMs: () => ring.time.nowMs,
    mayDrop: (host, key, record) => {
      const node = ring.machines.findIndex((machine) => machine.host === host);
      // What a copy of a machine drops is only its own.
      if (node < 0) return true;
      if (layouts.isOwner(node, key)) return mayReap(node, key, record);
      mark('dropped by an old owner');
      return clients.anyRobbed || copies.areOn(layouts.ownersOf(key), key, record);
    },
    complain,
    mark,
  });
  const isRead = (layout: Layout): void => transitions.isRead(layout);
  const layouts = new Layouts(ring, { complain, mark, isRead });
  /** Nobody else could bring back what a node that is alone forgets. */
  const mayReap = (node: number, key: string, { siblings }: Record): boolean => {
    const isDead = siblings.every(({ kind, expireAtMs }) => {
      return kind === siblingKind.tombstone || expireAtMs > 0;
    });
    const own = layouts.tableOf(node)?.layouts ?? [];
    if (!isDead || own.length !== 1 || own[0]?.members.length !== 1) return false;
    for (const write of ledger.historyOf(key).writes) copies.excused.add(write);
    mark('reaped');
    return true;
  };
  const copies = new Copies(ring, ledger, plan.appendfsync === 'always');
  const isCalm = Object.values(plan.chaos).every((value) => value === 0);
  const calmSinceMs = (): number => (isCalm ? nemesis.calmSinceMs : Number.POSITIVE_INFINITY);
  const parties = { ring, ledger, copies, layouts, calmSinceMs, complain, mark };
  const transitions = new Transitions(parties, plan);
  const referee: Referee = { ...parties, transitions };
  const nemesis = new Nemesis(referee, clients);
  for (const [node, machine] of ring.machines.entries()) {
    const { host, disk } = machine;
    const life = (): number => machine.lives;
    ledger.watch({ host, disk, life, isOut: () => isOut(ring, node) }, (changes) => {
      layouts.note(host, changes);
      for (const { key, row } of changes) {
        ring.trace.mix(key);
        if (row !== undefined) ring.trace.mix(row);
      }
    });
  }
  const unhandled = (error: unknown): void => complain('fault', describe(error));
  process.on('unhandledRejection', unhandled);
  const check = (): void => {
    if (failures.length > 0) throw new Stopped();
  };
  try {
    await ring.found();
    await clients.start(referee);
    ring.chaos = plan.chaos;
    nemesis.start(plan.actions);
    await passing(ring, plan.durationMs, check);
    ring.chaos = noChaos;
    nemesis.heal();
    clients.reshaped();
    const endMs = ring.time.nowMs + livenessMsMax;
    await checkMembership(referee, nemesis, plan);
    check();
    await converge(referee, clients, () => {
      check();
      return ring.time.nowMs < endMs;
    });
    await readEverything(referee);
    check();
    await checkConverged(referee, clients, plan);
    check();
    await checkUsable(referee, clients, plan);
  } catch (error) {
    if (!(error instanceof Stopped)) complain('fault', describe(error));
  } finally {
    process.off('unhandledRejection', unhandled);
  }
  const counts = await gather(ring, clients, nemesis, marks);
  return {
    seed: plan.seed,
    failures,
    trace: ring.trace.lines,
    hash: ring.trace.digest(),
    events: ring.time.eventsRun,
    virtualMs: Math.round(ring.time.nowMs),
    counts,
  };
}

function ringOf(plan: Plan): SimRing {
  const [n, r, w] = plan.quorum;
  return new SimRing(plan.seed, {
    nodes: plan.nodes,
    machines: machinesOf(plan),
    quorum: plan.quorumByDb ? [n, 1, 1] : plan.quorum,
    offsetsMs: plan.offsetsMs,
    drifts: plan.drifts,
    directives: {
      appendfsync: plan.appendfsync,
      'request-timeout-ms': String(plan.timeoutMs),
      'quorum-strict': plan.strict ? 'yes' : 'no',
      'sibling-limit': String(plan.siblingLimit),
      ...(plan.quorumByDb && { 'quorum-db': `0 ${r} ${w}` }),
    },
  });
}

/** It was given up, or has left. */
function isOut(ring: SimRing, node: number): boolean {
  return !ring.isPresent(node) && ring.at(node).lives > 0;
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** Lets time pass, and looks after every 50 ms of it whether anything is wrong. */
async function passing(ring: SimRing, durationMs: number, check: () => void): Promise<void> {
  const endMs = ring.time.nowMs + durationMs;
  while (ring.time.nowMs < endMs) {
    await ring.time.advance(Math.min(50, endMs - ring.time.nowMs));
    check();
  }
}

/** I4, I6, I14: all are up, every request is answered, no hint is left. */
async function converge(
  { ring, copies, layouts, ledger, complain }: Referee,
  clients: Clients,
  goesOn: () => boolean,
): Promise<void> {
  const lacks = async (): Promise<string | undefined> => {
    if (clients.open > 0) return `${clients.open} operations are not over`;
    for (const node of ring.present) {
      const { isUp, host, startError } = ring.at(node);
      if (!isUp) return `${host} is not up: ${startError ?? 'no error'}`;
      const info = await ring.info(node);
      if (Number(info.get('members_up')) !== ring.present.length) return `${host} sees not all`;
      if (info.get('storage_state') === 'fenced') return `${host} is fenced`;
      if (Number(info.get('hints_pending')) > 0) return `${host} holds hints`;
      const alien = [...ledger.keys.keys()].find((key) => {
        return !layouts.isOwner(node, key) && copies.isHeldBy(node, key);
      });
      if (alien !== undefined) return `${host} holds ${alien}, which it does not own`;
    }
    return copies.hints() > 0 ? `${copies.hints()} hints are on the disks` : undefined;
  };
  let lack = await lacks();
  while (lack !== undefined && goesOn()) {
    await ring.time.advance(200);
    lack = await lacks();
  }
  if (lack !== undefined) complain('I6', `${lack}, ${livenessMsMax} ms after everything healed`);
}

async function gather(
  ring: SimRing,
  clients: Clients,
  nemesis: Nemesis,
  marks: ReadonlyMap<string, number>,
): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>([...Object.entries(clients.ends), ...marks]);
  for (const [kind, count] of nemesis.done) counts.set(`fault ${kind}`, count);
  const wanted = ['writes_sloppy', 'writes_uncertain', 'hints_delivered', 'read_repairs'];
  const more = [
    'forwards',
    'reads_with_siblings',
    'epoch_renewals',
    'second_rounds',
    'suspicions_refuted',
  ];
  for (const node of ring.present) {
    const info = await ring.info(node).catch(() => new Map<string, string>());
    for (const name of [...wanted, ...more]) {
      counts.set(name, (counts.get(name) ?? 0) + Number(info.get(name) ?? 0));
    }
  }
  return counts;
}
