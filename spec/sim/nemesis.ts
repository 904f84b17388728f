/**
 * Does the harm that the plan names, and undoes it in time. It keeps to the atlas of faults: copies
 * are destroyed only where each of their writes lies on another node too.
 */
import { emptyRecord } from '../../lib/causal/record.ts';
import type { Clients } from './clients.ts';
import { clientKey } from './ledger.ts';
import { Operators } from './operators.ts';
import type { Action, Fault, Harm } from './plan.ts';
import { isHarmless, isRingChange } from './ring-changes.ts';
import type { Referee } from './running.ts';
import type { SeededRandom } from './seeded-random.ts';

const restartAgainMs = 500;
/** A commit takes some tens of milliseconds. */
const relapseSlowness = 20;
/** The check of the storage after an open is through by then. */
const trustMs = 150;

export class Nemesis {
  readonly #referee: Referee;
  readonly #clients: Clients;
  readonly #random: SeededRandom;
  readonly operators: Operators;
  /** How many faults cut a directed link now. */
  readonly #cuts = new Map<string, number>();
  #isOver = false;
  #active = 0;
  #calmSinceMs = Number.NEGATIVE_INFINITY;
  /** What was done. */
  readonly done = new Map<string, number>();

  constructor(referee: Referee, clients: Clients) {
    this.#referee = referee;
    this.#clients = clients;
    this.#random = referee.ring.time.stream('damage');
    this.operators = new Operators(referee, clients, {
      kill: (node) => this.#kill(node, 'process'),
      start: (node) => this.#start(node),
      stop: (node, next) => this.#stop(node, next),
    });
  }

