/**
 * Machines that die for good. An operator gives each up (DYN.RING REMOVE) once the members see that
 * it is dead; in the end it comes back with something to say, which nobody must hear (I24). Such a
 * death may come in the middle of a change of the ring, which then waits for the dead one.
 */
import { fromMapKey } from '../../lib/base/bytes.ts';
import { siblingKind } from '../../lib/causal/record.ts';
import { sealStored } from '../../lib/replica/stored-record.ts';
import { realSystem } from '../../lib/runtime/system.ts';
import type { Clients } from './clients.ts';
import { askRing, type Hands, poison, type Status } from './people.ts';
import { isError } from './requests.ts';
import type { RingChange } from './ring-changes.ts';
import type { Referee } from './running.ts';
import { silentLog } from './virtual-time.ts';

const { hashes } = realSystem(silentLog);

const lookMs = 200;
const askAgainMs = 500;
/** Members agree by then, or never. */
const agreedMs = 12_000;
/** A change may take no more than some tenths of a second. */
const lookAmidMs = 20;

type Removal = RingChange & { readonly kind: 'remove' };

export class Removals {
  readonly #referee: Referee;
  readonly #clients: Clients;
  readonly #hands: Hands;
  /** That they wanted to remove, and have not seen removed. */
  readonly #doubtful = new Set<number>();
  readonly #founders: number;
  /** Until then what was asked may still come about. */
  #openUntilMs = Number.NEGATIVE_INFINITY;

  constructor(referee: Referee, clients: Clients, hands: Hands) {
    this.#referee = referee;
    this.#clients = clients;
    this.#hands = hands;
    this.#founders = referee.ring.present.length;
  }

  /** Whoever is in no layout any more counts no more. Whether that may still become more. */
  settle(): boolean {
    for (const node of this.#doubtful) if (this.#isRemoved(node)) this.#giveUp(node);
    return this.#doubtful.size > 0 && this.#referee.ring.time.nowMs < this.#openUntilMs;
  }

  /** The answer undoes it. */
  remove(node: number, { at, amid }: Removal): () => void {
    const { ring } = this.#referee;
    let isOver = false;
    let comeBack = (): void => {};
    const look = (): void => {
      if (isOver) return;
      if ((!amid || this.#isAmidChange(node)) && this.#mayDie(node)) {
        comeBack = this.#killForGood(node, at);
      } else ring.time.timers().after(amid ? lookAmidMs : lookMs, look);
    };
    look();
    return () => {
      isOver = true;
      comeBack();
    };
  }

  /** A change has begun that needs it, and is not over. */
  #isAmidChange(node: number): boolean {
    const { layouts } = this.#referee;
    const id = layouts.idOf(node) ?? '';
    return layouts.isChanging && layouts.newest?.members.includes(id) === true;
  }

  /** All that it holds is held elsewhere too. */
  #mayDie(node: number): boolean {
    const { ring, copies, ledger } = this.#referee;
    if (!ring.isPresent(node) || ring.at(node).state === 'down') return false;
    return [...ledger.keys.keys()].every((key) => copies.isSpare(node, key));
  }

  /** Its machine has died for good; the operator gives it up once the members see that. */
  #killForGood(node: number, at: number): () => void {
    const { ring, copies } = this.#referee;
    let isOver = false;
    this.#hands.kill(node);
    // From now on nothing must depend on it.
    copies.doomed.add(node);
    this.#clients.robbed(node);
    this.#doubtful.add(node);
    const { host } = ring.at(node);
    const next = (): void => {
      if (this.#isRemoved(node)) this.#giveUp(node);
      if (isOver || !this.#doubtful.has(node)) return;
      askRing(this.#referee, at, ['STATUS'], (reply) => {
        if (isError(reply)) return;
        const { members } = reply as Status;
        if (!members.some(({ name, state }) => name === host && state === 'down')) return;
        this.#openUntilMs = ring.time.nowMs + agreedMs;
        askRing(this.#referee, at, ['REMOVE', host], () => {});
      });
      ring.time.timers().after(askAgainMs, next);
    };
    next();
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
    mark(node >= this.#founders ? 'a joiner was removed' : 'a member was removed');
    ring.leave(node);
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
}
