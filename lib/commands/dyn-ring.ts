/** DYN.RING: the members of the ring, who owns a key, and changes of both. */
import { RedisError, syntaxError } from '../base/errors.ts';
import { after, type Later } from '../base/later.ts';
import type { PlannedChange } from '../membership/ring-changes.ts';
import { MapReply, ok, type Reply } from '../protocol/reply.ts';
import { argument, isWord } from './arguments.ts';
import type { Call, Command, Handler } from './command.ts';
import { helpSubcommand } from './help.ts';
import { secondArgument } from './key-positions.ts';

const status: Handler = ({ ports }) => {
  const { version, transition, members } = ports.ring();
  return new MapReply([
    ['version', version],
    ['transition', transition],
    [
      'members',
      members.map(
        (member) =>
          new MapReply([
            ['id', member.id],
            ['name', member.name],
            ['host', member.host],
            ['port', member.port],
            ['peer-port', member.peerPort],
            ['zone', member.zone],
            ['weight', member.weight],
            ['state', member.state],
            ['partitions', member.partitions],
            ['first', member.first],
            ['pending', member.pending],
          ]),
      ),
    ],
  ]);
};

const owners: Handler = ({ coordinator, session }, args) =>
  coordinator.owners(session.db, argument(args, 2));

const nodeOf = ({ ports }: Call, args: readonly Buffer[], at: number): string =>
  args.length > at ? argument(args, at).toString() : ports.ring().selfId;

const agreed = (changed: Later<void>): Later<Reply> => after(changed, () => ok);

const join: Handler = ({ ports }, args) => {
  const port = Number(argument(args, 3).toString());
  if (!Number.isInteger(port) || port < 1 || port > portMax) {
    throw new RedisError('ERR invalid peer port');
  }
  return agreed(ports.changes.join(argument(args, 2).toString(), port));
};

const leave: Handler = (call, args) => {
  if (args.length > 3) throw new RedisError(syntaxError);
  return agreed(call.ports.changes.leave(nodeOf(call, args, 2)));
};

const weight: Handler = (call, args) =>
  agreed(call.ports.changes.weight(nodeOf(call, args, 2), weightOf(argument(args, 3))));

const remove: Handler = (call, args) => {
  if (args.length > 4) throw new RedisError(syntaxError);
  const force = args.length === 4;
  if (force && !isWord(argument(args, 3), 'force')) throw new RedisError(syntaxError);
  return agreed(call.ports.changes.remove(nodeOf(call, args, 2), force));
};

const plan: Handler = ({ ports }, args) => {
  const { moves, lowerBound, transfers } = ports.changes.plan(plannedChange(args));
  const names = new Map(ports.ring().members.map(({ id, name }) => [id, name]));
  const nameOf = (id: string): string => names.get(id) ?? argument(args, 3).toString();
  return new MapReply([
    ['moves', moves],
    ['lower_bound', lowerBound],
    [
      'transfers',
      transfers.map(({ partition, from, to }) => [
        partition,
        from === undefined ? null : nameOf(from),
        nameOf(to),
      ]),
    ],
  ]);
};

function plannedChange(args: readonly Buffer[]): PlannedChange {
  const node = argument(args, 3).toString();
  const kind = argument(args, 2).toString().toLowerCase();
  if ((kind === 'leave' || kind === 'remove') && args.length === 4) return { kind, node };
  if (kind === 'weight' && args.length === 5) {
    return { kind, node, weight: weightOf(argument(args, 4)) };
  }
  if (kind === 'join' && args.length <= 6) {
    const [, , , , share, zone] = args;
    const given = share === undefined ? 1 : weightOf(share);
    return { kind, name: node, weight: given, zone: zone?.toString() ?? '' };
  }
  throw new RedisError(syntaxError);
}

function weightOf(text: Buffer): number {
  const value = Number(text.toString());
  if (!Number.isInteger(value) || value < 1 || value > weightMax) {
    throw new RedisError(`ERR weight must be 1 to ${weightMax}`);
  }
  return value;
}

const portMax = 65_535;
/** As the directive has it. */
const weightMax = 1000;

const ours = { group: 'dynamo', since: '0.1.0' } as const;
const change = { ...ours, flags: ['admin', 'noscript', 'stale'] } as const;

export const ringCommand: Command = {
  ...ours,
  name: 'dyn.ring',
  arity: -2,
  flags: [],
  summary: 'A container for commands on the ring',
  syntax: '',
  subcommands: [
    {
      ...ours,
      name: 'status',
      arity: 2,
      flags: ['loading', 'stale'],
      summary: 'Show the layout version, the transition in progress and the members',
      syntax: '',
      handler: status,
    },
    {
      ...ours,
      name: 'owners',
      arity: 3,
      flags: ['readonly', 'fast'],
      keys: secondArgument,
      summary: 'Name the owners of a key in preference order',
      syntax: 'key',
      overlaps: true,
      handler: owners,
    },
    {
      ...change,
      name: 'plan',
      handler: plan,
      arity: -4,
      summary: 'Show what a change of the ring would move, without doing it',
      syntax: 'LEAVE node | REMOVE node | WEIGHT node weight | JOIN name [weight] [zone]',
    },
    {
      ...change,
      name: 'join',
      handler: join,
      arity: 4,
      summary: 'Let this empty node join a ring',
      syntax: 'host peer-port',
    },
    {
      ...change,
      name: 'leave',
      handler: leave,
      arity: -2,
      summary: 'Hand the partitions of a node over and let it leave',
      syntax: '[node]',
    },
    {
      ...change,
      name: 'weight',
      handler: weight,
      arity: 4,
      summary: 'Change the share of a node',
      syntax: 'node weight',
    },
    {
      ...change,
      name: 'remove',
      handler: remove,
      arity: -3,
      summary: 'Give a dead node up',
      syntax: 'node [FORCE]',
    },
    helpSubcommand('dynamo', '0.1.0'),
  ],
};
