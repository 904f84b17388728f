/**
 * The people who change a ring while it runs: they add machines, weigh them, send one away or give it
 * up, and do what they should not: start a copy of a data directory, point the node of another
 * ring at this one. What they are told is held against the layouts that were adopted.
 *
 *   agreement  what was answered with OK is in a layout; what was refused is in none
 *   I24        nothing of a removed node, or of one from elsewhere, gets into the ring
 */
import { fromMapKey } from '../../lib/base/bytes.ts';
import { siblingKind } from '../../lib/causal/record.ts';
import { sealStored } from '../../lib/replica/stored-record.ts';
import { realSystem } from '../../lib/runtime/system.ts';
import { plain } from '../support/fake-ports.ts';
import type { Clients } from './clients.ts';
import { isError } from './requests.ts';
import type { RingChange } from './ring-changes.ts';
import type { Referee } from './running.ts';
import type { SimMachine } from './sim-machine.ts';
import { silentLog } from './virtual-time.ts';

const { hashes } = realSystem(silentLog);

const lookMs = 200;
const askAgainMs = 1000;
/** By then all members know that somebody is dead. */
const deadAfterMs = 1000;
/** Both processes of a copied directory know of each other, where nothing is in their way. */
const discoveredMs = 3500;
/** The original is running again. */
const copyStartsMs = 100;
/** Written by nobody: the judges know no operation of this number. */
const poison = Buffer.from('v99999999.');

/** What they can do to processes. */
export interface Hands {
  kill(node: number): void;
  start(node: number): void;
  stop(node: number, next: () => void): void;
}

interface Weighing {
  readonly id: string;
  readonly weight: number;
  readonly said: 'yes' | 'no';
}

export class Operators {
  readonly #referee: Referee;
  readonly #clients: Clients;
  readonly #hands: Hands;
  readonly #weighings: Weighing[] = [];
  /** They were told that these leave. */
  readonly #leaving = new Set<number>();
  /** That they wanted to remove, and have not seen removed. */
  readonly #doubtful = new Set<number>();
  /** What is to be undone; each is done once. */
  readonly #open = new Set<() => void>();
  constructor(referee: Referee, clients: Clients, hands: Hands) {
    this.#referee = referee;
    this.#clients = clients;
    this.#hands = hands;
  }

  /** The answer undoes it. */
  strike(change: RingChange): () => void {
    switch (change.kind) {
      case 'join':
        this.#join(change.nodes, change.seeds);
        return () => {};
      case 'weigh':
        for (const [at, node] of change.nodes.entries()) {
          this.#weigh(node, change.target, change.weights[at] ?? 1);
        }
        return () => {};
      case 'leave':
        for (const node of change.nodes) this.#leave(node, change.at);
        return () => {};
      case 'remove':
        return this.#toUndo(change.nodes.map((node) => this.#remove(node, change.at)));
      case 'clone':
        return this.#toUndo(change.nodes.map((node) => this.#clone(node, change.stopped)));
      case 'stranger':
        return this.#toUndo([this.#admitStranger(change)]);
    }
  }

