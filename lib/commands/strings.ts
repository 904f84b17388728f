/**
 * Whole values: SET and GET in all their forms. What a write does, and on which condition, is an
 * update of `updates/`, applied where the key lives; a handler parses, asks, and shapes the answer
 * from the state before and after.
 */
import { RedisError } from '../base/errors.ts';
import { after, type Later } from '../base/later.ts';
import type { UpdateResult } from '../coordinator/coordinator.ts';
import { ok, type Reply } from '../protocol/reply.ts';
import type { Update, Visible } from '../updates/update.ts';
import { lookUp, readValue, remove, update } from './access.ts';
import {
  argument,
  type ExpiryForm,
  type ExpiryOption,
  expiryForms,
  expiryInstant,
  Options,
  ownAll,
} from './arguments.ts';
import type { Call, Command, Handler } from './command.ts';
import { counterCommands } from './counters.ts';
import { largeRequestArguments } from './dispatch.ts';
import { wrongArgumentCount } from './errors.ts';
import { readEach, writeEach } from './fan-out.ts';
import { everyArgument, everySecondArgument, firstArgument } from './key-positions.ts';
import { substringCommands } from './substrings.ts';

type SetUpdate = Extract<Update, { kind: 'set' }>;

export function bytesOrNull(shown: Visible | undefined): Reply {
  return shown === undefined ? null : shown.bytes;
}

function bytesBefore(result: UpdateResult): Reply {
  return bytesOrNull(result.before);
}

function okIfApplied(result: UpdateResult): Reply {
  return result.applied ? ok : null;
}

function oneIfApplied(result: UpdateResult): Reply {
  return result.applied ? 1 : 0;
}

const get: Handler = (call, args) => after(readValue(call, argument(args, 1)), bytesOrNull);

const set: Handler = (call, args) => {
  const key = argument(args, 1);
  const bytes = argument(args, 2);
  if (args.length === 3) {
    return after(update(call, key, { kind: 'set', bytes, expireAtMs: 0 }), okIfApplied);
  }
  const change = setUpdate(call, args);
  return after(update(call, key, change), change.readsOld ? bytesBefore : okIfApplied);
};

/** The options of SET, in any order; one form of expiry, which may be repeated, as in Redis. */
function setUpdate(call: Call, args: readonly Buffer[]): SetUpdate {
  const options = new Options(args, 3);
  let condition: 'nx' | 'xx' | undefined;
  let expiry: ExpiryOption | 'keep' | undefined;
  let readsOld = false;
  while (!options.done) {
    if (condition !== 'xx' && options.take('nx')) condition = 'nx';
    else if (condition !== 'nx' && options.take('xx')) condition = 'xx';
    else if (options.take('get')) readsOld = true;
    else expiry = nextExpiry(options, expiry, 'keepttl', 'keep');
  }
  return {
    kind: 'set',
    bytes: argument(args, 2),
    expireAtMs: expiry === 'keep' ? 'keep' : instantOf(call, expiry, 'set'),
    ...(condition !== undefined && { condition }),
    ...(readsOld && { readsOld }),
  };
}

/** One expiry option, or the word that stands for another way; refuses a second, different one. */
function nextExpiry<T extends string>(
  options: Options,
  earlier: ExpiryOption | T | undefined,
  word: string,
  meaning: T,
): ExpiryOption | T {
  const found = options.take(word) ? meaning : options.expiry();
  if (found === undefined || (earlier !== undefined && formOf(earlier) !== formOf(found))) {
    return options.refuse();
  }
  return found;
}

function formOf(expiry: ExpiryOption | string): ExpiryForm | string {
  return typeof expiry === 'string' ? expiry : expiry.form;
}

function instantOf(call: Call, expiry: ExpiryOption | undefined, command: string): number {
  if (expiry === undefined) return 0;
  return expiryInstant(expiry, call.ports.system.clock.wallMs(), command);
}

const setnx: Handler = (call, args) =>
  after(
    update(call, argument(args, 1), {
      kind: 'set',
      bytes: argument(args, 2),
      expireAtMs: 0,
      condition: 'nx',
    }),
    oneIfApplied,
  );

/** SETEX and PSETEX. */
function setWithExpiry(form: ExpiryForm, command: string): Handler {
  return (call, args) => {
    const expireAtMs = instantOf(call, { form, text: argument(args, 2) }, command);
    const change: Update = { kind: 'set', bytes: argument(args, 3), expireAtMs };
    return after(update(call, argument(args, 1), change), okIfApplied);
  };
}

const getset: Handler = (call, args) =>
  after(
    update(call, argument(args, 1), {
      kind: 'set',
      bytes: argument(args, 2),
      expireAtMs: 0,
      readsOld: true,
    }),
    bytesBefore,
  );

const getdel: Handler = (call, args) => after(remove(call, argument(args, 1)), bytesOrNull);

const getex: Handler = (call, args) => {
  const key = argument(args, 1);
  const options = new Options(args, 2);
  let expiry: ExpiryOption | 'persist' | undefined;
  while (!options.done) expiry = nextExpiry(options, expiry, 'persist', 'persist');
  if (expiry === undefined) return after(readValue(call, key), bytesOrNull);
  const change: Update =
    expiry === 'persist'
      ? { kind: 'persist' }
      : { kind: 'expire', expireAtMs: instantOf(call, expiry, 'getex'), condition: always };
  return after(update(call, key, change), bytesBefore);
};

