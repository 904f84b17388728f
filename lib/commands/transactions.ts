/**
 * MULTI, EXEC, DISCARD, WATCH, UNWATCH: commands are queued by the dispatcher and run in order as
 * one batch, while no other client touches the slots of their keys (DESIGN 2.3). WATCH remembers
 * the version that a read saw; EXEC reads again, inside, and runs nothing if one differs.
 *
 * The writes of a batch are started in one go, so that they share a commit: a command waits for
 * those before it only where it would on a connection of its own.
 *
 * Over a ring a batch runs at the first healthy owner of all its keys, which it is sent to. Where
 * that is several nodes, or a command speaks of this node or this connection, it runs here, in
 * order, but others may come in between: to hold slots here while waiting for other nodes, who do
 * the same, would be a deadlock.
 *
 * Slots don't depend on the db, so holding all keys under the db of the connection also holds those
 * that were watched in another.
 */
import { own } from '../base/bytes.ts';
import { RedisError } from '../base/errors.ts';
import { after, Deferred, isLater, type Later } from '../base/later.ts';
import type { Record } from '../causal/record.ts';
import { liveSiblings, visible } from '../causal/visible.ts';
import { ErrorReply, NoReply, nullArray, ok, type Reply } from '../protocol/reply.ts';
import type { Timers } from '../runtime/ports.ts';
import { noteWrite } from './access.ts';
import type { Call, Command } from './command.ts';
import { delegate, mayTravel } from './delegated.ts';
import { abortedByErrors } from './errors.ts';
import { readEach } from './fan-out.ts';
import { KeysInFlight } from './in-flight.ts';
import type { QueuedCommand, Session, Watched } from './session.ts';
import { placeText } from './tracking.ts';

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
  const keys = args.slice(1).filter((key) => !session.watched.has(placeText(db, key)));
  if (keys.length === 0) return ok;
  if (session.watched.size + keys.length > watchedKeysMax) {
    throw new RedisError(`ERR a connection may watch ${watchedKeysMax} keys: UNWATCH forgets them`);
  }
  const owned = keys.map(own);
  return after(
    readEach(call, owned, (key) => versionNow(call, db, key)),
    (versions) => {
      for (const [index, key] of owned.entries()) {
        session.watched.set(placeText(db, key), { db, key, version: versions[index] ?? '' });
      }
      return ok;
    },
  );
}

function unwatch({ session }: Call): Reply {
  session.watched.clear();
  return ok;
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
  const { session, coordinator } = call;
  const { db, queue, queueFailed } = session;
  if (queue === undefined) throw new RedisError('ERR EXEC without MULTI');
  const watched = [...session.watched.values()];
  leaveTransaction(session);
  if (queueFailed) throw new RedisError(abortedByErrors);
  const keys = [
    ...watched.map(({ key }) => key),
    ...queue.flatMap(({ entry, args }) => entry.keysOf(args)),
  ];
  if (keys.length === 0) return answerOf(runBatch(call, watched, queue));
  const place = call.settledHere ? 'here' : coordinator.coordinatorOf(db, keys);
  if (place === 'here') {
    const settled = { ...call, settledHere: true };
    return answerOf(
      coordinator.exclusive(db, keys, (inside) =>
        runBatch({ ...settled, coordinator: inside }, watched, queue),
      ),
    );
  }
  const travels = session.tracking === undefined && queue.every(mayTravel);
  if (place === 'several' || !travels) return answerOf(runBatch(call, watched, queue));
  noteWrites(call, queue);
  return delegate(call, place, { watched, commands: queue.map(({ args }) => args) });
}

function noteWrites(call: Call, queue: readonly QueuedCommand[]): void {
  for (const { entry, args } of queue) {
    if (!entry.writes) continue;
    for (const key of entry.keysOf(args)) noteWrite(call, call.session.db, key);
  }
}

/** Starts everything, unless something watched has changed (undefined). */
function runBatch(
  call: Call,
  watched: readonly Watched[],
  queue: readonly QueuedCommand[],
): Later<Later<Reply>[] | undefined> {
  const batch = { ...call, batched: true };
  return after(changed(batch, watched), (differs) => (differs ? undefined : start(batch, queue)));
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
 * What only waits for the disk is handed on, so that others need not wait for it. A command waits
 * for those before it where it would on a connection of its own.
 */
async function start(call: Call, queue: readonly QueuedCommand[]): Promise<Later<Reply>[]> {
  const { timers } = call.ports.system;
  const inFlight = call.ports.severalMembers ? new KeysInFlight() : undefined;
  const replies: Later<Reply>[] = [];
  let open: PromiseLike<Reply>[] = [];
  for (const { entry, args } of queue) {
    if (replies.length > 0 && replies.length % commandsPerSlice === 0) await soon(timers);
    const overlaps = entry.overlaps(args);
    const mayStart = overlaps && inFlight?.admits(entry.wayOf(args), entry.keysOf(args)) !== false;
    if (!mayStart && open.length > 0) {
      await Promise.all(open);
      open = [];
      inFlight?.clear();
    }
    const reply = entry.run(call, args);
    if (overlaps && isLater(reply)) {
      open.push(reply);
      inFlight?.add(entry.wayOf(args), entry.keysOf(args));
    }
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

async function answerOf(batch: Later<Later<Reply>[] | undefined>): Promise<Reply> {
  const replies = await batch;
  if (replies === undefined) return nullArray;
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
