/**
 * A machine of the simulated ring: a disk that survives, clocks that are never quite right, and the
 * processes that run on it one after the other, each the real node (`createNode`). A process can be
 * killed with or without the machine's power, stopped, or paused: then whatever should happen in it
 * waits until it is resumed.
 */
import { Deferred, isLater } from '../../lib/base/later.ts';
import type { Client } from '../../lib/commands/ports.ts';
import { Session } from '../../lib/commands/session.ts';
import { Config } from '../../lib/config.ts';
import { createNode, type Node } from '../../lib/node.ts';
import type { Reply } from '../../lib/protocol/reply.ts';
import type { Clock, Log, System } from '../../lib/runtime/ports.ts';
import { realSystem } from '../../lib/runtime/system.ts';
import type { Transport } from '../../lib/transport/transport.ts';
import { processView } from '../support/fake-ports.ts';
import { SimStorage } from './sim-storage.ts';
import { silentLog, type VirtualTime } from './virtual-time.ts';

const { hashes } = realSystem(silentLog);

const idle = { fd: -1, queryBytes: 0, outputBytes: 0, pendingReplies: 0 };

export type MachineState = 'down' | 'starting' | 'up' | 'stopping';

export interface MachineOptions {
  readonly host: string;
  /** Read at each start. */
  directives(): Readonly<Record<string, string>>;
  /** Of the wall clock at the start. */
  readonly offsetMs: number;
  /** Of both clocks, up to 1e-4. */
  readonly drift: number;
  /** The peer links of a new process. */
  transport(system: System, clusterName: string): Transport;
  log(text: string): void;
}

export class SimMachine {
  readonly host: string;
  readonly disk: SimStorage;
  state: MachineState = 'down';
  offsetMs: number;
  /** Why the last process did not come up. */
  startError: unknown;
  /** Ended processes so far; what belonged to an earlier one is void. */
  lives = 0;
  readonly #time: VirtualTime;
  readonly #options: MachineOptions;
  readonly #speed: number;
  #node: Node | undefined;
  #paused = false;
  #waiting: (() => void)[] = [];
  #sessions = 0;
  /** Connections of the process that runs. */
  readonly #clients = new Map<number, Client>();

  constructor(time: VirtualTime, options: MachineOptions) {
    this.#time = time;
    this.#options = options;
    this.host = options.host;
    this.offsetMs = options.offsetMs;
    this.#speed = 1 + options.drift;
    const timers = time.timersOf({ enter: (run) => this.#enter(run) });
    this.disk = new SimStorage(timers, time.stream(`disk ${this.host}`));
  }

  get isUp(): boolean {
    return this.state === 'up';
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** Settles when the process serves clients, or has given up; never if it is killed first. */
  async start(): Promise<void> {
    if (this.state !== 'down') throw new Error(`${this.host} is ${this.state}`);
    this.state = 'starting';
    this.startError = undefined;
    const life = this.lives;
    const config = new Config();
    for (const [name, value] of Object.entries(this.#options.directives())) {
      config.give(name, value.split(' '));
    }
    const system = this.#system(life);
    try {
      const node = await createNode(config, {
        system,
        storage: this.disk,
        transport: this.#options.transport(system, config.text('cluster-name')),
        ...this.#doorsToClients(),
      });
      if (life !== this.lives) return;
      this.#node = node;
      this.state = 'up';
      this.#options.log('up');
    } catch (error) {
      if (life !== this.lives) return;
      this.startError = error;
      this.#options.log(`did not start: ${error}`);
      this.#end('process');
    }
  }

  /** The process dies, or with `power` the machine: what was not synced may be gone. */
  crash(kind: 'process' | 'power'): void {
    if (this.state === 'down') {
      if (kind === 'power') this.disk.crash('power');
      return;
    }
    this.#end(kind);
  }

  /** As SIGTERM. */
  async stop(): Promise<void> {
    const life = this.lives;
    this.state = 'stopping';
    await this.running.stop();
    if (life === this.lives) this.#end('process');
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#time.runFirst(this.#waiting.splice(0).map((run) => () => this.#enter(run)));
  }

  get running(): Node {
    if (this.#node === undefined) throw new Error(`${this.host} is down`);
    return this.#node;
  }

  session(): Session {
    this.#sessions += 1;
    const session = new Session(this.#sessions, 'sim', this.host, this.#time.nowMs);
    session.authenticated = true;
    this.#clients.set(session.id, { session, use: () => idle, kill: () => {} });
    return session;
  }

  /** One request as the server hands it over: the bytes are borrowed for the turn. */
  begin(session: Session, args: readonly Buffer[]): Deferred<Reply> {
    const answer = new Deferred<Reply>();
    const reply = this.running.dispatch.execute(session, args);
    if (!isLater(reply)) answer.settle(reply);
    else {
      reply.then(
        (value) => answer.settle(value),
        (error: unknown) => answer.fail(error),
      );
    }
    return answer;
  }

  /** From the outside: a paused process finds it when it runs again. */
  deliver(run: () => void): void {
    this.#enter(run);
  }

  #enter(run: () => void): void {
    if (this.#paused) this.#waiting.push(run);
    else run();
  }

  #end(kind: 'process' | 'power'): void {
    this.lives += 1;
    this.disk.crash(kind);
    this.#node = undefined;
    this.#clients.clear();
    this.state = 'down';
    this.#paused = false;
    this.#waiting = [];
  }

  /** Towards clients: those of the simulator speak to the dispatcher itself. */
  #doorsToClients() {
    const clients = this.#clients;
    return {
      clients: {
        all: () => [...clients.values()],
        byId: (id: number) => clients.get(id),
        get count() {
          return clients.size;
        },
      },
      traffic: {
        connectionsReceived: 0,
        connectionsRejected: 0,
        bytesRead: 0,
        bytesWritten: 0,
        outputLimitDisconnections: 0,
        queryLimitDisconnections: 0,
      },
      version: '0.0.0',
      process: () => processView,
      shutdown: () => {},
      restart: () => Promise.reject(new Error('a simulated process does not start itself anew')),
    };
  }

  #system(life: number): System {
    const clock: Clock = {
      wallMs: () => Math.floor(this.#time.wallMs + this.#driftedMs + this.offsetMs),
      monotonicMs: () => this.#time.nowMs + this.#driftedMs,
    };
    const timers = this.#time.timersOf({
      speed: this.#speed,
      enter: (run) => {
        if (life === this.lives) this.#enter(run);
      },
    });
    const random = this.#time.stream(`process ${this.host} ${life}`);
    return { clock, timers, random, log: this.#log(life), hashes };
  }

  get #driftedMs(): number {
    return this.#time.nowMs * (this.#speed - 1);
  }

  #log(life: number): Log {
    const write = (message: string, fields?: object): void => {
      if (life !== this.lives) return;
      const more = fields === undefined ? '' : ` ${JSON.stringify(fields)}`;
      this.#options.log(`log: ${message}${more}`);
    };
    return { debug: () => {}, verbose: () => {}, notice: write, warning: write };
  }
}
