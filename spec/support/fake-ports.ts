/**
 * What commands need of the floors above, made by hand: time that moves when told, clients without
 * sockets, the real directives. `Frame` puts the real dispatcher and command table over them and a
 * coordinator in memory.
 */
import { isLater, type Later } from '../../lib/base/later.ts';
import { contextCodec } from '../../lib/causal/context.ts';
import type { Command } from '../../lib/commands/command.ts';
import { Dispatcher } from '../../lib/commands/dispatcher.ts';
import type {
  Client,
  ClientUse,
  Ports,
  ProcessView,
  Ring,
  RingChanges,
  Traffic,
} from '../../lib/commands/ports.ts';
import { Session } from '../../lib/commands/session.ts';
import { commandTable } from '../../lib/commands/table.ts';
import { Config } from '../../lib/config.ts';
import {
  ErrorReply,
  MapReply,
  NoReply,
  NullArray,
  Prepared,
  type Reply,
  SetReply,
  SimpleString,
  Verbatim,
} from '../../lib/protocol/reply.ts';
import { firstLayout } from '../../lib/ring/claim.ts';
import { type SlotMap, slotMapOf } from '../../lib/ring/slot-map.ts';
import type { Clock, Timer, Timers } from '../../lib/runtime/ports.ts';
import { realSystem } from '../../lib/runtime/system.ts';
import { MemoryCoordinator } from './memory-coordinator.ts';

const selfId = '1'.repeat(40);
const silent = { debug() {}, verbose() {}, notice() {}, warning() {} };
const real = realSystem(silent);

/** Stands still until `advance`; both clocks move together. */
export class ManualTime implements Clock, Timers {
  #nowMs = 1_767_225_600_000;
  #timers: { readonly atMs: number; readonly run: () => void }[] = [];

  wallMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, run: () => void): Timer {
    const timer = { atMs: this.#nowMs + delayMs, run };
    this.#timers.push(timer);
    return { cancel: () => this.#drop(timer) };
  }

  every(): Timer {
    throw new Error('no command repeats anything');
  }

  soon(run: () => void): void {
    setImmediate(run);
  }

  get pendingTimers(): number {
    return this.#timers.length;
  }

  /** Runs what becomes due, in its order, and lets promises settle in between. */
  async advance(byMs: number): Promise<void> {
    const endMs = this.#nowMs + byMs;
    for (;;) {
      const [next] = this.#timers
        .filter(({ atMs }) => atMs <= endMs)
        .sort((a, b) => a.atMs - b.atMs);
      if (next === undefined) break;
      this.#nowMs = next.atMs;
      this.#drop(next);
      next.run();
      await new Promise(setImmediate);
    }
    this.#nowMs = endMs;
  }

  #drop(timer: { readonly atMs: number; readonly run: () => void }): void {
    this.#timers = this.#timers.filter((other) => other !== timer);
  }
}

export class FakeClient implements Client {
  readonly session: Session;
  killed: 'now' | 'after-replies' | undefined;
  usage: ClientUse = { fd: 8, queryBytes: 0, outputBytes: 0, pendingReplies: 0 };

  constructor(session: Session) {
    this.session = session;
  }

  use(): ClientUse {
    return this.usage;
  }

  kill(when: 'now' | 'after-replies'): void {
    this.killed = when;
  }
}

export const processView: ProcessView = {
  processId: 4711,
  uptimeMs: 90_061_000,
  os: 'Linux 6.1 x64',
  nodeVersion: '20.15.0',
  executable: '/usr/bin/node',
  configFile: '/etc/redynamo.conf',
  usedMemoryBytes: 2 * 1024 ** 2,
  residentBytes: 3 * 1024 ** 2,
  peakMemoryBytes: 4 * 1024 ** 2,
  totalSystemMemoryBytes: 1024 ** 3,
  userCpuSeconds: 1.5,
  systemCpuSeconds: 0.25,
  eventLoopDelayP99Ms: 1,
};

