/**
 * MULTI, EXEC, DISCARD, WATCH, UNWATCH: commands are queued by the dispatcher and run in order as
 * one batch, while no other client touches the slots of their keys (DESIGN 2.3). WATCH remembers
 * the version that a read saw; EXEC reads again, inside, and runs nothing if one differs.
 *
 * The writes of a batch are started in one go, so that they share a commit: a command waits for
 * those before it only where it would on a connection of its own.
 *
 * Slots don't depend on the db, so holding all keys under the db of the connection also holds those
 * that were watched in another.
 */
import { mapKey, own } from '../base/bytes.ts';
import { RedisError } from '../base/errors.ts';
import { after, Deferred, isLater, type Later } from '../base/later.ts';
import type { Record } from '../causal/record.ts';
import { liveSiblings, visible } from '../causal/visible.ts';
import { ErrorReply, NoReply, nullArray, ok, type Reply } from '../protocol/reply.ts';
import type { Timers } from '../runtime/ports.ts';
import type { Call, Command } from './command.ts';
import { abortedByErrors } from './errors.ts';
import { readEach } from './fan-out.ts';
import type { QueuedCommand, Session, Watched } from './session.ts';

/** Keys that one connection may watch at a time. */
export const watchedKeysMax = 10_000;

/** Commands of one EXEC that are started in one go; then clients are heard who need no key. */
const commandsPerSlice = 1000;

function multi({ session }: Call): Reply {
  if (session.queue !== undefined) throw new RedisError('ERR MULTI calls can not be nested');
  session.queue = [];
  return ok;
}

function discard({ session }: Call): Reply {
  if (session.queue === undefined) throw new RedisError('ERR DISCARD without MULTI');
  leaveTransaction(session);
  return ok;
}

/** Forgets the queue and what is watched. */
export function leaveTransaction(session: Session): void {
  session.queue = undefined;
  session.queueFailed = false;
  session.queuedBytes = 0;
  session.watched.clear();
}

function watch(call: Call, args: readonly Buffer[]): Later<Reply> {
  const { session } = call;
  const { db } = session;
  if (session.queue !== undefined) throw new RedisError('ERR WATCH inside MULTI is not allowed');
  const keys = args.slice(1).filter((key) => !session.watched.has(placeOf(db, key)));
  if (keys.length === 0) return ok;
  if (session.watched.size + keys.length > watchedKeysMax) {
    throw new RedisError(`ERR a connection may watch ${watchedKeysMax} keys: UNWATCH forgets them`);
  }
  const owned = keys.map(own);
  return after(
    readEach(call, owned, (key) => versionNow(call, db, key)),
    (versions) => {
      for (const [index, key] of owned.entries()) {
        session.watched.set(placeOf(db, key), { db, key, version: versions[index] ?? '' });
      }
      return ok;
    },
  );
}

function unwatch({ session }: Call): Reply {
  session.watched.clear();
  return ok;
}

function placeOf(db: number, key: Buffer): string {
  return `${db}:${mapKey(key)}`;
}

function versionNow(call: Call, db: number, key: Buffer): Later<string> {
  return after(call.coordinator.readRecord(db, key), (record) =>
    record === undefined ? '' : versionText(record, call.ports.system.clock.wallMs()),
  );
}

const nothingLives = 'nothing ';

/** What a deleted record has seen is forgotten one day, behind everybody's back: no change. */
function differ(before: string, now: string | undefined): boolean {
  return before !== now && !(now === nothingLives && before.startsWith(nothingLives));
}

/** Equal only for equal states of a key; a value that expires changes it. */
function versionText(record: Record, nowMs: number): string {
  const seen = record.vv.map(({ actor, stamp }) => `${actor}:${stamp}`);
  if (liveSiblings(record, nowMs).length === 0) return nothingLives + seen;
  const held = record.siblings.map(({ dot }) => `${dot.actor}:${dot.stamp}`);
  return `${seen} ${held} ${visible(record, nowMs) !== undefined}`;
}

