/**
 * Processes that have no business in the ring: a copy of a node's data directory that runs beside the
 * original, a node of another ring or of another name.
 *
 *   I24   nothing of theirs gets into the ring; neither of two processes of one directory takes
 *         writes once they know of each other
 */
import { plain } from '../support/fake-ports.ts';
import type { Clients } from './clients.ts';
import { type Hands, poison } from './people.ts';
import { isError } from './requests.ts';
import type { RingChange } from './ring-changes.ts';
import type { Referee } from './running.ts';
import type { SimMachine } from './sim-machine.ts';

/** Both processes of a copied directory know of each other, where nothing is in their way. */
const discoveredMs = 3500;
/** The original is running again. */
const copyStartsMs = 100;

export class Outsiders {
  readonly #referee: Referee;
  readonly #clients: Clients;
  readonly #hands: Hands;

  constructor(referee: Referee, clients: Clients, hands: Hands) {
    this.#referee = referee;
    this.#clients = clients;
    this.#hands = hands;
  }

  /** The answer takes the copy away. */
  clone(node: number, stopped: boolean): () => void {
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

  /** The answer takes it away. */
  admitStranger({ nodes, of }: RingChange & { readonly kind: 'stranger' }): () => void {
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
}
