/**
 * The clients of a run: each sends its operations, one group after the other, over a connection to
 * each node, and remembers the contexts that it was given. What comes of an operation is judged the
 * moment it is answered (judge.ts); here is only who asks what, when, and how it ended.
 */
import type { VersionVector } from '../../lib/causal/record.ts';
import { vectorOf } from './context-text.ts';
import { Judge } from './judge.ts';
import type { Issued } from './ledger.ts';
import type { Plan } from './plan.ts';
import {
  changedBy,
  describe,
  isError,
  type State,
  shown,
  stateFor,
  stepsOf,
  waitTimeoutMs,
  wordsOf,
  writtenBy,
} from './requests.ts';
import type { History, Referee, Running } from './running.ts';
import type { SimConnection, Word } from './sim-connection.ts';
import type { Operation, OperationKind } from './workload.ts';

/** Beside `request-timeout-ms`, until an answer counts as missing. */
const marginMs = 250;
/** Pages of a SCAN, at most. */
const pagesMax = 40;

/** How long others may hold a slot that a request needs, in times of one request. */
const gatePatience = 4;

const once = new Set<OperationKind>(['dyn-put', 'setnx', 'append', 'incr', 'msetnx']);

export class Clients implements Issued, History {
  readonly #plan: Plan;
  readonly #quorum: readonly [r: number, w: number];
  readonly #running = new Map<number, Running>();
  readonly #changes = new Map<string, Running[]>();
  readonly #connections = new Map<string, SimConnection>();
  readonly #contexts = new Map<string, string[]>();
  /** Nodes of which a copy runs too: it may take what is meant for them. */
  readonly cloned = new Set<number>();
  readonly #increments = new Map<string, number>();
  readonly #onEnd = new Map<number, () => void>();
  #parties: { readonly referee: Referee; readonly judge: Judge } | undefined;
  #left = 0;
  anyFlush = false;
  anyRobbed = false;
  /** How operations ended. */
  readonly ends = { acknowledged: 0, refused: 0, uncertain: 0, skipped: 0 };

  constructor(plan: Plan) {
    this.#plan = plan;
    const [, r, w] = plan.quorum;
    this.#quorum = [r, w];
  }

  get open(): number {
    return this.#left;
  }

  get keys(): string[] {
    const names = this.#plan.operations.flatMap(({ key, other }) => [key, other]);
    return [...new Set([...names, ...this.coldKeys])];
  }