function exec(call: Call): Later<Reply> {
  const { session } = call;
  const { queue, queueFailed } = session;
  if (queue === undefined) throw new RedisError('ERR EXEC without MULTI');
  const watched = [...session.watched.values()];
  leaveTransaction(session);
  if (queueFailed) throw new RedisError(abortedByErrors);
  const keys = [
    ...watched.map(({ key }) => key),
    ...queue.flatMap(({ entry, args }) => entry.keysOf(args)),
  ];
  if (keys.length === 0) return after(start({ ...call, batched: true }, queue), answerOf);
  const started = call.coordinator.exclusive(session.db, keys, (inside) => {
    const batch = { ...call, coordinator: inside, batched: true };
    return after(changed(batch, watched), (differs) => (differs ? undefined : start(batch, queue)));
  });
  return after(started, (replies) => (replies === undefined ? nullArray : answerOf(replies)));
}

function changed(call: Call, watched: readonly Watched[]): Later<boolean> {
  if (watched.length === 0) return false;
  const keys = watched.map(({ key }) => key);
  const versions = readEach(call, keys, (key, index) =>
    versionNow(call, watched[index]?.db ?? 0, key),
  );
  return after(versions, (now) =>
    watched.some(({ version }, index) => differ(version, now[index])),
  );
}

/**
 * Starts everything; what only waits for the disk is handed on, so that others need not wait for
 * it.
 */
async function start(call: Call, queue: readonly QueuedCommand[]): Promise<Later<Reply>[]> {
  const { timers } = call.ports.system;
  const replies: Later<Reply>[] = [];
  let open: PromiseLike<Reply>[] = [];
  for (const { entry, args } of queue) {
    if (replies.length > 0 && replies.length % commandsPerSlice === 0) await soon(timers);
    const overlaps = entry.overlaps(args);
    if (!overlaps && open.length > 0) {
      await Promise.all(open);
      open = [];
    }
    const reply = entry.run(call, args);
    if (overlaps && isLater(reply)) open.push(reply);
    replies.push(overlaps ? reply : await reply);
  }
  return replies;
}

/** When others have had their turn. */
function soon(timers: Timers): Deferred<void> {
  const turn = new Deferred<void>();
  timers.soon(() => turn.settle());
  return turn;
}

async function answerOf(replies: readonly Later<Reply>[]): Promise<Reply> {
  const answers = await Promise.all(replies);
  return uncertainAmong(answers) ?? answers.map((reply) => (reply instanceof NoReply ? ok : reply));
}

/** A write whose outcome is unknown makes that of the whole batch unknown (DESIGN 2.5). */
function uncertainAmong(answers: readonly Reply[]): ErrorReply | undefined {
  return answers.find(
    (reply): reply is ErrorReply =>
      reply instanceof ErrorReply && reply.text.startsWith('UNCERTAIN '),
  );
}

export const transactionCommands: readonly Command[] = [
  {
    name: 'multi',
    arity: 1,
    flags: ['noscript', 'loading', 'stale', 'fast', 'allow_busy'],
    group: 'transactions',
    since: '1.2.0',
    summary: 'Mark the start of a transaction block',
    syntax: '',
    handler: multi,
  },
  {
    name: 'exec',
    arity: 1,
    flags: ['noscript', 'loading', 'stale', 'skip_slowlog'],
    group: 'transactions',
    since: '1.2.0',
    summary: 'Execute all commands issued after MULTI',
    syntax: '',
    handler: exec,
  },
  {
    name: 'discard',
    arity: 1,
    flags: ['noscript', 'loading', 'stale', 'fast', 'allow_busy'],
    group: 'transactions',
    since: '2.0.0',
    summary: 'Discard all commands issued after MULTI',
    syntax: '',
    handler: discard,
  },
  {
    name: 'watch',
    arity: -2,
    flags: ['noscript', 'loading', 'stale', 'fast', 'allow_busy'],
    keys: { first: 1, last: -1, step: 1 },
    group: 'transactions',
    since: '2.2.0',
    summary: 'Watch the given keys to determine execution of the MULTI/EXEC block',
    syntax: 'key [key ...]',
    handler: watch,
  },
  {
    name: 'unwatch',
    arity: 1,
    flags: ['noscript', 'loading', 'stale', 'fast', 'allow_busy'],
    group: 'transactions',
    since: '2.2.0',
    summary: 'Forget about all watched keys',
    syntax: '',
    handler: unwatch,
  },
];
