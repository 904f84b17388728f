/**
 * The clients of a run: each sends its operations one after the other, remembers the contexts it was
 * given, and judges every answer by what is on the disks at that moment:
 *
 *   I1   an acknowledged write is on W nodes
 *   I15  nothing of a refused operation is stored; what is read was written by somebody
 *   I22  every request is answered in time, and with success if nothing is wrong with the ring
 *   and R nodes that are owners or hold a hint could have taken part in what a read answers
 */
import type { VersionVector } from '../../lib/causal/record.ts';
import type { Session } from '../../lib/commands/session.ts';
import { vectorOf } from './context-text.ts';
import type { Copies } from './copies.ts';
import { type KnownWrite, operationsIn } from './dots.ts';
import type { Issued, Ledger } from './ledger.ts';
import type { Operation, OperationKind, Plan } from './plan.ts';
import type { SimRing, Word } from './sim-ring.ts';

type State = 'open' | 'acknowledged' | 'refused' | 'uncertain';

interface Running {
  readonly operation: Operation;
  state: State;
  readonly context: string;
  /** Of a DYN.DEL: what it removes. */
  readonly removal: VersionVector;
  readonly begunAtMs: number;
  readonly life: number;
  /** Nodes that could take part at some moment of it. */
  readonly reached: Set<number>;
  /** Nodes that held hints of the key when it began. */
  readonly hinted: readonly number[];
  /** Nodes that lost data while it ran: they may have held the write. */
  readonly robbed: Set<number>;
  /** The node could not answer in time. */
  hindered: boolean;
}

export interface Referee {
  readonly ring: SimRing;
  readonly ledger: Ledger;
  readonly copies: Copies;
  complain(invariant: string, text: string): void;
}

/** Beside `request-timeout-ms`, until an answer counts as missing. */
const marginMs = 250;
const waitTimeoutMs = 50;

const writing = new Set<OperationKind>(['set', 'setnx', 'append', 'mset', 'dyn-put']);
const once = new Set<OperationKind>(['dyn-put', 'setnx', 'append', 'incr']);

export class Clients implements Issued {
  readonly #plan: Plan;
  readonly #running = new Map<number, Running>();
  readonly #sessions = new Map<string, Session>();
  readonly #contexts = new Map<string, string[]>();
  readonly #owners = new Map<string, readonly number[]>();
  readonly #increments = new Map<string, number>();
  readonly #isHealthy: boolean;
  #referee: Referee | undefined;
  #left = 0;
  #flushes = 0;
  /** How operations ended. */
  readonly ends = { acknowledged: 0, refused: 0, uncertain: 0, skipped: 0 };

  constructor(plan: Plan) {
    this.#plan = plan;
    const { lose, loseAnswer, repeat, delay } = plan.chaos;
    this.#isHealthy = plan.actions.length === 0 && lose + loseAnswer + repeat + delay === 0;
  }

  get open(): number {
    return this.#left;
  }

  get keys(): string[] {
    return [...this.#owners.keys()];
  }

  /** Every client begins with the first of its operations. */
  async start(referee: Referee): Promise<void> {
    this.#referee = referee;
    const names = new Set(this.#plan.operations.flatMap(({ key, other }) => [key, other]));
    for (const name of names) {
      const owners = (await referee.ring.run(0, 'DYN.RING', 'OWNERS', name)) as string[];
      this.#owners.set(
        name,
        owners.map((owner) => Number(owner.slice(1)) - 1),
      );
    }
    const { time } = referee.ring;
    const startMs = time.nowMs;
    const clients = new Set(this.#plan.operations.map(({ client }) => client));
    for (const client of clients) {
      const operations = this.#plan.operations.filter((operation) => operation.client === client);
      this.#left += operations.length;
      const next = (at: number): void => {
        const operation = operations[at];
        if (operation === undefined) return;
        time.timers().after(startMs + operation.atMs - time.nowMs, () => {
          this.#begin(operation, () => {
            this.#left -= 1;
            next(at + 1);
          });
        });
      };
      next(0);
    }
  }

