/**
 * The door for Redis clients: listens, lets connections in or turns them away, wakes those whose
 * replies have become ready, and closes what has outstayed its limits.
 *
 * Replies that become ready in one turn (a batch of writes reaching the disk answers hundreds) only
 * mark their connections; when the turn is over each marked one sends everything in one write.
 */
import type { Socket } from 'node:net';
import type { Dispatch } from '../commands/dispatch.ts';
import type { Settings } from '../commands/ports.ts';
import { Session } from '../commands/session.ts';
import { OutputPages } from '../protocol/resp-writer.ts';
import { listenOnAll } from '../runtime/listening.ts';
import type { System, Timer } from '../runtime/ports.ts';
import { refusal } from './admission.ts';
import type { ClientRegistry } from './client-registry.ts';
import { Connection, type Surroundings } from './connection.ts';
import { ClientLimits, sweepPeriodMs } from './limits.ts';
import { type ClientListener, listenForClients } from './listeners.ts';
import { Turns } from './turns.ts';

export interface RespServerOptions {
  /** As the words of the directive: `*`, `-::*`, `127.0.0.1`. */
  readonly binds: readonly string[];
  /** 0: any free one. */
  readonly port: number;
  /** How long `close` waits for commands in flight. */
  readonly closeMs?: number;
}

export interface RespServerPorts {
  readonly registry: ClientRegistry;
  readonly settings: Settings;
  readonly system: System;
}

const closeMsDefault = 2000;
/** An attacker shall not fill the log (as Redis). */
const attackLogPeriodMs = 60_000;
const attackWarning =
  'Possible SECURITY ATTACK detected. Somebody sends POST or Host: to this port, as a browser or ' +
  'server does that is misused to reach it (cross protocol scripting). Connection aborted.';

export class RespServer {
  readonly #settings: Settings;
  readonly #registry: ClientRegistry;
  readonly #system: System;
  readonly #options: RespServerOptions;
  readonly #around: Surroundings;
  readonly #connections = new Set<Connection>();
  /** Connections with something to do when this turn is over; and the set that took their place. */
  #woken = new Set<Connection>();
  #resting = new Set<Connection>();
  #listeners: readonly ClientListener[] = [];
  #port = 0;
  #sweepTimer: Timer | undefined;
  #attackLoggedAtMs = Number.NEGATIVE_INFINITY;
  #closing: Promise<void> | undefined;
  #lastClosed: (() => void) | undefined;

  constructor(dispatch: Dispatch, ports: RespServerPorts, options: RespServerOptions) {
    this.#settings = ports.settings;
    this.#registry = ports.registry;
    this.#system = ports.system;
    this.#options = options;
    this.#around = {
      dispatch,
      registry: ports.registry,
      system: ports.system,
      limits: new ClientLimits(ports.settings),
      pages: new OutputPages(),
      turns: new Turns(ports.system),
      wake: (connection) => this.#wake(connection),
      closed: (connection) => this.#closed(connection),
      attacked: (session) => this.#attacked(session),
      broken: (error) => ports.system.timers.soon(() => raise(error)),
    };
    ports.settings.onChange('requirepass', () => this.#passwordChanged());
  }

  /** The port that clients reach; known once `listen` has resolved. */
  get port(): number {
    return this.#port;
  }

  /** Rejects with a ListenError that says it all in one line. */
  async listen(): Promise<void> {
    const { binds, port } = this.#options;
    const events = {
      onConnection: (socket: Socket) => this.#welcome(socket),
      onError: ({ message }: Error) => this.#system.log.warning(`cannot accept: ${message}`),
    };
    const bound = await listenOnAll(binds, port, (host, at) => listenForClients(host, at, events));
    this.#listeners = bound.listeners;
    this.#port = bound.port;
    this.#sweepTimer = this.#system.timers.every(sweepPeriodMs, () => this.#sweep());
  }

  /**
   * Takes no new connections, starts no more requests, waits for the replies of those in flight
   * (not for ever), closes. Idempotent.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const listenersGone = this.#listeners.map((listener) => listener.close());
    for (const connection of this.#connections) connection.kill('after-replies');
    if (this.#connections.size > 0) await this.#drain(this.#options.closeMs ?? closeMsDefault);
    for (const connection of this.#connections) connection.kill('now');
    this.#sweepTimer?.cancel();
    await Promise.all(listenersGone);
  }

  /** Until the last connection is closed, or the time is over. */
  #drain(limitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#system.timers.after(limitMs, resolve);
      this.#lastClosed = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  #welcome(socket: Socket): void {
    this.#registry.connectionsReceived += 1;
    const peer = socket.remoteAddress;
    if (peer === undefined) {
      socket.destroy();
      return;
    }
    const text = refusal(this.#settings, this.#registry.count, peer);
    if (text !== undefined) {
      this.#registry.connectionsRejected += 1;
      turnAway(socket, text);
      return;
    }
    const keepAliveMs = this.#settings.number('tcp-keepalive') * 1000;
    if (keepAliveMs > 0) socket.setKeepAlive(true, keepAliveMs);
    const connection = new Connection(this.#around, socket, this.#session(socket));
    this.#connections.add(connection);
    connection.start();
  }

  #session(socket: Socket): Session {
    const session = new Session(
      this.#registry.nextId(),
      endpoint(socket.remoteAddress, socket.remotePort),
      endpoint(socket.localAddress, socket.localPort),
      this.#system.clock.monotonicMs(),
    );
    session.authenticated = this.#settings.text('requirepass') === '';
    return session;
  }

  /** Who is connected stays as he is, but without a password nobody needs one. */
  #passwordChanged(): void {
    if (this.#settings.text('requirepass') !== '') return;
    for (const { session } of this.#connections) session.authenticated = true;
  }

  #closed(connection: Connection): void {
    this.#registry.remove(connection);
    this.#connections.delete(connection);
    this.#woken.delete(connection);
    if (this.#connections.size === 0) this.#lastClosed?.();
  }

  #wake(connection: Connection): void {
    if (this.#woken.size === 0) process.nextTick(() => this.#turn());
    this.#woken.add(connection);
  }

  /** Whoever is woken by what happens here comes next time. */
  #turn(): void {
    const woken = this.#woken;
    this.#woken = this.#resting;
    for (const connection of woken) connection.turn();
    woken.clear();
    this.#resting = woken;
  }

  #sweep(): void {
    const nowMs = this.#system.clock.monotonicMs();
    for (const connection of this.#connections) connection.sweep(nowMs);
  }

  #attacked(session: Session): void {
    const nowMs = this.#system.clock.monotonicMs();
    if (nowMs - this.#attackLoggedAtMs < attackLogPeriodMs) return;
    this.#attackLoggedAtMs = nowMs;
    this.#system.log.warning(attackWarning, { client: session.address });
  }
}

function turnAway(socket: Socket, text: string): void {
  socket.on('error', () => socket.destroy());
  socket.end(`-${text}\r\n`, () => socket.destroy());
}

/** `127.0.0.1:6379`, `[::1]:6379`. */
function endpoint(address: string | undefined, port: number | undefined): string {
  const host = address ?? '?';
  return `${host.includes(':') ? `[${host}]` : host}:${port ?? 0}`;
}

function raise(error: unknown): never {
  throw error;
}
