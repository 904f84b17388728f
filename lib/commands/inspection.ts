/**
 * OBJECT and MEMORY USAGE: how a value is kept. Tools ask for it, so it is told in Redis' words, as
 * far as they mean something here: a value has no encoding of its own and no access time, so the
 * encoding is what Redis would choose for SET, and the idle time is 0.
 */
import { RedisError, syntaxError } from '../base/errors.ts';
import { after } from '../base/later.ts';
import { recordBytes } from '../causal/record-codec.ts';
import { visible } from '../causal/visible.ts';
import type { Reply } from '../protocol/reply.ts';
import { parseInt64 } from '../updates/integers.ts';
import { lookUp } from './access.ts';
import { argument, clampedInteger, Options } from './arguments.ts';
import type { Command, Handler } from './command.ts';
import { helpSubcommand } from './help.ts';
import { secondArgument } from './key-positions.ts';

/** Longer values are not embedded in their object, in Redis. */
const embeddedBytesMax = 44;
/** Redis shares the objects of small integers, and tells their references as this number. */
const sharedIntegers = 10_000n;
const sharedReferences = 2 ** 31 - 1;
/** Of a stored key beside its bytes: slot, hash, db and length. */
const storedKeyOverheadBytes = 8;

const noFrequency =
  'ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that ' +
  'when switching between policies at runtime LRU and LFU data will take some time to adjust.';

/** A fact of a value that is there; null if there is none. */
function factOf(fact: (bytes: Buffer) => Reply): Handler {
  return (call, args) =>
    after(lookUp(call, argument(args, 2)), (shown) =>
      shown === undefined ? null : fact(shown.bytes),
    );
}

function encoding(bytes: Buffer): Reply {
  if (parseInt64(bytes) !== undefined) return 'int';
  return bytes.length <= embeddedBytesMax ? 'embstr' : 'raw';
}

function references(bytes: Buffer): Reply {
  const value = parseInt64(bytes);
  const shared = value !== undefined && value >= 0n && value < sharedIntegers;
  return shared ? sharedReferences : 1;
}

function frequency(): never {
  throw new RedisError(noFrequency);
}

/** What the record takes in the store, siblings that a reader does not see included. */
const usage: Handler = (call, args) => {
  const { session, coordinator, ports } = call;
  const key = argument(args, 2);
  const options = new Options(args, 3);
  while (!options.done) {
    if (!options.take('samples') || clampedInteger(options.value()) < 0) {
      throw new RedisError(syntaxError);
    }
  }
  const keyBytes = storedKeyOverheadBytes + key.length;
  return after(coordinator.readRecord(session.db, key), (record) => {
    const shown = record && visible(record, ports.system.clock.wallMs());
    return record && shown ? keyBytes + recordBytes(record) : null;
  });
};

const onKey = {
  flags: ['readonly'],
  keys: secondArgument,
  group: 'generic',
  overlaps: true,
} as const;

export const inspectionCommands: readonly Command[] = [
  {
    name: 'object',
    arity: -2,
    flags: [],
    group: 'generic',
    since: '2.2.3',
    summary: 'A container for object introspection commands',
    syntax: '',
    subcommands: [
      {
        ...onKey,
        name: 'encoding',
        arity: 3,
        since: '2.2.3',
        summary: 'Inspect the internal encoding of a Redis object',
        syntax: 'key',
        handler: factOf(encoding),
      },
      {
        ...onKey,
        name: 'freq',
        arity: 3,
        since: '4.0.0',
        summary: 'Get the logarithmic access frequency counter of a Redis object',
        syntax: 'key',
        handler: factOf(frequency),
      },
      {
        ...onKey,
        name: 'idletime',
        arity: 3,
        since: '2.2.3',
        summary: 'Get the time since a Redis object was last accessed',
        syntax: 'key',
        handler: factOf(() => 0),
      },
      {
        ...onKey,
        name: 'refcount',
        arity: 3,
        since: '2.2.3',
        summary: 'Get the number of references to the value of the key',
        syntax: 'key',
        handler: factOf(references),
      },
      helpSubcommand('generic', '6.2.0'),
    ],
  },
  {
    name: 'memory',
    arity: -2,
    flags: [],
    group: 'server',
    since: '4.0.0',
    summary: 'A container for memory diagnostics commands',
    syntax: '',
    subcommands: [
      {
        ...onKey,
        name: 'usage',
        arity: -3,
        group: 'server',
        since: '4.0.0',
        summary: 'Estimate the memory usage of a key',
        syntax: 'key [SAMPLES count]',
        handler: usage,
      },
      helpSubcommand('server', '4.0.0'),
    ],
  },
];
