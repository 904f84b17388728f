/**
 * What a connection may rely on while all is well: it reads what it has written, unless somebody
 * else wrote since. All is well: no fault of late, R + W > N and 2 W > N for this connection, no hint
 * of the key, no earlier write of it that ended in doubt (DESIGN 2.5, 3.2).
 */
import { operationsIn } from './dots.ts';
import { changedBy, shown } from './requests.ts';
import type { History, Referee, Running } from './running.ts';
import { roleOf } from './workload.ts';

/** Until a fault that is over shows no more: verdicts, links, late frames. */
const settlingMs = 3000;

export class OrderJudge {
  readonly #referee: Referee;
  readonly #history: History;

  constructor(referee: Referee, history: History) {
    this.#referee = referee;
    this.#history = history;
  }

  /** `text`: what a read of the key answered. */
  judgeRead(read: Running, key: string, text: string | undefined): void {
    const changes = this.#history.changesOf(key);
    const own = changes.filter((change) => this.#isEarlier(change, read));
    const last = own.at(-1);
    if (last === undefined || !this.#isSettled(key, last, changes)) return;
    const { id } = read.operation;
    const lack = this.#lack(key, { read, own, last, changes, text });
    this.#referee.mark(lack === undefined ? 'own writes read' : 'own writes missed');
    if (lack !== undefined) {
      this.#referee.complain('order', `#${id} answers ${shown(text)} and lacks ${lack}`);
    }
  }

  /** A counter grows with every answer that a connection gets. */
  judgeCount(running: Running): void {
    const { key, id } = running.operation;
    const changes = this.#history.changesOf(key);
    const last = changes.filter((change) => this.#isEarlier(change, running)).at(-1);
    if (last === undefined || !this.#isSettled(key, last, changes)) return;
    if (Number(running.reply) <= Number(last.reply)) {
      this.#referee.complain('order', `#${id} answers ${running.reply} after ${last.reply}`);
    }
  }

  #isEarlier(change: Running, than: Running): boolean {
    return change.connection === than.connection && change.operation.id < than.operation.id;
  }

  #isSettled(key: string, last: Running, changes: readonly Running[]): boolean {
    const { r, w, tracks, begunAtMs, state } = last;
    const { ring, copies, calmSinceMs, layouts } = this.#referee;
    const n = layouts.mostN;
    return (
      state === 'acknowledged' &&
      !tracks &&
      r + w > n &&
      2 * w > n &&
      !this.#history.anyFlush &&
      !this.#history.anyRobbed &&
      calmSinceMs() + settlingMs < begunAtMs &&
      ring.isWhole &&
      changes.every((change) => {
        return change.state !== 'uncertain' && 2 * change.w > n && !change.tracks;
      }) &&
      copies.hintHolders(key).length === 0 &&
      last.hinted.length === 0
    );
  }

  /** What should be in the answer, and is not. */
  #lack(
    key: string,
    seen: {
      readonly read: Running;
      readonly own: readonly Running[];
      readonly last: Running;
      readonly changes: readonly Running[];
      readonly text: string | undefined;
    },
  ): string | undefined {
    const { own, last, text = '' } = seen;
    const has = operationsIn(text);
    const role = roleOf(key);
    if (role === 'counter') {
      return Number(text) >= Number(last.reply) ? undefined : `the count ${last.reply}`;
    }
    if (role === 'log') {
      const missing = own.find(({ state, operation }) => {
        return state === 'acknowledged' && !has.includes(operation.id);
      });
      return missing === undefined ? undefined : `#${missing.operation.id}`;
    }
    const { kind, id } = last.operation;
    const isBesides = (other: Running): boolean => {
      return (
        other.connection !== last.connection &&
        other.state !== 'refused' &&
        other.endedAtMs >= last.begunAtMs
      );
    };
    if (seen.changes.some(isBesides)) return undefined;
    if (kind === 'del' || kind === 'getdel') {
      return text === '' ? undefined : `the delete #${id}`;
    }
    const writes = ['set', 'setnx', 'append', 'mset', 'msetnx', 'setrange', 'exchange'];
    if (!writes.includes(kind) || !changedBy(last.operation).includes(key)) return undefined;
    return has.includes(id) ? undefined : `#${id}`;
  }
}