  get coldKeys(): string[] {
    return Array.from({ length: this.#plan.coldKeys }, (_, index) => `cold${index}`);
  }

  /** Every client begins with the first of its operations. */
  async start(referee: Referee): Promise<void> {
    this.#parties = { referee, judge: new Judge(referee, this, this.#plan) };
    const { ring } = referee;
    for (const [at, key] of this.coldKeys.entries()) {
      await ring.run(at % this.#plan.nodes, 'SET', key, 'cold');
    }
    if (this.#plan.coldKeys > 0) await ring.time.advance(500);
    for (const key of this.coldKeys) {
      for (const write of referee.ledger.historyOf(key).writes) {
        referee.transitions.note(key, write, this.#quorum[1]);
      }
    }
    const clients = new Set(this.#plan.operations.map(({ client }) => client));
    for (const client of clients) this.#startClient(client);
  }

  #startClient(client: number): void {
    const { time } = this.#referee.ring;
    const startMs = time.nowMs;
    const groups = new Map<number, Operation[]>();
    for (const operation of this.#plan.operations) {
      if (operation.client !== client) continue;
      this.#left += 1;
      groups.set(operation.group, [...(groups.get(operation.group) ?? []), operation]);
    }
    const queue = [...groups.values()];
    const next = (): void => {
      const group = queue.shift();
      if (group?.[0] === undefined) return;
      time.timers().after(startMs + group[0].atMs - time.nowMs, () => this.#begin(group, next));
    };
    next();
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

  changesOf(key: string): readonly Running[] {
    return this.#changes.get(key) ?? [];
  }

  /** Whether a flush may have hidden it; where one came first, it is not even stored. */
  isFlushed(writes: readonly { readonly order: number }[]): boolean {
    const { flushedUpTo } = this.#referee.ledger;
    if (writes.length === 0) return this.anyFlush;
    return writes.some(({ order }) => order <= flushedUpTo);
  }

  /** Operations in this state that wrote a value to this key. */
  writers(key: string, state: State): Operation[] {
    return this.changesOf(key)
      .filter((running) => running.state === state && writtenBy(running.operation).includes(key))
      .map(({ operation }) => operation);
  }

  /** Contexts of acknowledged deletes of this key. */
  removed(key: string): readonly VersionVector[] {
    return this.changesOf(key)
      .filter(({ state, operation }) => state === 'acknowledged' && operation.kind === 'dyn-del')
      .map(({ removal }) => removal);
  }

  /** I14: of the connections that are left, none may hold on to an answered request. */
  checkIdle(): void {
    const { complain } = this.#referee;
    for (const [name, connection] of this.#connections) {
      const life = Number(name.split(' ')[2]);
      if (this.#referee.ring.at(Number(name.split(' ')[1])).lives !== life) continue;
      for (const key of this.keys) {
        const requests = [
          ['get', key],
          ['set', key, 'x'],
          ['incr', key],
          ['dyn.del', key, ''],
        ];
        if (connection.open > 0 || !requests.every((words) => connection.admits(...words))) {
          complain('I14', `the connection ${name} is idle, and lets no request for ${key} start`);
          return;
        }
      }
    }
  }

  /** The ring's shape changed: who could be reached until now may answer still. */
  reshaped(): void {
    for (const running of this.#open()) this.#reach(running);
  }

  /** A process is gone, and its connections with it. */
  died(node: number): void {
    for (const running of this.#open()) {
      if (running.node === node) this.#end(running, 'uncertain', 'connection lost');
    }
  }

  paused(node: number): void {
    for (const running of this.#open()) if (running.node === node) running.hindered = true;
  }

  /** A node has lost data. */
  robbed(node: number): void {
    this.anyRobbed = true;
    this.#referee.transitions.robbed();
    for (const running of this.#open()) running.robbed.add(node);
  }

  #open(): Running[] {
    return [...this.#running.values()].filter(({ state }) => state === 'open');
  }

  get #referee(): Referee {
    return this.#started.referee;
  }

  get #started(): { readonly referee: Referee; readonly judge: Judge } {
    if (this.#parties === undefined) throw new Error('the clients have not started');
    return this.#parties;
  }

  #begin(group: readonly Operation[], onEnd: () => void): void {
    const { ring } = this.#referee;
    const [{ client, node, together }] = group as [Operation];
    const machine = ring.at(node);
    let open = group.length;
    const ended = (): void => {
      open -= 1;
      this.#left -= 1;
      if (open === 0) onEnd();
    };
    if (!machine.isUp) {
      this.ends.skipped += group.length;
      for (const _ of group) ended();
      return;
    }
    const connection = this.#connection(client, node);
    const life = machine.lives;
    const begun = group.map((operation) => this.#enter(operation, connection, ended));
    this.#expect(begun);
    // A paused process reads the request when it runs again.
    machine.deliver(() => {
      if (machine.lives !== life) return;
      if (together === 'exec') this.#batch(connection, begun);
      else for (const running of begun) this.#ask(connection, running);
    });
  }

  /** From here on it counts as begun. */
  #enter(operation: Operation, connection: SimConnection, onEnd: () => void): Running {
    const { ring, copies, ledger, layouts } = this.#referee;
    const { id, node, key, kind, client } = operation;
    const context = this.#contextFor(operation);
    const traits = this.#plan.clients[client];
    const [r, w] = traits?.quorum ?? this.#quorum;
    const running: Running = {
      operation,
      state: 'open',
      node,
      connection,
      r,
      w,
      n: layouts.leastN,
      tracks: traits?.tracks === true,
      context,
      removal: kind === 'dyn-del' ? vectorOf(context) : [],
      tables: layouts.tables,
      begunAtMs: ring.time.nowMs,
      endedAtMs: Number.POSITIVE_INFINITY,
      reply: undefined,
      reached: new Set(),
      hinted: copies.hintHolders(key),
      robbed: new Set(this.cloned),
      hindered: ring.at(node).paused,
    };
    this.#running.set(id, running);
    this.#onEnd.set(id, onEnd);
    for (const changed of changedBy(operation)) {
      const changes = this.#changes.get(changed) ?? [];
      changes.push(running);
      this.#changes.set(changed, changes);
    }
    this.#reach(running);
    if (kind === 'flush') this.anyFlush = true;
    if (kind === 'incr') this.#increments.set(key, this.incrementsBegun(key) + 1);
    if (kind === 'dyn-del') ledger.historyOf(key).removals.push(running.removal);
    if (removesUnseen(running)) ledger.historyOf(key).removers.push(running);
    const words = wordsOf(operation, context);
    ring.trace.add(`c${client}`, `-> n${node + 1} #${id} ${words.join(' ')}`);
    return running;
  }

  /** One request, or the first of several. */
  #ask(connection: SimConnection, running: Running): void {
    const { kind, node } = running.operation;
    if (kind === 'exchange') this.#exchange(connection, running);
    else if (kind === 'scan') this.#scan(running, node, '0', []);
    else {
      this.#send(connection, running, wordsOf(running.operation, running.context), (reply) =>
        this.#answered(running, reply),
      );
    }
  }

  #send(
    connection: SimConnection,
    { operation }: Running,
    words: readonly Word[],
    heard: (reply: unknown) => void,
  ): void {
    connection.send(...words).listen(heard, (error) => {
      this.#referee.complain('fault', `#${operation.id}: ${describe(error)}`);
    });
  }

  #batch(connection: SimConnection, batch: readonly Running[]): void {
    const [first] = batch as [Running];
    const ignore = (): void => {};
    this.#send(connection, first, ['multi'], ignore);
    for (const running of batch) {
      this.#send(connection, running, wordsOf(running.operation, running.context), ignore);
    }
    this.#send(connection, first, ['exec'], (reply) => {
      const replies = Array.isArray(reply) ? (reply as unknown[]) : batch.map(() => reply);
      this.#referee.mark(Array.isArray(reply) ? 'batch run' : 'batch refused');
      for (const [at, running] of batch.entries()) this.#answered(running, replies[at]);
    });
  }

  /** Writes only if nobody has since it looked. */
  #exchange(connection: SimConnection, running: Running): void {
    const { key, id } = running.operation;
    this.#send(connection, running, ['watch', key], (reply) => {
      if (isError(reply)) this.#answered(running, reply);
    });
    this.#send(connection, running, ['get', key], (seen) => {
      if (running.state !== 'open') return;
      if (isError(seen)) {
        this.#send(connection, running, ['unwatch'], () => this.#answered(running, seen));
        return;
      }
      const ignore = (): void => {};
      this.#send(connection, running, ['multi'], ignore);
      this.#send(connection, running, ['set', key, `v${id}.`], ignore);
      this.#send(connection, running, ['exec'], (reply) => {
        const [only = reply] = Array.isArray(reply) ? (reply as unknown[]) : [];
        if (running.state === 'open' && only === '+OK') {
          this.#started.judge.judgeExchange(running, seen);
        }
        if (only === '*nil') this.#referee.mark('exchange refused');
        this.#answered(running, only);
      });
    });
  }

  /** Page by page, each at another node: the cursor is all that is remembered. */
  #scan(running: Running, node: number, cursor: string, found: readonly string[]): void {
    const { client, id } = running.operation;
    const { ring, complain } = this.#referee;
    const [, , , count = 1] = wordsOf(running.operation, '');
    running.node = node;
    if (!ring.at(node).isUp) {
      this.#answered(running, '-CLUSTERDOWN the next node is down');
      return;
    }
    running.hindered ||= ring.at(node).paused;
    const connection = this.#connection(client, node);
    ring.at(node).deliver(() => {
      this.#send(connection, running, ['scan', cursor, 'count', count], (reply) => {
        if (running.state !== 'open') return;
        if (isError(reply)) return this.#answered(running, reply);
        const [next, keys] = reply as [string, string[]];
        const all = [...found, ...keys];
        if (next === '0') return this.#answered(running, all);
        if (BigInt(next) <= BigInt(cursor))
          complain('scan', `#${id} goes from ${cursor} to ${next}`);
        else this.#scan(running, this.#nextNode(node), next, all);
      });
    });
  }

  #nextNode(node: number): number {
    const { ring } = this.#referee;
    const serving = ring.present.filter((other) => ring.at(other).lives > 0 || ring.at(other).isUp);
    return serving.find((other) => other > node) ?? serving[0] ?? node;
  }

  /** An answer within the time that all before it in its group, and itself, may take. */
  #expect(group: readonly Running[]): void {
    const { time } = this.#referee.ring;
    // The time at a gate that others hold is not part of a request's own time.
    const mayQueue = this.#open().some(
      (running) => holdsSlots(running) && !group.includes(running),
    );
    let dueMs = mayQueue ? gatePatience * this.#plan.timeoutMs : 0;
    for (const running of group) {
      const { operation, tracks } = running;
      const { kind } = operation;
      const steps = kind === 'scan' ? pagesMax : stepsOf(operation, tracks);
      dueMs += steps * (this.#plan.timeoutMs + marginMs) + (kind === 'wait' ? waitTimeoutMs : 0);
    }
    time.timers().after(dueMs, () => {
      for (const { state, hindered, operation } of group) {
        if (state !== 'open' || hindered) continue;
        this.#referee.complain('I22', `#${operation.id} is not answered after ${dueMs} ms`);
      }
    });
  }

  #answered(running: Running, reply: unknown): void {
    if (running.state !== 'open') return;
    const { operation } = running;
    running.reply = reply;
    running.n = Math.min(running.n, this.#referee.layouts.leastN);
    const state = stateFor(operation, reply);
    this.#end(running, state, shown(reply));
    if (operation.kind === 'dyn-get' && Array.isArray(reply)) {
      this.#remember(operation, String(reply[0]));
    }
    if (operation.kind === 'dyn-put' && !isError(reply)) this.#remember(operation, String(reply));
    this.#reach(running);
    if (state === 'acknowledged' && this.#referee.layouts.isChanging) {
      this.#referee.mark('acknowledged under two layouts');
    }
    this.#started.judge.judge(running);
  }

  #end(running: Running, state: State, text: string): void {
    const { id, client } = running.operation;
    const { ring } = this.#referee;
    running.state = state;
    running.endedAtMs = ring.time.nowMs;
    if (state !== 'open') this.ends[state] += 1;
    ring.trace.add(`c${client}`, `<- #${id} ${text}`);
    const onEnd = this.#onEnd.get(id);
    this.#onEnd.delete(id);
    onEnd?.();
  }

  #reach({ node, reached }: Running): void {
    for (const other of this.#referee.ring.reach(node)) reached.add(other);
    for (const other of this.cloned) reached.add(other);
  }

  #connection(client: number, node: number): SimConnection {
    const { ring } = this.#referee;
    const name = `${client} ${node} ${ring.at(node).lives}`;
    const known = this.#connections.get(name);
    if (known !== undefined) return known;
    const connection = ring.connect(node);
    this.#connections.set(name, connection);
    const { quorum, tracks } = this.#plan.clients[client] ?? { tracks: false };
    if (quorum !== undefined) connection.send('dyn.quorum', 'r', quorum[0], 'w', quorum[1]);
    if (tracks) connection.send('dyn.context', 'track', 'on');
    return connection;
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

/** Keeps others from its slots while it runs. */
function holdsSlots({ operation, tracks }: Running): boolean {
  const { kind, together } = operation;
  if (together === 'exec' || kind === 'msetnx' || kind === 'exchange') return true;
  return tracks && (kind === 'del' || kind === 'getdel');
}

/** Deletes by a context that only the node knows. */
function removesUnseen({ operation, tracks }: Running): boolean {
  const { kind } = operation;
  return kind === 'rename' || (tracks && (kind === 'del' || kind === 'getdel'));
}
