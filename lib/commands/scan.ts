/**
 * Whole databases: walking their keys, counting and emptying them. SCAN keeps no state here: its
 * cursor is a place in the order of the stored keys (DESIGN 3.5), so a key that is there throughout
 * is never skipped. KEYS walks by the same pages and lets other clients in between them.
 */
import { own } from '../base/bytes.ts';
import { RedisError } from '../base/errors.ts';
import { after, Deferred, type Later } from '../base/later.ts';
import { ok, type Reply } from '../protocol/reply.ts';
import { slotCount } from '../ring/slots.ts';
import type { Timers } from '../runtime/ports.ts';
import { argument, clampedInteger, isWord, Options } from './arguments.ts';
import type { Call, Command, Handler } from './command.ts';
import { globMatches } from './glob.ts';

/** One request of a page is one step of work; a client that asks for more comes again. */
const pageKeysMax = 10_000;
const pageKeysDefault = 10;
/** Behind the last place: cursors are slot * 2^32 + hash32. */
const cursorEnd = BigInt(slotCount) * 2n ** 32n;

const everything: Buffer = Buffer.from('*');

const scan: Handler = (call, args) => {
  const cursor = scanCursor(argument(args, 1));
  const options = new Options(args, 2);
  let pattern = everything;
  let count = pageKeysDefault;
  let strings = true;
  while (!options.done) {
    if (options.take('match')) pattern = own(options.value());
    else if (options.take('count')) count = clampedInteger(options.value());
    else if (options.take('type')) strings = isWord(options.value(), 'string');
    else options.refuse();
    if (count < 1) options.refuse();
  }
  if (!strings || cursor >= cursorEnd) return ['0', []];
  const page = call.coordinator.scan(call.session.db, cursor, Math.min(count, pageKeysMax));
  return after(page, ({ cursor: next, keys }) => [next.toString(), matching(keys, pattern)]);
};

/** An unsigned 64-bit integer; no text at all is 0, as in Redis. */
function scanCursor(text: Buffer): bigint {
  const digits = text.toString('latin1');
  const cursor = /^\d{0,20}$/.test(digits) ? BigInt(digits) : 2n ** 64n;
  if (cursor >= 2n ** 64n) throw new RedisError('ERR invalid cursor');
  return cursor;
}

function matching(keys: readonly Buffer[], pattern: Buffer): readonly Buffer[] {
  return pattern.equals(everything) ? keys : keys.filter((key) => globMatches(pattern, key));
}

const keys: Handler = (call, args) => allKeys(call, own(argument(args, 1)));

async function allKeys(call: Call, pattern: Buffer): Promise<Reply> {
  const { db } = call.session;
  const found: Buffer[] = [];
  let cursor = 0n;
  do {
    const page = await call.coordinator.scan(db, cursor, pageKeysMax);
    found.push(...matching(page.keys, pattern));
    cursor = page.cursor;
    if (cursor !== 0n) await turn(call.ports.system.timers);
  } while (cursor !== 0n);
  return found;
}

function turn(timers: Timers): Later<void> {
  const next = new Deferred<void>();
  timers.soon(() => next.settle());
  return next;
}

const randomkey: Handler = (call) =>
  after(call.coordinator.randomKey(call.session.db), (key) => key ?? null);

const dbsize: Handler = (call) =>
  after(call.coordinator.counts(call.session.db), (counts) => counts.keys);

/** ASYNC and SYNC mean the same: a flush is one stamp, whatever the size. */
function flush(call: Call, args: readonly Buffer[], dbs: readonly number[]): Later<Reply> {
  const options = new Options(args, 1);
  if (!options.done && !options.take('async') && !options.take('sync')) options.refuse();
  if (!options.done) options.refuse();
  return after(call.coordinator.flush(dbs), () => ok);
}

const flushdb: Handler = (call, args) => flush(call, args, [call.session.db]);

const flushall: Handler = (call, args) => {
  const databases = call.ports.settings.number('databases');
  return flush(call, args, [...Array(databases).keys()]);
};

export const scanCommands: readonly Command[] = [
  {
    name: 'scan',
    arity: -2,
    flags: ['readonly'],
    group: 'generic',
    since: '2.8.0',
    summary: 'Incrementally iterate the keys space',
    syntax: 'cursor [MATCH pattern] [COUNT count] [TYPE type]',
    handler: scan,
  },
  {
    name: 'keys',
    arity: 2,
    flags: ['readonly'],
    group: 'generic',
    since: '1.0.0',
    summary: 'Find all keys matching the given pattern',
    syntax: 'pattern',
    handler: keys,
  },
  {
    name: 'randomkey',
    arity: 1,
    flags: ['readonly'],
    group: 'generic',
    since: '1.0.0',
    summary: 'Return a random key from the keyspace',
    syntax: '',
    handler: randomkey,
  },
  {
    name: 'dbsize',
    arity: 1,
    flags: ['readonly', 'fast'],
    group: 'server',
    since: '1.0.0',
    summary: 'Return the number of keys in the selected database',
    syntax: '',
    handler: dbsize,
  },
  {
    name: 'flushdb',
    arity: -1,
    flags: ['write'],
    group: 'server',
    since: '1.0.0',
    summary: 'Remove all keys from the current database',
    syntax: '[ASYNC | SYNC]',
    handler: flushdb,
  },
  {
    name: 'flushall',
    arity: -1,
    flags: ['write'],
    group: 'server',
    since: '1.0.0',
    summary: 'Remove all keys from all databases',
    syntax: '[ASYNC | SYNC]',
    handler: flushall,
  },
];
