/**
 * The calls of one link that wait for their answers, each with its deadline. An answer settles its
 * call in the turn in which it arrives; an answer to none of these comes too late and is dropped.
 */
import { Deferred } from '../base/later.ts';
import { PeerError } from './transport.ts';

interface Call {
  readonly answer: Deferred<Buffer>;
  readonly deadlineAtMs: number;
}

/** Small integers, which take no memory of their own. */
const idMax = 2 ** 30;

export class Calls {
  readonly #unanswered = new Map<number, Call>();
  #lastId = 0;

  get count(): number {
    return this.#unanswered.size;
  }

  /** The id of the latest call. */
  get lastId(): number {
    return this.#lastId;
  }

  add(deadlineAtMs: number): Deferred<Buffer> {
    const answer = new Deferred<Buffer>();
    this.#lastId = this.#lastId === idMax ? 1 : this.#lastId + 1;
    this.#unanswered.set(this.#lastId, { answer, deadlineAtMs });
    return answer;
  }

  settle(id: number, body: Buffer): void {
    this.#take(id)?.settle(body);
  }

  refuse(id: number, text: string): void {
    this.#take(id)?.fail(new PeerError('refused', text));
  }

  /** Those that are due time out. Returns the earliest deadline of the others. */
  expire(nowMs: number): number {
    let earliestAtMs = Number.POSITIVE_INFINITY;
    for (const [id, call] of this.#unanswered) {
      if (call.deadlineAtMs > nowMs) {
        earliestAtMs = Math.min(earliestAtMs, call.deadlineAtMs);
      } else if (this.#unanswered.delete(id)) call.answer.fail(new PeerError('timeout'));
    }
    return earliestAtMs;
  }

  /** All of them, in the order in which they were made. */
  lose(): void {
    const lost = new PeerError('lost');
    for (const [id, call] of this.#unanswered) {
      this.#unanswered.delete(id);
      call.answer.fail(lost);
    }
  }

  #take(id: number): Deferred<Buffer> | undefined {
    const call = this.#unanswered.get(id);
    if (call !== undefined) this.#unanswered.delete(id);
    return call?.answer;
  }
}