  ownersOf(key: string): readonly number[] {
    return this.#owners.get(key) ?? [];
  }

  stateOf(operation: number): State | undefined {
    return this.#running.get(operation)?.state;
  }

  contextOf(operation: number): VersionVector | undefined {
    const running = this.#running.get(operation);
    return running?.operation.kind === 'dyn-put' ? vectorOf(running.context) : undefined;
  }

  writesOnce(operation: number): boolean {
    const kind = this.#running.get(operation)?.operation.kind;
    return kind !== undefined && once.has(kind);
  }

  incrementsBegun(key: string): number {
    return this.#increments.get(key) ?? 0;
  }

  /** Whether a flush may have hidden it; where one came first, it is not even stored. */
  isFlushed(writes: readonly KnownWrite[]): boolean {
    const { flushedUpTo } = this.#refereed.ledger;
    if (writes.length === 0) return this.#flushes > 0;
    return writes.some(({ order }) => order <= flushedUpTo);
  }

  /** Acknowledged operations that wrote a value to this key. */
  writers(key: string): Operation[] {
    return this.#acknowledged((operation) => {
      return writing.has(operation.kind) && keysOf(operation).includes(key);
    }).map(({ operation }) => operation);
  }

  /** Contexts of acknowledged deletes of this key. */
  removed(key: string): readonly VersionVector[] {
    return this.#acknowledged((operation) => {
      return operation.kind === 'dyn-del' && operation.key === key;
    }).map(({ removal }) => removal);
  }

  #acknowledged(matches: (operation: Operation) => boolean): Running[] {
    return [...this.#running.values()].filter(({ state, operation }) => {
      return state === 'acknowledged' && matches(operation);
    });
  }

  /** The ring's shape changed: who could be reached until now may answer still. */
  reshaped(): void {
    for (const running of this.#open()) this.#reach(running);
  }

  /** A process is gone, and its connections with it. */
  died(node: number): void {
    for (const running of this.#open()) {
      if (running.operation.node === node) this.#end(running, 'uncertain', 'connection lost');
    }
  }

  paused(node: number): void {
    for (const running of this.#open())
      if (running.operation.node === node) running.hindered = true;
  }

  /** A node has lost data. */
  robbed(node: number): void {
    for (const running of this.#open()) running.robbed.add(node);
  }

  #open(): Running[] {
    return [...this.#running.values()].filter(({ state }) => state === 'open');
  }

  get #refereed(): Referee {
    if (this.#referee === undefined) throw new Error('the clients have not started');
    return this.#referee;
  }

  readonly #onEnd = new Map<number, () => void>();

  #begin(operation: Operation, onEnd: () => void): void {
    const { ring, copies } = this.#refereed;
    const { id, node, key, kind, client } = operation;
    const machine = ring.at(node);
    if (!machine.isUp) {
      this.ends.skipped += 1;
      onEnd();
      return;
    }
    const context = this.#contextFor(operation);
    const running: Running = {
      operation,
      state: 'open',
      context,
      removal: kind === 'dyn-del' ? vectorOf(context) : [],
      begunAtMs: ring.time.nowMs,
      life: machine.lives,
      reached: new Set(),
      hinted: copies.hintHolders(key),
      robbed: new Set(),
      hindered: machine.paused,
    };
    this.#running.set(id, running);
    this.#onEnd.set(id, onEnd);
    this.#reach(running);
    if (kind === 'flush') this.#flushes += 1;
    if (kind === 'incr') this.#increments.set(key, this.incrementsBegun(key) + 1);
    if (kind === 'dyn-del') {
      this.#refereed.ledger.historyOf(key).removals.push(running.removal);
    }
    const words = wordsOf(operation, context);
    ring.trace.add(`c${client}`, `-> n${node + 1} #${id} ${words.join(' ')}`);
    const begun = (): void => {
      if (machine.lives !== running.life) return;
      ring.begin(node, this.#session(client, node), ...words).listen(
        (reply) => this.#answered(running, reply),
        (error) => this.#refereed.complain('fault', `#${id}: ${describe(error)}`),
      );
    };
    // A paused process reads the request when it runs again.
    machine.deliver(begun);
    this.#expect(running);
  }

  #expect(running: Running): void {
    const { ring } = this.#refereed;
    const { kind, id } = running.operation;
    const dueMs = 2 * this.#plan.timeoutMs + marginMs + (kind === 'wait' ? waitTimeoutMs : 0);
    ring.time.timers().after(dueMs, () => {
      if (running.state !== 'open' || running.hindered) return;
      this.#refereed.complain('I22', `#${id} is not answered after ${dueMs} ms`);
    });
  }

  #answered(running: Running, reply: unknown): void {
    if (running.state !== 'open') return;
    const { operation } = running;
    const text = shown(reply);
    const state = stateFor(operation, reply);
    this.#end(running, state, text);
    const isError = typeof reply === 'string' && reply.startsWith('-');
    if (isError) this.#judgeError(running, reply);
    else if (state === 'acknowledged') this.#judge(running, reply);
    if (state === 'refused') this.#judgeRefusal(running);
  }

  #end(running: Running, state: State, text: string): void {
    const { id, client } = running.operation;
    running.state = state;
    if (state !== 'open') this.ends[state] += 1;
    this.#refereed.ring.trace.add(`c${client}`, `<- #${id} ${text}`);
    const onEnd = this.#onEnd.get(id);
    this.#onEnd.delete(id);
    onEnd?.();
  }

  #judgeError({ operation }: Running, reply: string): void {
    const { id, kind } = operation;
    const isAnswer = /^-(ERR value is not|TOOMANYSIBLINGS)/.test(reply);
    if (this.#isHealthy && !isAnswer) {
      this.#refereed.complain('I22', `#${id} ${kind} fails in a healthy ring: ${reply}`);
    }
    if (reply.startsWith('-BADCONTEXT')) this.#refereed.complain('I9', `#${id}: ${reply}`);
  }

  /** Nothing of it may be anywhere; whether it comes later, the ledger watches. */
  #judgeRefusal({ operation }: Running): void {
    if (operation.kind === 'incr' || operation.kind === 'wait') return;
    const { ledger, complain } = this.#refereed;
    for (const key of keysOf(operation)) {
      const [write] = ledger.historyOf(key).of(operation.id);
      if (write !== undefined) {
        complain('I15', `#${operation.id} was refused, and wrote '${write.text}' to ${key}`);
      }
    }
  }

  #judge(running: Running, reply: unknown): void {
    const { operation } = running;
    const { key, kind } = operation;
    switch (kind) {
      case 'get':
        this.#judgeRead(running, typeof reply === 'string' ? [reply] : []);
        break;
      case 'dyn-get': {
        const [answered, values] = reply as [string, string[]];
        this.#remember(operation, answered);
        this.#judgeRead(running, values);
        break;
      }
      case 'dyn-put':
        this.#remember(operation, String(reply));
        this.#judgeWrite(running, key);
        break;
      case 'dyn-del':
        this.#judgeRemoval(running);
        break;
      case 'mset':
        this.#judgeWrite(running, operation.other);
        this.#judgeWrite(running, key);
        break;
      case 'set':
      case 'append':
        this.#judgeWrite(running, key);
        break;
      case 'setnx':
        if (reply === 1) this.#judgeWrite(running, key);
        break;
      default:
        break;
    }
  }

  #judgeRead(running: Running, values: readonly string[]): void {
    const { id, key } = running.operation;
    const { complain } = this.#refereed;
    for (const operation of values.flatMap(operationsIn)) {
      const state = this.stateOf(operation);
      if (state === undefined || state === 'refused') {
        complain('I15', `#${id} read what #${operation} wrote, which is ${state ?? 'unknown'}`);
      }
    }
    this.#reach(running);
    const hinted = new Set([...running.hinted, ...this.#refereed.copies.hintHolders(key)]);
    const able = [...running.reached].filter((node) => {
      return hinted.has(node) || this.ownersOf(key).includes(node);
    });
    const r = this.#plan.quorum[1];
    if (able.length < r) {
      complain('reads', `#${id} was answered by at most ${able.length} of ${r} replicas`);
    }
  }

  #judgeWrite(running: Running, key: string): void {
    const { id } = running.operation;
    const { ledger, copies, complain } = this.#refereed;
    const writes = ledger.historyOf(key).of(id);
    if (this.isFlushed(writes)) return;
    const counts = writes.map((write) => {
      return new Set([...copies.holders(key, write), ...running.robbed]).size;
    });
    const most = Math.max(0, ...counts);
    const w = this.#plan.quorum[2];
    if (most < w) complain('I1', `#${id} was acknowledged with ${most} of ${w} copies of ${key}`);
  }

  #judgeRemoval(running: Running): void {
    const { id, key } = running.operation;
    const context = running.removal;
    const { copies, complain } = this.#refereed;
    if (context.length === 0) return;
    const aware = new Set([...copies.aware(key, context), ...running.robbed]).size;
    const w = this.#plan.quorum[2];
    if (aware < w) complain('I1', `#${id}, a delete, was acknowledged by ${aware} of ${w} nodes`);
  }

  #reach(running: Running): void {
    const { operation, reached } = running;
    for (const node of this.#refereed.ring.reach(operation.node)) reached.add(node);
  }

  #session(client: number, node: number): Session {
    const { ring } = this.#refereed;
    const name = `${client} ${node} ${ring.at(node).lives}`;
    const session = this.#sessions.get(name) ?? ring.session(node);
    this.#sessions.set(name, session);
    return session;
  }

  #contextFor({ client, key, context }: Operation): string {
    const known = this.#contexts.get(`${client} ${key}`) ?? [];
    if (context === 'none') return '';
    return (context === 'last' ? known.at(-1) : known[0]) ?? '';
  }

  #remember({ client, key }: Operation, context: string): void {
    const name = `${client} ${key}`;
    this.#contexts.set(name, [...(this.#contexts.get(name) ?? []), context].slice(-5));
  }
}