  heal(): void {
    for (const undo of this.#open) undo();
  }

  /** What they have been promised and is not done. */
  lack(): string | undefined {
    for (const node of this.#doubtful) if (this.#isRemoved(node)) this.#giveUp(node);
    const [node] = this.#leaving;
    return node === undefined ? undefined : `n${node + 1} has not left`;
  }

  check(): void {
    const { layouts, complain } = this.#referee;
    for (const { id, weight, said } of this.#weighings) {
      const isSo = layouts.wasEver(({ members, weights }) => {
        return weights[members.indexOf(id)] === weight;
      });
      if (isSo !== (said === 'yes')) {
        complain('agreement', `weight ${weight} was answered with ${said}, and is ${isSo}`);
      }
    }
  }

  #toUndo(undone: readonly (() => void)[]): () => void {
    const undo = (): void => {
      if (!this.#open.delete(undo)) return;
      for (const one of undone) one();
    };
    this.#open.add(undo);
    return undo;
  }

  #join(nodes: readonly number[], seeds: readonly number[]): void {
    const { ring, mark, complain } = this.#referee;
    for (const node of nodes) {
      const machine = ring.at(node);
      if (ring.isPresent(node) || machine.state !== 'down') continue;
      ring.join(node, seeds).then(
        () => {
          this.#clients.reshaped();
          if (machine.isUp && this.#clients.open > 0) mark('join under load');
        },
        (error: unknown) => complain('fault', `join of n${node + 1}: ${error}`),
      );
    }
  }

  #weigh(node: number, target: number, weight: number): void {
    const { layouts, mark } = this.#referee;
    const id = layouts.idOf(target);
    if (id === undefined) return;
    this.#ask(node, ['WEIGHT', `n${target + 1}`, weight], (reply) => {
      if (!isError(reply)) this.#weighings.push({ id, weight, said: 'yes' });
      else if (reply.includes('another change is in progress')) {
        mark('change refused');
        this.#weighings.push({ id, weight, said: 'no' });
      }
    });
  }

  #leave(node: number, at: number): void {
    const { ring } = this.#referee;
    if (!ring.isPresent(node) || ring.present.length < 2) return;
    this.#ask(at, ['LEAVE', `n${node + 1}`], (reply) => {
      if (isError(reply) || !ring.isPresent(node)) return;
      this.#leaving.add(node);
      this.#seeOff(node);
    });
  }

  /** Once it has handed over everything, its machine may go. */
  #seeOff(node: number): void {
    const { ring, layouts, mark } = this.#referee;
    const id = layouts.idOf(node) ?? '';
    const { rows } = ring.at(node).disk;
    const isEmpty = [...rows.keys()].every((name) => !/^[dh]/.test(name));
    if (isEmpty && !layouts.isChanging && layouts.newest?.members.includes(id) === false) {
      ring.trace.add('people', `n${node + 1} has left`);
      mark('a member left');
      this.#leaving.delete(node);
      ring.leave(node);
      this.#hands.stop(node, () => {});
    } else ring.time.timers().after(lookMs, () => this.#seeOff(node));
  }

  #remove(node: number, at: number): () => void {
    const { ring, copies } = this.#referee;
    const isIdle = !ring.isPresent(node) || !ring.at(node).isUp || node === at;
    if (isIdle || !this.#isSpare(node)) return () => {};
    let isOver = false;
    this.#hands.kill(node);
    // From now on nothing must depend on it.
    copies.doomed.add(node);
    this.#clients.robbed(node);
    this.#doubtful.add(node);
    const next = (): void => {
      if (this.#isRemoved(node)) this.#giveUp(node);
      if (isOver || !this.#doubtful.has(node)) return;
      this.#ask(at, ['REMOVE', `n${node + 1}`], () => {});
      ring.time.timers().after(askAgainMs, next);
    };
    ring.time.timers().after(deadAfterMs, next);
    return () => {
      isOver = true;
      if (this.#isRemoved(node)) this.#giveUp(node);
      copies.doomed.delete(node);
      this.#poison(node);
      this.#hands.start(node);
    };
  }

  #isRemoved(node: number): boolean {
    const { layouts } = this.#referee;
    const id = layouts.idOf(node) ?? '';
    return layouts.wasEver(({ removed }) => removed.includes(id));
  }

  /** Its machine counts no more, whatever is on it. */
  #giveUp(node: number): void {
    const { ring, mark } = this.#referee;
    if (!this.#doubtful.delete(node)) return;
    ring.trace.add('people', `n${node + 1} is given up`);
    mark('a member was removed');
    ring.leave(node);
  }

  #isSpare(node: number): boolean {
    const { copies, ledger } = this.#referee;
    return [...ledger.keys.keys()].every((key) => copies.isSpare(node, key));
  }

  /** A removed node comes back with something to say. */
  #poison(node: number): void {
    const { ring } = this.#referee;
    const { disk } = ring.at(node);
    if (ring.isPresent(node)) return;
    const name = [...disk.rows.keys()].find((row) => row.startsWith('d'));
    if (name === undefined) return;
    const dot = { actor: 2 ** 47, stamp: 2 ** 40 };
    const sibling = {
      dot,
      order: dot.stamp,
      kind: siblingKind.value,
      expireAtMs: 0,
      bytes: poison,
    };
    const row = sealStored(
      fromMapKey(name),
      {
        standing: 'live',
        agendaAtMs: 0,
        mine: { epoch: 0, actors: [] },
        record: { vv: [dot], siblings: [sibling] },
      },
      hashes.crc32,
    );
    disk.revert(fromMapKey(name), row);
  }

  #clone(node: number, stopped: boolean): () => void {
    const { ring, copies } = this.#referee;
    const original = ring.at(node);
    if (!ring.isPresent(node) || !original.isUp || original.paused) return () => {};
    let copy: SimMachine | undefined;
    let isOver = false;
    if (!stopped) copy = this.#startCopy(node, 0);
    else {
      this.#hands.stop(node, () => {
        if (!isOver) copy = this.#startCopy(node, copyStartsMs);
        this.#hands.start(node);
      });
    }
    return () => {
      isOver = true;
      if (copy === undefined) return;
      const { disk } = copy;
      ring.discard(copy);
      copies.excuseAll(disk);
      this.#clients.cloned.delete(node);
      if (!ring.isPresent(node)) return;
      this.#hands.kill(node);
      this.#hands.start(node);
    };
  }

  #startCopy(node: number, afterMs: number): SimMachine {
    const { ring, ledger } = this.#referee;
    const copy = ring.clone(node);
    ledger.watch({ host: copy.host, disk: copy.disk, life: () => copy.lives }, () => {});
    this.#clients.cloned.add(node);
    this.#clients.robbed(node);
    const timers = ring.time.timers();
    timers.after(afterMs, () => {
      if (!ring.outsiders.has(copy)) return;
      copy.start().then(() => {
        timers.after(discoveredMs, () => this.#probe(copy));
      }, this.#fail);
    });
    return copy;
  }

  /** Neither the copy nor the original takes a write now. */
  #probe(copy: SimMachine): void {
    const { ring, mark, calmSinceMs, complain } = this.#referee;
    const original = ring.at(Number(copy.host.slice(1)) - 1);
    if (!ring.outsiders.has(copy)) return;
    for (const machine of [copy, original]) {
      if (!machine.isUp || machine.paused) continue;
      const args = ['DEL', 'clone-probe'].map((word) => Buffer.from(word));
      machine.begin(machine.session(), args).listen(
        (reply) => {
          const text = plain(reply);
          if (isError(text)) mark('clone refused writes');
          else if (calmSinceMs() + discoveredMs < ring.time.nowMs) {
            complain('I24', `${machine.host} takes writes, and so does a copy of it`);
          }
        },
        () => {},
      );
    }
  }

  #admitStranger({ nodes, of }: RingChange & { readonly kind: 'stranger' }): () => void {
    const { ring } = this.#referee;
    const seeds = nodes.map((node) => `${ring.at(node).host}:17000`).join(' ');
    let isAlone = of === 'ring';
    const machine = ring.stranger(() => ({
      'cluster-name': of === 'name' ? 'other' : 'sim',
      ...(!isAlone && { seeds }),
    }));
    const isGone = (): boolean => !ring.outsiders.has(machine);
    const alone = async (): Promise<void> => {
      await machine.start();
      if (isGone()) return;
      for (const key of this.#clients.keys) {
        machine.begin(machine.session(), [Buffer.from('SET'), Buffer.from(key), poison]);
      }
      await machine.stop();
      isAlone = false;
    };
    const work = isAlone ? alone() : Promise.resolve();
    work.then(() => (isGone() ? undefined : machine.start())).catch(this.#fail);
    return () => ring.discard(machine);
  }

  readonly #fail = (error: unknown): void => {
    this.#referee.complain('fault', `an outsider: ${error}`);
  };

  /** DYN.RING at a node that can answer. */
  #ask(node: number, words: readonly (string | number)[], heard: (reply: unknown) => void): void {
    const { ring } = this.#referee;
    const machine = ring.at(node);
    if (!ring.isPresent(node) || !machine.isUp) return;
    const text = words.join(' ');
    ring.trace.add('people', `-> n${node + 1} DYN.RING ${text}`);
    machine.deliver(() => {
      ring.begin(node, ring.session(node), 'DYN.RING', ...words).listen((reply) => {
        ring.trace.add('people', `<- DYN.RING ${text}: ${reply}`);
        heard(reply);
      }, this.#fail);
    });
  }
}
