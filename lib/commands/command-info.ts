/**
 * COMMAND: the table told to clients. Cluster clients (redis-py, go-redis) find the keys of any
 * request by it, redis-cli makes its hints of it. Everything is derived from the rows and the few
 * facts of `command-facts.ts`; the shapes are Redis 7's.
 */
import { RedisError, syntaxError } from '../base/errors.ts';
import { MapReply, type Reply, SetReply, SimpleString } from '../protocol/reply.ts';
import { isWord } from './arguments.ts';
import type { Call, Command, CommandGroup, KeyPositions } from './command.ts';
import { commandTips, complexities, groupCategories, keyAccess } from './command-facts.ts';
import type { CommandEntry } from './command-index.ts';
import { globMatches } from './glob.ts';
import { helpSubcommand } from './help.ts';
import { parseSyntax, type SyntaxArgument } from './syntax.ts';

/** Ten fields: name, arity, flags, first, last, step, categories, tips, key specs, subcommands. */
function infoOf(entry: CommandEntry): Reply {
  const { row, fullName } = entry;
  const subcommands = entry.subcommands.entries.map(infoOf);
  return [
    fullName,
    row.arity,
    words(row.flags),
    row.keys?.first ?? 0,
    row.keys?.last ?? 0,
    row.keys?.step ?? 0,
    words(categoriesOf(entry).map((category) => `@${category}`)),
    new SetReply(commandTips.get(fullName) ?? []),
    new SetReply(row.keys === undefined ? [] : keySpecs(entry, row.keys)),
    subcommands.length === 0 ? new SetReply([]) : subcommands,
  ];
}

function words(texts: readonly string[]): SetReply {
  return new SetReply(texts.map((text) => new SimpleString(text)));
}

const categoryOfGroup: { readonly [group in CommandGroup]?: string } = {
  string: 'string',
  bitmap: 'bitmap',
  generic: 'keyspace',
  connection: 'connection',
  transactions: 'transaction',
};

/** Redis lists them in this order. */
const categoryOrder = [
  'keyspace',
  'read',
  'write',
  'string',
  'bitmap',
  'admin',
  'fast',
  'slow',
  'blocking',
  'dangerous',
  'connection',
  'transaction',
];

/** Redis' ACL categories: some follow from the flags, one from the group. */
function categoriesOf({ row, fullName }: CommandEntry): readonly string[] {
  const { flags } = row;
  const ofGroup = row.handler === undefined ? undefined : categoryOfGroup[row.group];
  const found = new Set(groupCategories.get(fullName) ?? (ofGroup === undefined ? [] : [ofGroup]));
  if (flags.includes('write')) found.add('write');
  if (flags.includes('readonly')) found.add('read');
  if (flags.includes('admin')) found.add('admin').add('dangerous');
  if (flags.includes('blocking')) found.add('blocking');
  found.add(flags.includes('fast') ? 'fast' : 'slow');
  return categoryOrder.filter((category) => found.has(category));
}

function keySpecs({ row, fullName }: CommandEntry, keys: KeyPositions): readonly Reply[] {
  const usual = row.flags.includes('write') ? ['RW', 'access', 'update'] : ['RO', 'access'];
  const accesses = keyAccess.get(fullName) ?? [usual];
  const toLast = keys.last < 0 ? keys.last : keys.last - keys.first;
  const lastKey = accesses.length > 1 ? 0 : toLast;
  return accesses.map(
    (access, at) =>
      new MapReply([
        ['flags', words(access)],
        ['begin_search', spec('index', [['index', keys.first + at]])],
        [
          'find_keys',
          spec('range', [
            ['lastkey', lastKey],
            ['keystep', keys.step],
            ['limit', 0],
          ]),
        ],
      ]),
  );
}

function spec(type: string, fields: readonly (readonly [string, number])[]): Reply {
  return new MapReply([
    ['type', type],
    ['spec', new MapReply(fields)],
  ]);
}

function docsOf(entry: CommandEntry): Reply {
  const { row, fullName, subcommands } = entry;
  const parts = parseSyntax(row.syntax);
  const entries: (readonly [Reply, Reply])[] = [
    ['summary', row.summary],
    ['since', row.since],
    ['group', row.group],
    ['complexity', complexities.get(fullName) ?? 'O(1)'],
  ];
  if (parts.length > 0) entries.push(['arguments', parts.map(argumentDocs)]);
  if (subcommands.entries.length > 0) {
    const docs = subcommands.entries.map((sub) => [sub.fullName, docsOf(sub)] as const);
    entries.push(['subcommands', new MapReply(docs)]);
  }
  return new MapReply(entries);
}

