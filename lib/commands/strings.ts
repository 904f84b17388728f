/**
 * Whole values: SET and GET in all their forms. What a write does, and on which condition, is an
 * update of `updates/`, applied where the key lives; a handler parses, asks, and shapes the answer
 * from the state before and after.
 */
import { after } from '../base/later.ts';
import type { UpdateResult } from '../coordinator/coordinator.ts';
import { ok, type Reply } from '../protocol/reply.ts';
import type { Update } from '../updates/update.ts';
import { bytesOrNull, readValue, remove, update } from './access.ts';
import {
  argument,
  type ExpiryForm,
  type ExpiryOption,
  expiryForms,
  expiryInstant,
  isWord,
  Options,
} from './arguments.ts';
import type { Call, Command, Handler } from './command.ts';
import { counterCommands } from './counters.ts';
import type { Way } from './in-flight.ts';
import { firstArgument } from './key-positions.ts';
import { manyValueCommands } from './many-values.ts';
import { substringCommands } from './substrings.ts';

type SetUpdate = Extract<Update, { kind: 'set' }>;

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

const readingOptions = ['nx', 'xx', 'get', 'keepttl'];

/** With an option that asks for the old value it is no plain write. */
function wayOfSet(args: readonly Buffer[]): Way {
  for (let at = 3; at < args.length; at += 1) {
    if (readingOptions.some((word) => isWord(args[at], word))) return 'change';
  }
  return 'overwrite';
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

function wayOfGetex(args: readonly Buffer[]): Way {
  return args.length === 2 ? 'read' : 'change';
}

const always = { nx: false, xx: false, gt: false, lt: false };

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
    way: wayOfSet,
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
    way: 'overwrite',
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
    way: 'overwrite',
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
    way: wayOfGetex,
    handler: getex,
  },
];

export const stringCommands: readonly Command[] = [
  ...valueCommands,
  ...manyValueCommands,
  ...counterCommands,
  ...substringCommands,
];
