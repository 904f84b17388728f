/**
 * One connection of a client, without sockets: the rule of `lib/server/connection.ts`. A request that
 * overlaps starts although earlier ones are unanswered; any other starts when nothing is unanswered,
 * and nothing starts until it is answered. Answers leave in the order of the requests.
 *
 * The bytes of a request are the server's own: they are overwritten when it has been handed over.
 */
import { Deferred } from '../../lib/base/later.ts';
import type { Session } from '../../lib/commands/session.ts';
import { plain } from '../support/fake-ports.ts';
import type { SimMachine } from './sim-machine.ts';

export type Word = string | number | Buffer;

interface Place {
  readonly answer: Deferred<unknown>;
  readonly args: readonly Buffer[];
  reply: { readonly value: unknown } | { readonly error: unknown } | undefined;
}

export class SimConnection {
  readonly session: Session;
  readonly #machine: SimMachine;
  readonly #life: number;
  /** Calls `run` in a later turn of the machine. */
  readonly #later: (run: () => void) => void;
  /** Not started yet. */
  readonly #held: Place[] = [];
  /** Started, and not all answered. */
  readonly #places: Place[] = [];
  #alone = false;

  constructor(machine: SimMachine, later: (run: () => void) => void) {
    this.#machine = machine;
    this.#life = machine.lives;
    this.#later = later;
    this.session = machine.session();
  }

  /** Requests without an answer. */
  get open(): number {
    return this.#held.length + this.#places.length;
  }

  /** The answer as plain data, in its turn. */
  send(...words: readonly Word[]): Deferred<unknown> {
    const answer = new Deferred<unknown>();
    this.#held.push({ answer, args: words.map(bytesOf), reply: undefined });
    this.#start();
    return answer;
  }

  /** Whether nothing that was answered stands in the way of a request. */
  admits(...words: readonly Word[]): boolean {
    return this.#machine.running.dispatch.overlaps(this.session, words.map(bytesOf));
  }

  #start(): void {
    if (this.#machine.lives !== this.#life || !this.#machine.isUp) return;
    const { dispatch } = this.#machine.running;
    for (let next = this.#held[0]; next !== undefined; next = this.#held[0]) {
      const { args } = next;
      const waits = this.#places.length > 0;
      if (waits && (this.#alone || !dispatch.overlaps(this.session, args))) return;
      this.#held.shift();
      this.#places.push(next);
      const reply = this.#machine.begin(this.session, args);
      if (reply.pending) this.#alone = !waits && !dispatch.overlaps(this.session, args);
      this.#await(next, reply);
      for (const bytes of args) bytes.fill('#');
    }
  }

  #await(place: Place, reply: ReturnType<SimMachine['begin']>): void {
    const fill = (filled: Place['reply']): void => {
      place.reply = filled;
      this.#leave();
    };
    reply.listen(
      (value) => fill({ value: plain(value) }),
      (error) => fill({ error }),
    );
  }

  #leave(): void {
    for (let first = this.#places[0]; first?.reply !== undefined; first = this.#places[0]) {
      this.#places.shift();
      if ('value' in first.reply) first.answer.settle(first.reply.value);
      else first.answer.fail(first.reply.error);
    }
    if (this.#held.length > 0) this.#later(() => this.#start());
  }
}

function bytesOf(word: Word): Buffer {
  return Buffer.from(typeof word === 'number' ? String(word) : word);
}
