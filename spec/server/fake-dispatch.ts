/**
 * A dispatch with few commands, made for connections: answers that come when the spec says so, big
 * answers, answers that close. Beside it the server on a port of its own.
 */
import { after, Deferred, type Later } from '../../lib/base/later.ts';
import type { Dispatch } from '../../lib/commands/dispatch.ts';
import type { Session } from '../../lib/commands/session.ts';
import { Config } from '../../lib/config.ts';
import { ErrorReply, noReply, ok, pong, type Reply } from '../../lib/protocol/reply.ts';
import type { Log, System, Timer } from '../../lib/runtime/ports.ts';
import { realSystem } from '../../lib/runtime/system.ts';
import { ClientRegistry } from '../../lib/server/client-registry.ts';
import { RespServer } from '../../lib/server/resp-server.ts';

type Handler = (session: Session, args: readonly Buffer[]) => Later<Reply>;

export class FakeDispatch implements Dispatch {
  /** Requests as text, in the order in which they started. */
  readonly started: string[] = [];
  readonly #open = new Map<string, Deferred<Reply>>();

  /** LATER and PROMISE overlap, ALONE does not. */
  readonly #handlers: { readonly [name: string]: Handler } = {
    PING: () => pong,
    ECHO: (_, [, text]) => text ?? '',
    SILENCE: () => noReply,
    LATER: (_, [, name]) => this.#later(`${name}`),
    ALONE: (_, [, name]) => this.#later(`${name}`),
    PROMISE: (_, [, name]) => Promise.resolve(`${name}`),
    BYTES: (_, [, count]) => Buffer.alloc(Number(count), 'x'),
    BUSY: () => {
      const until = performance.now() + 3;
      while (performance.now() < until);
      return ok;
    },
    AUTH: (session) => {
      session.authenticated = true;
      return ok;
    },
    HELLO: (session) => {
      session.protocol = 3;
      return null;
    },
    QUIT: (session) => {
      session.closing = true;
      return ok;
    },
    QUITLATER: (session, [, name]) =>
      after(this.#later(`${name}`), (reply) => {
        session.closing = true;
        return reply;
      }),
  };

  overlaps(_session: Session, args: readonly Buffer[]): boolean {
    return !['ALONE', 'QUITLATER'].includes(`${args[0]}`);
  }

  execute(session: Session, args: readonly Buffer[]): Later<Reply> {
    this.started.push(args.join(' '));
    const handler = this.#handlers[`${args[0]}`.toUpperCase()];
    if (handler === undefined) return new ErrorReply(`ERR unknown command '${args[0]}'`);
    return handler(session, args);
  }

  /** Answers a LATER or ALONE that has started. */
  answer(name: string, reply: Reply = name): void {
    const deferred = this.#open.get(name);
    if (deferred === undefined) throw new Error(`${name} has not started`);
    this.#open.delete(name);
    deferred.settle(reply);
  }

  isOpen(name: string): boolean {
    return this.#open.has(name);
  }

  #later(name: string): Deferred<Reply> {
    const deferred = new Deferred<Reply>();
    this.#open.set(name, deferred);
    return deferred;
  }
}

/** Time that passes when told; `soon` is the real one. */
class FakeTime {
  nowMs = 1_000_000;
  readonly #real = realSystem(silentLog([]));
  readonly #every = new Set<() => void>();
  readonly #after = new Set<() => void>();

  system(log: Log): System {
    return {
      ...this.#real,
      log,
      clock: { wallMs: () => this.nowMs, monotonicMs: () => this.nowMs },
      timers: {
        soon: this.#real.timers.soon,
        every: (_, run) => member(this.#every, run),
        after: (_, run) => member(this.#after, run),
      },
    };
  }

  /** Lets every period and every delay be over. */
  pass(ms: number): void {
    this.nowMs += ms;
    for (const run of this.#every) run();
    for (const run of this.#after) run();
  }
}

function member(set: Set<() => void>, run: () => void): Timer {
  set.add(run);
  return { cancel: () => void set.delete(run) };
}

export function silentLog(lines: string[]): Log {
  const write = (message: string, fields?: object) =>
    void lines.push(`${message} ${JSON.stringify(fields ?? {})}`);
  return { debug: write, verbose: write, notice: write, warning: write };
}

export class TestServer {
  readonly dispatch = new FakeDispatch();
  readonly registry = new ClientRegistry();
  readonly settings = new Config();
  readonly log: string[] = [];
  readonly time = new FakeTime();
  readonly server: RespServer;

  constructor(settings: { readonly [name: string]: string } = {}) {
    this.settings.set(Object.entries(settings));
    this.server = new RespServer(
      this.dispatch,
      {
        registry: this.registry,
        settings: this.settings,
        system: this.time.system(silentLog(this.log)),
      },
      { binds: ['127.0.0.1'], port: 0 },
    );
  }

  get port(): number {
    return this.server.port;
  }

  async close(): Promise<void> {
    for (const client of this.registry.all()) client.kill('now');
    await this.server.close();
  }
}