/** One node as its clients see it: the whole command table, no socket, no disk. */
export class Frame {
  readonly time = new ManualTime();
  readonly settings = new Config();
  readonly coordinator: MemoryCoordinator;
  readonly dispatcher: Dispatcher;
  readonly ports: Ports;
  readonly clients: FakeClient[] = [];
  readonly traffic: Traffic = {
    connectionsReceived: 3,
    connectionsRejected: 1,
    bytesRead: 100,
    bytesWritten: 200,
    outputLimitDisconnections: 0,
    queryLimitDisconnections: 0,
  };
  ring: Ring = { version: 1, transition: 0, members: [], selfId };
  slotMap: SlotMap = slotMapOf(
    firstLayout([{ id: selfId, weight: 1, zone: '' }], 1, 1),
    [{ id: selfId, host: '127.0.0.1', port: 6379, peerPort: 16379, state: 'up' }],
    selfId,
  );
  /** The specs of changes put their own here. */
  readonly changes: { -readonly [Name in keyof RingChanges]: RingChanges[Name] } = {
    join: noChange,
    leave: noChange,
    weight: noChange,
    remove: noChange,
    plan: noChange,
  };
  keysInSlot: Ports['keysInSlot'] = () => 0;
  /** Why the node must not serve. */
  refusal: ReturnType<Ports['refusal']>;
  /** The specs of batches that travel put a transport here. */
  delegate: Ports['delegate'] = () => {
    throw new Error('no peer is expected');
  };
  shutdowns = 0;
  resets = 0;

  constructor(
    options: {
      readonly n?: number;
      readonly rows?: readonly Command[];
      readonly password?: string;
      /** Shared by frames that are nodes of one ring. */
      readonly coordinator?: MemoryCoordinator;
    } = {},
  ) {
    if (options.password !== undefined) this.settings.give('requirepass', [options.password]);
    const wallMs = () => this.time.wallMs();
    this.coordinator = options.coordinator ?? new MemoryCoordinator({ wallMs, n: options.n ?? 1 });
    this.ports = this.#makePorts();
    this.dispatcher = new Dispatcher(this.coordinator, this.ports, options.rows ?? commandTable);
  }

  connect(): Session {
    const id = this.clients.length + 1;
    const session = new Session(id, `127.0.0.1:${50_000 + id}`, '127.0.0.1:6379', this.#nowMs);
    session.authenticated = this.settings.text('requirepass') === '';
    this.clients.push(new FakeClient(session));
    return session;
  }

  /** Starts a request: the words of `line`, or exactly `args`. */
  start(session: Session, line: string, ...args: readonly (string | Buffer)[]): Later<Reply> {
    const words = args.length === 0 ? line.split(' ') : [line, ...args];
    return this.dispatcher.execute(
      session,
      words.map((word) => (typeof word === 'string' ? Buffer.from(word) : word)),
    );
  }

  /** The reply as plain data: `+status`, `-error`, `*nil` for a null array, undefined for silence. */
  async run(session: Session, line: string, ...args: readonly string[]): Promise<unknown> {
    return plain(await this.start(session, line, ...args));
  }

  /** The same for a request that must be answered at once. */
  now(session: Session, line: string, ...args: readonly string[]): unknown {
    const reply = this.start(session, line, ...args);
    if (isLater(reply)) throw new Error(`${line} was not answered at once`);
    return plain(reply);
  }

  get #nowMs(): number {
    return this.time.monotonicMs();
  }

  #makePorts(): Ports {
    const { time, clients } = this;
    return {
      system: { ...real, clock: time, timers: time },
      settings: this.settings,
      clients: {
        all: () => clients,
        byId: (id) => clients.find(({ session }) => session.id === id),
        get count() {
          return clients.length;
        },
      },
      traffic: this.traffic,
      contexts: contextCodec(Buffer.alloc(16, 7), real.hashes),
      ring: () => this.ring,
      slotMap: () => this.slotMap,
      keysInSlot: (slot) => this.keysInSlot(slot),
      changes: this.changes,
      refusal: () => this.refusal,
      severalMembers: this.coordinator.quorum().n > 1,
      delegate: (peer, body) => this.delegate(peer, body),
      version: '0.1.0',
      runId: 'a'.repeat(40),
      process: () => processView,
      persistence: () => [['loading', 0]],
      dynamo: () => [['node_id', selfId]],
      expiredKeys: () => 5,
      resetStatistics: () => {
        this.resets += 1;
      },
      shutdown: () => {
        this.shutdowns += 1;
      },
    };
  }
}

function noChange(): never {
  throw new Error('no change of the ring is expected');
}

export function plain(reply: Reply): unknown {
  if (reply instanceof ErrorReply) return `-${reply.text}`;
  if (reply instanceof SimpleString) return `+${reply.text}`;
  if (reply instanceof NullArray) return '*nil';
  if (reply instanceof NoReply) return undefined;
  if (reply instanceof Prepared) return plain(reply.reply);
  if (reply instanceof Verbatim) return reply.text;
  if (reply instanceof SetReply) return reply.items.map(plain);
  if (reply instanceof MapReply) {
    return Object.fromEntries(reply.entries.map(([key, value]) => [String(key), plain(value)]));
  }
  if (Buffer.isBuffer(reply)) return reply.toString('latin1');
  if (Array.isArray(reply)) return reply.map((item: Reply) => plain(item));
  return reply;
}