const always = { nx: false, xx: false, gt: false, lt: false };

const mget: Handler = (call, args) =>
  readEach(call, args.slice(1), (key) => after(readValue(call, key), bytesOrNull));

/** The pairs of MSET and MSETNX. */
function pairsOf(args: readonly Buffer[], command: string): { keys: Buffer[]; values: Buffer[] } {
  if (args.length % 2 === 0) throw new RedisError(wrongArgumentCount(command));
  const keys: Buffer[] = [];
  const values: Buffer[] = [];
  for (let at = 1; at < args.length; at += 2) {
    keys.push(argument(args, at));
    values.push(argument(args, at + 1));
  }
  return { keys, values };
}

function setEach(call: Call, keys: readonly Buffer[], values: readonly Buffer[]): Later<unknown> {
  return writeEach(call, keys, (key, index) =>
    update(call, key, { kind: 'set', bytes: argument(values, index), expireAtMs: 0 }),
  );
}

const mset: Handler = (call, args) => {
  const { keys, values } = pairsOf(args, 'mset');
  return after(setEach(call, keys, values), () => ok);
};

/**
 * Looks and writes while nobody else touches the keys, which are free again before the disk is;
 * those of a large request only then, because it begins its writes one slice after another.
 */
const msetnx: Handler = (call, args) => {
  const { keys, values } = pairsOf(ownAll(args), 'msetnx');
  const started = call.coordinator.exclusive(call.session.db, keys, (inside) => {
    const within = { ...call, coordinator: inside };
    return after(
      readEach(within, keys, (key) => lookUp(within, key)),
      (found) => {
        const free = found.every((shown) => shown === undefined);
        const outcome = { free, done: free ? setEach(within, keys, values) : undefined };
        return args.length > largeRequestArguments ? after(outcome.done, () => outcome) : outcome;
      },
    );
  });
  return after(started, ({ free, done }) => after(done, () => (free ? 1 : 0)));
};

const onKey = { group: 'string', keys: firstArgument, overlaps: true } as const;
const fastRead = ['readonly', 'fast'] as const;
const write = ['write', 'denyoom'] as const;
const fastWrite = ['write', 'denyoom', 'fast'] as const;

const valueCommands: readonly Command[] = [
  {
    ...onKey,
    name: 'get',
    arity: 2,
    flags: fastRead,
    since: '1.0.0',
    summary: 'Get the value of a key',
    syntax: 'key',
    handler: get,
  },
  {
    ...onKey,
    name: 'set',
    arity: -3,
    flags: write,
    since: '1.0.0',
    summary: 'Set the string value of a key',
    syntax:
      'key value [NX | XX] [GET] [EX seconds | PX milliseconds | EXAT unix-time-seconds | ' +
      'PXAT unix-time-milliseconds | KEEPTTL]',
    handler: set,
  },
  {
    ...onKey,
    name: 'setnx',
    arity: 3,
    flags: fastWrite,
    since: '1.0.0',
    summary: 'Set the value of a key, only if the key does not exist',
    syntax: 'key value',
    handler: setnx,
  },
  {
    ...onKey,
    name: 'setex',
    arity: 4,
    flags: write,
    since: '2.0.0',
    summary: 'Set the value and expiration of a key',
    syntax: 'key seconds value',
    handler: setWithExpiry(expiryForms.ex, 'setex'),
  },
  {
    ...onKey,
    name: 'psetex',
    arity: 4,
    flags: write,
    since: '2.6.0',
    summary: 'Set the value and expiration in milliseconds of a key',
    syntax: 'key milliseconds value',
    handler: setWithExpiry(expiryForms.px, 'psetex'),
  },
  {
    ...onKey,
    name: 'getset',
    arity: 3,
    flags: fastWrite,
    since: '1.0.0',
    summary: 'Set the string value of a key and return its old value',
    syntax: 'key value',
    handler: getset,
  },
  {
    ...onKey,
    name: 'getdel',
    arity: 2,
    flags: ['write', 'fast'],
    since: '6.2.0',
    summary: 'Get the value of a key and delete the key',
    syntax: 'key',
    handler: getdel,
  },
  {
    ...onKey,
    name: 'getex',
    arity: -2,
    flags: ['write', 'fast'],
    since: '6.2.0',
    summary: 'Get the value of a key and optionally set its expiration',
    syntax:
      'key [EX seconds | PX milliseconds | EXAT unix-time-seconds | ' +
      'PXAT unix-time-milliseconds | PERSIST]',
    handler: getex,
  },
  {
    ...onKey,
    name: 'mget',
    arity: -2,
    flags: fastRead,
    keys: everyArgument,
    since: '1.0.0',
    summary: 'Get the values of all the given keys',
    syntax: 'key [key ...]',
    handler: mget,
  },
  {
    ...onKey,
    name: 'mset',
    arity: -3,
    flags: write,
    keys: everySecondArgument,
    since: '1.0.1',
    summary: 'Set multiple keys to multiple values',
    syntax: 'key value [key value ...]',
    handler: mset,
  },
  {
    name: 'msetnx',
    arity: -3,
    flags: write,
    keys: everySecondArgument,
    group: 'string',
    since: '1.0.1',
    summary: 'Set multiple keys to multiple values, only if none of the keys exist',
    syntax: 'key value [key value ...]',
    handler: msetnx,
  },
];

export const stringCommands: readonly Command[] = [
  ...valueCommands,
  ...counterCommands,
  ...substringCommands,
];
