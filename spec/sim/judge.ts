/**
 * Judges every answer by what is on the disks at that moment:
 *
 *   I1     an acknowledged write is on W nodes
 *   I15    nothing of a refused operation is stored; what is read was written by somebody
 *   I22    every request succeeds if nothing is wrong with the ring
 *   reads  R nodes that are owners or hold a hint could have taken part in what a read answers
 *   WAIT   no more nodes are counted than hold every write of the connection
 *   watch  no two exchanges begin from the same value, in a healthy ring
 *   scan   what was there throughout is in every complete scan, and nothing is in it twice
 */
import { operationsIn } from './dots.ts';
import { OrderJudge } from './order.ts';
import type { Plan } from './plan.ts';
import { isError, shown, writtenBy } from './requests.ts';
import { isHarmless } from './ring-changes.ts';
import type { History, Referee, Running } from './running.ts';

/** Answers that a healthy ring gives too. */
const healthyErrors = /^-(ERR value is not|ERR no such key|TOOMANYSIBLINGS)/;

/** A node that has taken the ring is known to be up. */
const servesWithinMs = 600;

export class Judge {
  readonly #referee: Referee;
  readonly #history: History;
  readonly #order: OrderJudge;
  readonly #isHealthy: boolean;
  readonly #w: number;
  /** By key: values from which an acknowledged exchange began. */
  readonly #exchanged = new Map<string, Set<unknown>>();

  constructor(referee: Referee, history: History, plan: Plan) {
    this.#referee = referee;
    this.#history = history;
    [, , this.#w] = plan.quorum;
    this.#order = new OrderJudge(referee, history);
    const { lose, loseAnswer, repeat, delay } = plan.chaos;
    this.#isHealthy =
      plan.actions.every(({ fault }) => isHarmless(fault)) &&
      lose + loseAnswer + repeat + delay === 0;
  }

  judge(running: Running): void {
    const { state, reply } = running;
    if (isError(reply)) this.#judgeError(running, reply);
    else if (state === 'acknowledged') this.#judgeSuccess(running);
    if (state === 'refused') this.#judgeRefusal(running);
  }

  /**
   * `seen`: what it began from. Under TRACK a batch runs where it is sent, and what two of them
   * write from one value stays as siblings.
   */
  judgeExchange({ operation, r, w, tracks }: Running, seen: unknown): void {
    if (tracks) return;
    const { key, id } = operation;
    const values = this.#exchanged.get(key) ?? new Set();
    const n = this.#referee.layouts.mostN;
    const isSure = this.#isHealthy && !this.#history.anyFlush && r + w > n && 2 * w > n;
    if (
      isSure &&
      values.has(seen) &&
      this.#history.changesOf(key).every(({ w: other }) => 2 * other > n)
    ) {
      this.#referee.complain('watch', `#${id} is the second to replace ${shown(seen)} of ${key}`);
    }
    values.add(seen);
    this.#exchanged.set(key, values);
  }

  #judgeError({ operation, hindered }: Running, reply: string): void {
    const { id, kind } = operation;
    if (this.#isHealthy && !hindered && !healthyErrors.test(reply) && !this.#isNew(reply)) {
      this.#referee.complain('I22', `#${id} ${kind} fails in a healthy ring: ${reply}`);
    }
    if (reply.startsWith('-BADCONTEXT')) this.#referee.complain('I9', `#${id}: ${reply}`);
  }

