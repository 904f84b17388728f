/**
 * The people who change a ring while it runs: they add machines, weigh them, send one away or give it
 * up (`removals.ts`), and do what they should not: start a copy of a data directory, point the node
 * of another ring at this one (`outsiders.ts`). What they are told is held against the layouts that
 * were adopted.
 *
 *   agreement  what was answered with OK is in a layout; what was refused is in none
 */
import type { Clients } from './clients.ts';
import { Outsiders } from './outsiders.ts';
import { askRing, type Hands } from './people.ts';
import { Removals } from './removals.ts';
import { isError } from './requests.ts';
import type { RingChange } from './ring-changes.ts';
import type { Referee } from './running.ts';

const lookMs = 200;

interface Weighing {
  readonly id: string;
  readonly weight: number;
  readonly said: 'yes' | 'no';
}

export class Operators {
  readonly #referee: Referee;
  readonly #clients: Clients;
  readonly #hands: Hands;
  readonly #removals: Removals;
  readonly #outsiders: Outsiders;
  readonly #weighings: Weighing[] = [];
  /** They were told that these leave. */
  readonly #leaving = new Set<number>();
  /** What is to be undone; each is done once. */
  readonly #open = new Set<() => void>();

  constructor(referee: Referee, clients: Clients, hands: Hands) {
    this.#referee = referee;
    this.#clients = clients;
    this.#hands = hands;
    this.#removals = new Removals(referee, clients, hands);
    this.#outsiders = new Outsiders(referee, clients, hands);
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
        return this.#toUndo(change.nodes.map((node) => this.#removals.remove(node, change)));
      case 'clone':
        return this.#toUndo(
          change.nodes.map((node) => this.#outsiders.clone(node, change.stopped)),
        );
      case 'stranger':
        return this.#toUndo([this.#outsiders.admitStranger(change)]);
    }
  }

  heal(): void {
    for (const undo of this.#open) undo();
  }

  /** What they have been promised and is not done. */
  lack(): string | undefined {
    if (this.#removals.settle()) return 'a removal is under way';
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
    askRing(this.#referee, node, ['WEIGHT', `n${target + 1}`, weight], (reply) => {
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
    askRing(this.#referee, at, ['LEAVE', `n${node + 1}`], (reply) => {
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
}