function argumentDocs(argument: SyntaxArgument): Reply {
  const { name, type, token, optional, multiple, parts } = argument;
  const flags = [...(optional ? ['optional'] : []), ...(multiple ? ['multiple'] : [])];
  const entries: (readonly [Reply, Reply])[] = [
    ['name', name],
    ['type', type],
  ];
  if (type === 'key') entries.push(['key_spec_index', 0]);
  if (token !== undefined) entries.push(['token', token]);
  if (flags.length > 0) entries.push(['flags', words(flags)]);
  if (parts !== undefined) entries.push(['arguments', parts.map(argumentDocs)]);
  return new MapReply(entries);
}

function info({ commands }: Call, args: readonly Buffer[]): Reply {
  if (args.length === 2) return commands.entries.map(infoOf);
  return args.slice(2).map((name) => {
    const entry = commands.named(name.toString());
    return entry === undefined ? null : infoOf(entry);
  });
}

function docs({ commands }: Call, args: readonly Buffer[]): Reply {
  const chosen =
    args.length === 2
      ? commands.entries
      : args.slice(2).flatMap((name) => commands.named(name.toString()) ?? []);
  return new MapReply(chosen.map((entry) => [entry.fullName, docsOf(entry)]));
}

type Chooses = (entry: CommandEntry) => boolean;

function filterOf(kind: Buffer | undefined, value: Buffer): Chooses {
  if (isWord(kind, 'module')) return () => false;
  if (isWord(kind, 'aclcat')) {
    return (entry) => categoriesOf(entry).some((category) => isWord(value, category));
  }
  if (isWord(kind, 'pattern')) {
    return ({ fullName }) => globMatches(value, Buffer.from(fullName), true);
  }
  throw new RedisError(syntaxError);
}

/** Without a filter only whole commands; with one their subcommands too, as in Redis. */
function list({ commands }: Call, args: readonly Buffer[]): Reply {
  const [, , filterBy, kind, value] = args;
  if (filterBy === undefined) return commands.entries.map(({ fullName }) => fullName);
  if (!isWord(filterBy, 'filterby') || value === undefined || args.length !== 5) {
    throw new RedisError(syntaxError);
  }
  return commands.all.filter(filterOf(kind, value)).map(({ fullName }) => fullName);
}

function getKeys({ commands }: Call, args: readonly Buffer[]): Reply {
  const request = args.slice(2);
  const entry = commands.find(request);
  if (entry === undefined) throw new RedisError('ERR Invalid command specified');
  if (entry.row.keys === undefined) {
    throw new RedisError('ERR The command has no key arguments');
  }
  if (!entry.accepts(request.length)) {
    throw new RedisError('ERR Invalid number of arguments specified for command');
  }
  return entry.keysOf(request);
}

const common = { flags: ['loading', 'stale'], group: 'server' } as const;

const subcommands: readonly Command[] = [
  {
    ...common,
    name: 'count',
    arity: 2,
    since: '2.8.13',
    summary: 'Get total number of commands',
    syntax: '',
    handler: ({ commands }) => commands.entries.length,
  },
  {
    ...common,
    name: 'info',
    arity: -2,
    since: '2.8.13',
    summary: 'Get array of specific command details, or all when no argument is given',
    syntax: '[command-name [command-name ...]]',
    handler: info,
  },
  {
    ...common,
    name: 'docs',
    arity: -2,
    since: '7.0.0',
    summary: 'Get array of specific command documentation',
    syntax: '[command-name [command-name ...]]',
    handler: docs,
  },
  {
    ...common,
    name: 'list',
    arity: -2,
    since: '7.0.0',
    summary: 'Get an array of command names',
    syntax: '[FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]',
    handler: list,
  },
  {
    ...common,
    name: 'getkeys',
    arity: -4,
    since: '2.8.13',
    summary: 'Extract keys given a full command',
    syntax: 'command [arg [arg ...]]',
    handler: getKeys,
  },
  helpSubcommand('server', '5.0.0'),
];

export const commandCommands: readonly Command[] = [
  {
    ...common,
    name: 'command',
    arity: -1,
    since: '2.8.13',
    summary: 'Get array of command details',
    syntax: '',
    subcommands,
    handler: ({ commands }) => commands.entries.map(infoOf),
  },
];
