/**
 * The real node (`createNode`) over a simulated disk and virtual time: started, crashed and started
 * again on the same disk, spoken to as a client would.
 */
import { Deferred, isLater, type Later } from '../../lib/base/later.ts';
import { Session } from '../../lib/commands/session.ts';
import { Config } from '../../lib/config.ts';
import { createNode, type Node } from '../../lib/node.ts';
import type { Reply } from '../../lib/protocol/reply.ts';
import type { System } from '../../lib/runtime/ports.ts';
import { realSystem } from '../../lib/runtime/system.ts';
import { PeerTransport } from '../../lib/transport/peer-transport.ts';
import { plain, processView } from '../support/fake-ports.ts';
import { SimNetwork } from './sim-network.ts';
import { SimStorage } from './sim-storage.ts';
import { silentLog, VirtualTime } from './virtual-time.ts';

type Word = string | number | Buffer;

const host = 'n1';
const { hashes } = realSystem(silentLog);

export class SimNode {
  readonly time: VirtualTime;
  readonly disk: SimStorage;
  readonly config = new Config();
  readonly #network: SimNetwork;
  #node: Node | undefined;
  /** Raised by a crash: timers of an earlier life stay silent. */
  #life = 0;
  #sessions = 0;

  constructor(seed: number, directives: Readonly<Record<string, string>> = {}) {
    this.time = new VirtualTime(seed);
    this.#network = new SimNetwork(this.time.timers(), this.time.stream('network'));
    this.disk = new SimStorage(this.time.timers(), this.time.random);
    for (const [name, value] of Object.entries({ 'cache-bytes': '1mb', ...directives })) {
      this.config.give(name, value.split(' '));
    }
  }

  async start(): Promise<this> {
    const life = this.#life;
    const system = { ...this.time.system(() => life === this.#life), hashes };
    const starting = createNode(this.config, {
      system,
      storage: this.disk,
      transport: this.#transport(system),
      clients: { all: () => [], byId: () => undefined, count: 0 },
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
    });
    this.#node = await this.time.run(starting);
    return this;
  }

  /** The process dies, or with `power` the machine; `start` goes on with what the disk kept. */
  crash(kind: 'process' | 'power'): void {
    this.#life += 1;
    this.disk.crash(kind);
    this.#network.crash(host);
    this.#node = undefined;
  }

  async stop(): Promise<void> {
    await this.time.run(this.#running.stop());
    this.#life += 1;
    this.#node = undefined;
  }

  async verified(): Promise<void> {
    await this.time.run(this.#running.verified);
  }

  session(): Session {
    this.#sessions += 1;
    const session = new Session(this.#sessions, 'sim', 'sim', this.time.nowMs);
    session.authenticated = true;
    return session;
  }

  /** Starts a command; its answer comes with time. */
  begin(session: Session, ...words: readonly Word[]): Deferred<unknown> {
    const args = words.map((word) => (Buffer.isBuffer(word) ? word : Buffer.from(String(word))));
    const answer = new Deferred<unknown>();
    const reply = this.execute(session, args);
    if (isLater(reply)) reply.then((value) => answer.settle(plain(value)));
    else answer.settle(plain(reply));
    return answer;
  }

  /** One request as the server hands it over: the bytes are borrowed. */
  execute(session: Session, args: readonly Buffer[]): Later<Reply> {
    return this.#running.dispatch.execute(session, args);
  }

  /** One command on a connection of its own, answered as plain data. */
  run(...words: readonly Word[]): Promise<unknown> {
    return this.time.run(this.begin(this.session(), ...words));
  }

  /** There is nobody to talk to. */
  #transport(system: System): PeerTransport {
    return new PeerTransport(this.#network.sockets(host), system, {
      clusterName: 'sim',
      secret: '',
      binds: [host],
      port: 17_000,
      frameBytesMax: 1024 * 1024,
    });
  }

  get #running(): Node {
    if (this.#node === undefined) throw new Error('the node is down');
    return this.#node;
  }
}
