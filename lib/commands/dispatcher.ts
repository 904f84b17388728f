/**
 * From a request to its command. Each request passes the same gates in the order in which Redis has
 * them: is it known, is the number of arguments right, is the client authenticated, may it run
 * inside MULTI; then it may have to wait for a CLIENT PAUSE, is queued for EXEC, or runs.
 *
 * A command that answers at once costs no promise here: its reply is passed on as it is.
 */
import { after, isLater, type Later } from '../base/later.ts';
import type { Coordinator } from '../coordinator/coordinator.ts';
import { ErrorReply, noReply, queued, type Reply } from '../protocol/reply.ts';
import { ownAll } from './arguments.ts';
import type { Call, Command } from './command.ts';
import { type CommandEntry, CommandIndex } from './command-index.ts';
import { runDelegated } from './delegated.ts';
import { type Dispatch, largeRequestArguments } from './dispatch.ts';
import {
  noAuth,
  notInMulti,
  unknownCommand,
  unknownSubcommand,
  wrongArgumentCount,
} from './errors.ts';
import { KeysInFlight } from './in-flight.ts';
import { Pause } from './pause.ts';
import type { Ports } from './ports.ts';
import { type QueuedCommand, Session } from './session.ts';
import { Statistics } from './statistics.ts';
import { commandTable } from './table.ts';
import { leaveTransaction } from './transactions.ts';

/** These run although a transaction is open. */
const neverQueued = new Set(['multi', 'exec', 'discard', 'watch', 'quit', 'reset']);

/** What the bookkeeping of one queued argument takes beside its bytes, roughly. */
const queuedOverheadBytes = 64;

export class Dispatcher implements Dispatch {
  readonly statistics = new Statistics();
  readonly #coordinator: Coordinator;
  readonly #ports: Ports;
  readonly #commands: CommandIndex;
  readonly #pause: Pause;
  #lastCall: Call | undefined;

  constructor(coordinator: Coordinator, ports: Ports, rows: readonly Command[] = commandTable) {
    this.#coordinator = coordinator;
    this.#ports = ports;
    this.#commands = new CommandIndex(rows, this.statistics);
    this.#pause = new Pause(ports.system.timers);
  }

  overlaps(session: Session, args: readonly Buffer[]): boolean {
    const entry = this.#commands.find(args);
    if (entry === undefined || !entry.overlaps(args)) return false;
    return session.inFlight?.admits(entry.wayOf(args), entry.keysOf(args)) !== false;
  }

  execute(session: Session, args: readonly Buffer[]): Later<Reply> {
    const reply = this.#answer(session, args);
    if (!this.#ports.severalMembers || !isLater(reply)) return reply;
    return this.#inFlight(session, args, reply);
  }

  /**
   * Runs a batch that a peer has sent here (`Ports.delegate`), and answers its encoded reply.
   * Throws a RedisError if it cannot be read.
   */
  runDelegated(body: Buffer): Later<Buffer> {
    const nowMs = this.#ports.system.clock.monotonicMs();
    const session = new Session(0, 'peer', 'peer', nowMs);
    session.authenticated = true;
    return runDelegated({ ...this.#newCall(session), settledHere: true }, body);
  }

  #answer(session: Session, args: readonly Buffer[]): Later<Reply> {
    if (session.replies === 'on') return this.#admit(session, args);
    if (session.replies === 'skip') session.replies = 'skipping';
    return quieted(session, this.#admit(session, args));
  }

  /** Remembers the keys of an unanswered request, for `overlaps`. */
  #inFlight(session: Session, args: readonly Buffer[], reply: PromiseLike<Reply>): Later<Reply> {
    const entry = this.#commands.find(args);
    if (entry === undefined || !entry.overlaps(args)) return reply;
    session.inFlight ??= new KeysInFlight();
    const { inFlight } = session;
    const texts = inFlight.add(entry.wayOf(args), entry.keysOf(args));
    return reply.then((answer) => {
      inFlight.remove(texts);
      return answer;
    });
  }

  #admit(session: Session, args: readonly Buffer[]): Later<Reply> {
    const entry = this.#commands.find(args);
    session.lastCommand = entry?.fullName ?? '';
    const refusal =
      entry === undefined ? this.#unknown(args) : this.#refusalOf(session, entry, args);
    if (refusal !== undefined || entry === undefined) return this.#refuse(session, entry, refusal);
    if (this.#pause.holds(session, mayWrite(session, entry))) {
      const owned = ownAll(args);
      return this.#pause.over.then(() => this.#admit(session, owned));
    }
    if (session.queue !== undefined && !neverQueued.has(entry.fullName)) {
      return this.#enqueue(session, session.queue, { entry, args: ownAll(args) });
    }
    const call = this.#callOf(session);
    return entry.run(call, args.length > largeRequestArguments ? ownAll(args) : args);
  }

  #unknown(args: readonly Buffer[]): string {
    const parent = this.#commands.parent(args[0]);
    return parent === undefined
      ? unknownCommand(args)
      : unknownSubcommand(parent.row.name, args[1]);
  }