  start(actions: readonly Action[]): void {
    const timers = this.#referee.ring.time.timers();
    for (const { atMs, forMs, fault } of actions) {
      timers.after(atMs, () => {
        if (this.#isOver) return;
        this.#referee.ring.trace.add('nemesis', JSON.stringify(fault));
        const harm = isHarmless(fault) ? 0 : 1;
        this.#active += harm;
        const undo = this.#strike(fault);
        this.done.set(fault.kind, (this.done.get(fault.kind) ?? 0) + 1);
        timers.after(forMs, () => {
          if (!this.#isOver) undo();
          this.#active -= harm;
          if (harm > 0) this.#calmSinceMs = this.#referee.ring.time.nowMs;
          this.#clients.reshaped();
        });
      });
    }
  }

  /** Since when no fault is at work; Infinity: one is. */
  get calmSinceMs(): number {
    return this.#active > 0 ? Number.POSITIVE_INFINITY : this.#calmSinceMs;
  }

  /** Everything is put right, and stays so. */
  heal(): void {
    const { ring } = this.#referee;
    this.#isOver = true;
    ring.trace.add('nemesis', 'heal');
    this.operators.heal();
    ring.machines.forEach((machine, node) => {
      for (const other of ring.machines.keys()) ring.mend(node, other);
      machine.disk.slowness = 1;
      machine.disk.failBatches = 0;
      machine.offsetMs = 0;
      this.#resume(node);
      this.#keepUp(node);
    });
  }

  #strike(fault: Fault): () => void {
    const { ring, layouts, mark } = this.#referee;
    const undone: (() => void)[] = [];
    if (isRingChange(fault)) return this.operators.strike(fault);
    for (const node of fault.nodes) undone.push(this.#strikeOne(fault, node));
    if (fault.kind === 'power') this.#referee.copies.excuseLost();
    if (fault.kind === 'cut' && layouts.isChanging) mark('split during a change');
    if (fault.kind === 'cut') undone.push(this.#cut(fault.nodes, fault.others, fault.oneWay));
    if (fault.kind === 'reset') {
      for (const a of fault.nodes) for (const b of fault.others) ring.reset(a, b);
    }
    return () => {
      for (const undo of undone) undo();
    };
  }

  #strikeOne(fault: Harm, node: number): () => void {
    const machine = this.#referee.ring.at(node);
    if (!this.#referee.ring.isPresent(node)) return () => {};
    switch (fault.kind) {
      case 'crash':
        this.#kill(node, 'process');
        return () => this.#start(node);
      case 'power':
        this.#kill(node, 'power');
        return () => this.#start(node);
      case 'stop':
        this.#stop(node);
        return () => this.#start(node);
      case 'relapse':
        this.#stop(node, () => this.#relapse(node, fault.afterMs));
        return () => this.#start(node);
      case 'pause':
        return this.#pause(node);
      case 'clock':
        machine.offsetMs += fault.byMs;
        return () => {};
      case 'slow-disk':
        machine.disk.slowness = fault.factor;
        return () => {
          machine.disk.slowness = 1;
        };
      case 'failing-disk':
        machine.disk.failBatches += 1;
        machine.disk.failedBatches = fault.outcome;
        return () => {
          machine.disk.failBatches = 0;
        };
      case 'wipe':
      case 'lost-record':
      case 'bit-flip':
        this.#damage(node, fault.kind);
        return () => this.#start(node);
      case 'cut':
      case 'reset':
        return () => {};
    }
  }

  #kill(node: number, kind: 'process' | 'power'): void {
    const { ring } = this.#referee;
    ring.crash(node, kind);
    if (kind === 'power') this.#clients.robbed(node);
    this.#clients.died(node);
  }

  #stop(node: number, next: () => void = () => {}): void {
    const { ring, complain } = this.#referee;
    const machine = ring.at(node);
    if (!machine.isUp || machine.paused) return;
    const life = machine.lives;
    ring.stop(node).then(
      () => {
        if (machine.lives !== life + 1) return;
        this.#clients.died(node);
        next();
      },
      (error: unknown) => complain('fault', `stop of n${node + 1}: ${error}`),
    );
  }

  /**
   * Up again for long enough to trust what its last process has left, then slow to commit, and
   * killed.
   */
  #relapse(node: number, afterMs: number): void {
    const { ring } = this.#referee;
    const machine = ring.at(node);
    const isVoid = (): boolean => this.#isOver || machine.lives !== life;
    if (this.#isOver) return;
    const life = machine.lives;
    this.#start(node, () => {
      ring.time.timers().after(trustMs, () => {
        if (!isVoid()) machine.disk.slowness = relapseSlowness;
      });
      ring.time.timers().after(trustMs + afterMs, () => {
        if (isVoid()) return;
        machine.disk.slowness = 1;
        this.#kill(node, 'process');
        this.#start(node);
      });
    });
  }

  #pause(node: number): () => void {
    const { ring } = this.#referee;
    const machine = ring.at(node);
    if (!machine.isUp || machine.paused) return () => {};
    const life = machine.lives;
    ring.pause(node);
    this.#clients.paused(node);
    return () => {
      if (machine.lives === life) this.#resume(node);
    };
  }

  #resume(node: number): void {
    const { ring } = this.#referee;
    if (ring.at(node).paused) ring.resume(node);
  }

  /** Nobody starts a machine that is being given up. */
  #start(node: number, next: () => void = () => {}): void {
    const { ring, copies } = this.#referee;
    const machine = ring.at(node);
    if (machine.state !== 'down' || copies.doomed.has(node)) return;
    const starting = ring.start(node);
    this.#clients.reshaped();
    starting.then(
      () => {
        this.#clients.reshaped();
        next();
      },
      (error: unknown) => this.#referee.complain('fault', `start of n${node + 1}: ${error}`),
    );
  }

  /** Whoever cannot start, or is still stopping, is started again. */
  #keepUp(node: number): void {
    const { ring } = this.#referee;
    if (ring.at(node).isUp || !ring.isPresent(node)) return;
    this.#start(node);
    ring.time.timers().after(restartAgainMs, () => this.#keepUp(node));
  }

  #cut(nodes: readonly number[], others: readonly number[], oneWay: boolean): () => void {
    const { ring } = this.#referee;
    const links = nodes.flatMap((a) => others.map((b) => [a, b] as const));
    const all = oneWay ? links : [...links, ...links.map(([a, b]) => [b, a] as const)];
    const count = ([a, b]: readonly [number, number], by: number): number => {
      const name = `${a} ${b}`;
      const cuts = (this.#cuts.get(name) ?? 0) + by;
      this.#cuts.set(name, cuts);
      return cuts;
    };
    for (const [a, b] of all) if (count([a, b], 1) === 1) ring.cut(a, b);
    return () => {
      for (const [a, b] of all) if (count([a, b], -1) === 0) ring.mend(a, b);
    };
  }

  /** Only of a process that is down, so that it finds the damage when it starts. */
  #damage(node: number, kind: 'wipe' | 'lost-record' | 'bit-flip'): void {
    const { ring, ledger, copies } = this.#referee;
    const { disk, host } = ring.at(node);
    this.#kill(node, 'process');
    const spare = [...ledger.keys.keys()].filter((key) => {
      return copies.isSpare(node, key) && copies.isSound(key);
    });
    const targets = [...disk.rows.keys()]
      .filter((name) => name.startsWith('d') || name.startsWith('h'))
      .filter((name) => spare.includes(clientKey(name)))
      .filter(
        (name) => (ledger.decode(name, disk.rows.get(name))?.record ?? emptyRecord).vv.length,
      );
    if (targets.length === 0) return;
    const chosen = kind === 'wipe' ? targets : [this.#random.pick(targets)];
    const names = new Set(chosen);
    const isChosen = (key: Buffer): boolean => names.has(key.toString('latin1'));
    if (kind === 'bit-flip') disk.flipBit(isChosen);
    else disk.drop(isChosen);
    ring.trace.add(host, `${kind}: ${chosen.map(clientKey).join(' ')}`);
    this.#clients.robbed(node);
  }
}
