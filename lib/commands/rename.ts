/**
 * A value under another name: RENAME, MOVE and COPY. The two keys may live on different nodes, so
 * there is no atomic step: the target is written first, and only when that has succeeded is the
 * source deleted, with the context that was read. A crash between leaves the value twice, never not
 * at all; a write to the source in between survives.
 */
import { own } from '../base/bytes.ts';
import { RedisError, StoreError } from '../base/errors.ts';
import { after, Deferred, type Later, outcomeOf } from '../base/later.ts';
import type { VersionVector } from '../causal/record.ts';
import { visible } from '../causal/visible.ts';
import { ok, type Reply } from '../protocol/reply.ts';
import type { Update, Visible } from '../updates/update.ts';
import { removeCovered, update } from './access.ts';
import { argument, databaseIndex, Options } from './arguments.ts';
import type { Call, Command, Handler } from './command.ts';
import { notInCluster } from './errors.ts';
import { firstArgument, firstTwoArguments } from './key-positions.ts';
import { isCluster } from './ports.ts';
import type { Place } from './tracking.ts';

const copyNotInCluster = 'ERR Copying to another database is not allowed in cluster mode';
const sameObject = 'ERR source and destination objects are the same';

interface Source {
  readonly place: Place;
  readonly shown: Visible;
  /** The context to delete it with. */
  readonly seen: VersionVector;
}

/** What a reader sees of the source; undefined: nothing. Keeps no borrowed bytes. */
function readSource(call: Call, key: Buffer): Later<Source | undefined> {
  const { session, coordinator, ports } = call;
  const place = { db: session.db, key: own(key) };
  const options = session.r === undefined ? {} : { r: session.r };
  return after(coordinator.readRecord(place.db, place.key, options), (record) => {
    const shown = record && visible(record, ports.system.clock.wallMs());
    return record && shown && { place, shown, seen: record.vv };
  });
}

/** False: the target had to be free, and is not. */
function writeTarget(
  call: Call,
  target: Place,
  { bytes, expireAtMs }: Visible,
  onlyIfFree: boolean,
): Later<boolean> {
  const change: Update = { kind: 'set', bytes, expireAtMs };
  const conditional: Update = onlyIfFree ? { ...change, condition: 'nx' } : change;
  return after(update(call, target.key, conditional, target.db), ({ applied }) => applied);
}

/** Writes the target, then deletes the source; false if nothing was done. */
function transfer(call: Call, source: Source, target: Place, onlyIfFree: boolean): Later<boolean> {
  return after(writeTarget(call, target, source.shown, onlyIfFree), (written) =>
    written ? removeSource(call, source) : false,
  );
}

function removeSource(call: Call, { place, seen }: Source): Later<true> {
  const removed = new Deferred<true>();
  outcomeOf(
    () => removeCovered(call, place, seen),
    () => removed.settle(true),
    (error) => removed.fail(withTargetWritten(error)),
  );
  return removed;
}

/** A refusal is none any more: the target is there */
function withTargetWritten(error: unknown): unknown {
  const isRefusal = error instanceof RedisError || error instanceof StoreError;
  if (!isRefusal || error.message.startsWith('UNCERTAIN')) return error;
  return new RedisError(
    `UNCERTAIN the target was written, the source could not be deleted: ${error.message}`,
  );
}

/** RENAME and RENAMENX, and how each tells whether the name was changed. */
function renameBy(onlyIfFree: boolean, told: (changed: boolean) => Reply): Handler {
  return (call, args) => {
    const target = { db: call.session.db, key: own(argument(args, 2)) };
    return after(readSource(call, argument(args, 1)), (source) => {
      if (source === undefined) throw new RedisError('ERR no such key');
      if (source.place.key.equals(target.key)) return told(false);
      return after(transfer(call, source, target, onlyIfFree), told);
    });
  };
}

const move: Handler = (call, args) => {
  if (isCluster(call.ports)) throw new RedisError(notInCluster('MOVE'));
  const db = databaseIndex(argument(args, 2), call.ports.settings.number('databases'));
  if (db === call.session.db) throw new RedisError(sameObject);
  return after(readSource(call, argument(args, 1)), (source) => {
    if (source === undefined) return 0;
    return after(transfer(call, source, { db, key: source.place.key }, true), oneIfDone);
  });
};

const copy: Handler = (call, args) => {
  const options = new Options(args, 3);
  const databases = call.ports.settings.number('databases');
  let { db } = call.session;
  let replace = false;
  while (!options.done) {
    if (options.take('replace')) replace = true;
    else if (options.take('db')) db = databaseIndex(options.value(), databases);
    else options.refuse();
  }
  if (db > 0 && isCluster(call.ports)) throw new RedisError(copyNotInCluster);
  const target = { db, key: own(argument(args, 2)) };
  if (db === call.session.db && target.key.equals(argument(args, 1))) {
    throw new RedisError(sameObject);
  }
  return after(readSource(call, argument(args, 1)), (source) =>
    source === undefined ? 0 : after(writeTarget(call, target, source.shown, !replace), oneIfDone),
  );
};

function oneIfDone(done: boolean): number {
  return done ? 1 : 0;
}

/** None of these overlaps: what comes behind them may name either key. */
export const renameCommands: readonly Command[] = [
  {
    name: 'rename',
    arity: 3,
    flags: ['write'],
    keys: firstTwoArguments,
    group: 'generic',
    since: '1.0.0',
    summary: 'Rename a key',
    syntax: 'key newkey',
    handler: renameBy(false, () => ok),
  },
  {
    name: 'renamenx',
    arity: 3,
    flags: ['write', 'fast'],
    keys: firstTwoArguments,
    group: 'generic',
    since: '1.0.0',
    summary: 'Rename a key, only if the new key does not exist',
    syntax: 'key newkey',
    handler: renameBy(true, oneIfDone),
  },
  {
    name: 'copy',
    arity: -3,
    flags: ['write', 'denyoom'],
    keys: firstTwoArguments,
    group: 'generic',
    since: '6.2.0',
    summary: 'Copy a key',
    syntax: 'source destination [DB destination-db] [REPLACE]',
    handler: copy,
  },
  {
    name: 'move',
    arity: 3,
    flags: ['write', 'fast'],
    keys: firstArgument,
    group: 'generic',
    since: '1.0.0',
    summary: 'Move a key to another database',
    syntax: 'key db',
    handler: move,
  },
];
