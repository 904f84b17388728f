/** Keys as such: DEL, EXISTS and their like, one operation for each key named. */
import { after } from '../base/later.ts';
import { SimpleString } from '../protocol/reply.ts';
import type { Visible } from '../updates/update.ts';
import { lookUp, remove } from './access.ts';
import { argument } from './arguments.ts';
import type { Command, Handler } from './command.ts';
import { expiryCommands } from './expiry.ts';
import { readEach, writeEach } from './fan-out.ts';
import { inspectionCommands } from './inspection.ts';
import { everyArgument, firstArgument } from './key-positions.ts';
import { renameCommands } from './rename.ts';
import { scanCommands } from './scan.ts';

const stringType = new SimpleString('string');
const noType = new SimpleString('none');

function countShown(shown: readonly (Visible | undefined)[]): number {
  return shown.reduce((count, one) => (one === undefined ? count : count + 1), 0);
}

/** DEL and UNLINK: how many there were. */
const del: Handler = (call, args) => {
  if (args.length === 2) return after(remove(call, argument(args, 1)), oneIfShown);
  return after(
    writeEach(call, args.slice(1), (key) => remove(call, key)),
    countShown,
  );
};

/** EXISTS and TOUCH: how many there are; a key named twice counts twice. */
const exists: Handler = (call, args) => {
  if (args.length === 2) return after(lookUp(call, argument(args, 1)), oneIfShown);
  return after(
    readEach(call, args.slice(1), (key) => lookUp(call, key)),
    countShown,
  );
};

function oneIfShown(shown: Visible | undefined): number {
  return shown === undefined ? 0 : 1;
}

const type: Handler = (call, args) =>
  after(lookUp(call, argument(args, 1)), (shown) => (shown === undefined ? noType : stringType));

const onKeys = { group: 'generic', arity: -2, keys: everyArgument, overlaps: true } as const;

const wholeKeyCommands: readonly Command[] = [
  {
    ...onKeys,
    name: 'del',
    flags: ['write'],
    since: '1.0.0',
    summary: 'Delete a key',
    syntax: 'key [key ...]',
    handler: del,
  },
  {
    ...onKeys,
    name: 'unlink',
    flags: ['write', 'fast'],
    since: '4.0.0',
    summary: 'Delete a key, just as DEL does',
    syntax: 'key [key ...]',
    handler: del,
  },
  {
    ...onKeys,
    name: 'exists',
    flags: ['readonly', 'fast'],
    since: '1.0.0',
    summary: 'Determine if a key exists',
    syntax: 'key [key ...]',
    handler: exists,
  },
  {
    ...onKeys,
    name: 'touch',
    flags: ['readonly', 'fast'],
    since: '3.2.1',
    summary: 'Count the given keys that exist, just as EXISTS does',
    syntax: 'key [key ...]',
    handler: exists,
  },
  {
    name: 'type',
    arity: 2,
    flags: ['readonly', 'fast'],
    keys: firstArgument,
    group: 'generic',
    since: '1.0.0',
    summary: 'Determine the type stored at key',
    syntax: 'key',
    overlaps: true,
    handler: type,
  },
];

export const keyCommands: readonly Command[] = [
  ...wholeKeyCommands,
  ...expiryCommands,
  ...renameCommands,
  ...scanCommands,
  ...inspectionCommands,
];