function wordsOf({ id, kind, key, other, ttlMs }: Operation, context: string): readonly Word[] {
  const value = `v${id}.`;
  switch (kind) {
    case 'get':
    case 'del':
    case 'incr':
      return [kind, key];
    case 'set':
    case 'setnx':
      return [kind, key, value];
    case 'append':
      return [kind, key, `<${id}>`];
    case 'expire':
      return ['pexpire', key, ttlMs];
    case 'mset':
      return other === key ? [kind, key, value] : [kind, key, value, other, value];
    case 'wait':
      return [kind, 1, waitTimeoutMs];
    case 'dyn-get':
      return ['dyn.get', key];
    case 'dyn-put':
      return ['dyn.put', key, context, value];
    case 'dyn-del':
      return ['dyn.del', key, context];
    case 'flush':
      return ['flushdb'];
  }
}

function keysOf({ kind, key, other }: Operation): readonly string[] {
  return kind === 'mset' ? [key, other] : [key];
}

function stateFor({ kind }: Operation, reply: unknown): State {
  if (typeof reply === 'string' && reply.startsWith('-')) {
    return reply.startsWith('-UNCERTAIN') ? 'uncertain' : 'refused';
  }
  return kind === 'setnx' && reply === 0 ? 'refused' : 'acknowledged';
}

function shown(reply: unknown): string {
  const text = JSON.stringify(reply) ?? 'nothing';
  return text.length > 200 ? `${text.slice(0, 200)}...` : text;
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