  #refusalOf(session: Session, entry: CommandEntry, args: readonly Buffer[]): string | undefined {
    if (!entry.accepts(args.length)) return wrongArgumentCount(entry.fullName);
    if (!session.authenticated && !entry.withoutAuth) return noAuth;
    if (session.queue !== undefined && entry.notInMulti) return notInMulti;
    const refusal = this.#ports.refusal();
    const runsBatch = entry.fullName === 'exec' && session.queue !== undefined;
    const isStale = entry.row.flags.includes('stale') && !runsBatch;
    if (refusal === undefined || isStale) return undefined;
    return refusal.of === 'everything' || mayWrite(session, entry) ? refusal.text : undefined;
  }

  #refuse(session: Session, entry: CommandEntry | undefined, text = ''): ErrorReply {
    const reply = new ErrorReply(entry?.fullName === 'exec' ? aborted(session, text) : text);
    session.lastCommandAtMs = this.#ports.system.clock.monotonicMs();
    session.queueFailed = session.queue !== undefined;
    this.statistics.answeredError(reply);
    if (entry !== undefined) entry.counters.rejected += 1;
    return reply;
  }

  #enqueue(session: Session, queue: QueuedCommand[], command: QueuedCommand): Reply {
    session.lastCommandAtMs = this.#ports.system.clock.monotonicMs();
    queue.push(command);
    for (const argument of command.args) {
      session.queuedBytes += argument.length + queuedOverheadBytes;
    }
    const bytesMax = this.#ports.settings.number('client-query-buffer-limit');
    if (session.queuedBytes <= bytesMax) return queued;
    this.#ports.traffic.queryLimitDisconnections += 1;
    this.#ports.clients.byId(session.id)?.kill('now');
    return noReply;
  }

  /** Requests of one connection come in runs, so the last call is likely the right one. */
  #callOf(session: Session): Call {
    if (this.#lastCall?.session === session) return this.#lastCall;
    this.#lastCall = this.#newCall(session);
    return this.#lastCall;
  }

  #newCall(session: Session): Call {
    return {
      session,
      coordinator: this.#coordinator,
      ports: this.#ports,
      statistics: this.statistics,
      commands: this.#commands,
      pause: this.#pause,
      batched: false,
      settledHere: false,
    };
  }
}

/** An EXEC that is refused ends its transaction all the same. */
function aborted(session: Session, refusal: string): string {
  leaveTransaction(session);
  return `EXECABORT Transaction discarded because of: ${refusal.replace(/^ERR /, '')}`;
}

function mayWrite(session: Session, entry: CommandEntry): boolean {
  if (entry.writes) return true;
  return (
    entry.row.name === 'exec' && session.queue?.some((command) => command.entry.writes) === true
  );
}

/** The reply of a request that began muted: CLIENT REPLY ON and RESET are answered already. */
function quieted(session: Session, reply: Later<Reply>): Later<Reply> {
  if (session.replies === 'on') return reply;
  if (session.replies === 'skipping') session.replies = 'on';
  return after(reply, silence);
}

function silence(): Reply {
  return noReply;
}