  /** New members take a moment to serve, and some quorums need them. */
  #isNew(reply: string): boolean {
    const { layouts, ring } = this.#referee;
    return reply.startsWith('-CLUSTERDOWN') && ring.time.nowMs - layouts.grewAtMs < servesWithinMs;
  }

  /** Nothing of it may be anywhere; whether it comes later, the ledger watches. */
  #judgeRefusal(running: Running): void {
    const { operation } = running;
    const { ledger, complain } = this.#referee;
    for (const key of writtenBy(operation)) {
      const [write] = ledger.historyOf(key).of(operation.id);
      if (write !== undefined) {
        complain('I15', `#${operation.id} was refused, and wrote '${write.text}' to ${key}`);
      }
    }
    if (operation.kind === 'rename' || operation.kind === 'copy') this.#judgeNoCopy(running);
  }

  /** A refused RENAME has put nothing into its target. */
  #judgeNoCopy(running: Running): void {
    const { key, other, id } = running.operation;
    const { ledger, complain } = this.#referee;
    const others = this.#history.changesOf(other).filter((change) => {
      return change !== running && change.endedAtMs >= running.begunAtMs;
    });
    if (others.length > 0) return;
    const copy = ledger.historyOf(other).writes.find(({ text, foundAtMs }) => {
      return foundAtMs > running.begunAtMs && text !== '' && this.#wasIn(key, text);
    });
    if (copy !== undefined) {
      complain('I15', `#${id} was refused, and put '${copy.text}' into ${other}`);
    }
  }

  #wasIn(key: string, text: string): boolean {
    return this.#referee.ledger.historyOf(key).writes.some((write) => write.text === text);
  }

  #judgeSuccess(running: Running): void {
    const { operation, reply } = running;
    const { key, other, kind } = operation;
    switch (kind) {
      case 'get':
        this.#judgeRead(running, key, typeof reply === 'string' ? [reply] : []);
        this.#order.judgeRead(running, key, typeof reply === 'string' ? reply : undefined);
        break;
      case 'mget':
        for (const [at, value] of (reply as (string | null)[]).entries()) {
          const name = at === 0 ? key : other;
          this.#judgeRead(running, name, value === null ? [] : [value]);
          this.#order.judgeRead(running, name, value ?? undefined);
        }
        break;
      case 'dyn-get':
        this.#judgeRead(running, key, (reply as [string, string[]])[1]);
        break;
      case 'dyn-del':
        this.#judgeRemoval(running);
        break;
      case 'incr':
        this.#order.judgeCount(running);
        break;
      case 'wait':
        this.#judgeWait(running, Number(reply));
        break;
      case 'scan':
      case 'keys':
        this.#judgeScan(running, reply as string[]);
        break;
      default:
        for (const name of writtenBy(operation)) this.#judgeWrite(running, name);
        break;
    }
  }

  #judgeRead(running: Running, key: string, values: readonly string[]): void {
    const { id } = running.operation;
    const { complain, copies, layouts } = this.#referee;
    for (const operation of values.flatMap(operationsIn)) {
      const state = this.#history.stateOf(operation);
      if (state === undefined || state === 'refused') {
        complain('I15', `#${id} read what #${operation} wrote, which is ${state ?? 'unknown'}`);
      }
    }
    const hinted = new Set([...running.hinted, ...copies.hintHolders(key)]);
    const able = [...running.reached].filter((node) => {
      return hinted.has(node) || layouts.ownersOf(key).includes(node);
    });
    const r = Math.min(running.r, running.n);
    if (able.length < r && key === running.operation.key) {
      complain('reads', `#${id} was answered by at most ${able.length} of ${r} replicas`);
    }
  }

  #judgeWrite(running: Running, key: string): void {
    const { id } = running.operation;
    const { ledger, copies, transitions, complain, mark } = this.#referee;
    const writes = ledger.historyOf(key).of(id);
    if (writes.some(({ madeInHint }) => madeInHint)) mark('acknowledged with a dot of a fallback');
    if (this.#history.isFlushed(writes)) return;
    const counts = writes.map((write) => {
      return new Set([...copies.holders(key, write), ...running.robbed]).size;
    });
    const most = Math.max(0, ...counts);
    const w = Math.min(running.w, running.n);
    if (most < w) complain('I1', `#${id} was acknowledged with ${most} of ${w} copies of ${key}`);
    transitions.acknowledged(running, key, writes);
  }

  #judgeRemoval(running: Running): void {
    const { id, key } = running.operation;
    const context = running.removal;
    const { copies, complain } = this.#referee;
    if (context.length === 0) return;
    const aware = new Set([...copies.aware(key, context), ...running.robbed]).size;
    const w = Math.min(running.w, running.n);
    if (aware < w) complain('I1', `#${id}, a delete, was acknowledged by ${aware} of ${w} nodes`);
  }

  #judgeWait({ operation, connection }: Running, count: number): void {
    const { ledger, copies, complain, layouts } = this.#referee;
    const { mostN } = layouts;
    if (count > mostN - 1) complain('WAIT', `#${operation.id} counts ${count} of ${mostN}`);
    if (this.#history.anyRobbed || this.#history.anyFlush) return;
    for (const key of ledger.keys.keys()) {
      const history = ledger.historyOf(key);
      for (const change of this.#history.changesOf(key)) {
        if (change.connection !== connection || change.state !== 'acknowledged') continue;
        if (change.operation.id > operation.id || !writtenBy(change.operation).includes(key))
          continue;
        const held = history
          .of(change.operation.id)
          .map((write) => copies.holders(key, write).length);
        const most = Math.max(0, ...held);
        if (held.length > 0 && most < count + 1) {
          const written = `#${change.operation.id} on ${key}`;
          complain('WAIT', `#${operation.id} counts ${count}, and ${written} is on ${most} nodes`);
        }
      }
    }
  }

  #judgeScan({ operation }: Running, found: readonly string[]): void {
    const { complain, copies, layouts, mark } = this.#referee;
    const { id } = operation;
    const names = new Set(found);
    mark('complete scan');
    if (names.size < found.length) complain('scan', `#${id} shows a key twice: ${found.join(' ')}`);
    for (const key of this.#history.anyFlush ? [] : this.#history.coldKeys) {
      if (names.has(key)) continue;
      const owners = layouts.ownersOf(key).filter((node) => copies.isHeldBy(node, key));
      if (owners.length >= this.#w)
        complain('scan', `#${id} misses ${key}, on ${owners.length} owners`);
    }
    for (const key of names) {
      const isKnown = this.#history.coldKeys.includes(key);
      if (!isKnown && this.#history.changesOf(key).length === 0) {
        complain('I15', `#${id} shows ${key}, which nobody wrote`);
      }
    }
  }
}
