/** DYN.RING: the members of the ring and who owns a key. */
import { RedisError } from '../base/errors.ts';
import { MapReply } from '../protocol/reply.ts';
import { argument } from './arguments.ts';
import type { Command, Handler } from './command.ts';
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

const refuseChange: Handler = () => {
  throw new RedisError('ERR changing the ring is not supported by this version');
};

const ours = { group: 'dynamo', since: '0.1.0' } as const;
const change = { ...ours, flags: ['admin', 'noscript'], handler: refuseChange } as const;

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
      arity: -4,
      summary: 'Show what a change of the ring would move, without doing it',
      syntax: 'LEAVE node | REMOVE node | WEIGHT node weight | JOIN name [weight] [zone]',
    },
    {
      ...change,
      name: 'join',
      arity: 4,
      summary: 'Let this empty node join a ring',
      syntax: 'host peer-port',
    },
    {
      ...change,
      name: 'leave',
      arity: -2,
      summary: 'Hand the partitions of a node over and let it leave',
      syntax: '[node]',
    },
    {
      ...change,
      name: 'weight',
      arity: 4,
      summary: 'Change the share of a node',
      syntax: 'node weight',
    },
    {
      ...change,
      name: 'remove',
      arity: -3,
      summary: 'Give a dead node up',
      syntax: 'node [FORCE]',
    },
    helpSubcommand('dynamo', '0.1.0'),
  ],
};
