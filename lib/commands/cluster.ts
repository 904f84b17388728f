/**
 * CLUSTER, and what cluster clients say to a node before they ask it for something. With
 * `cluster-enabled yes` this node shows the ring as a Redis Cluster whose slot map is the
 * preference list (DESIGN 2.3); because every node takes every key, nothing is ever redirected.
 * What Redis has done to slots by hand (ADDSLOTS, SETSLOT, FAILOVER, ...) is not there: the ring
 * does it.
 */
import { RedisError } from '../base/errors.ts';
import { after, type Later } from '../base/later.ts';
import { ok, type Reply } from '../protocol/reply.ts';
import { slotCount, slotOf } from '../ring/slots.ts';
import { argument, clampedInteger } from './arguments.ts';
import { infoView, nodesView, shardsView, slotsView } from './cluster-views.ts';
import type { Call, Command, Handler } from './command.ts';
import { clusterDisabled } from './errors.ts';
import { helpSubcommand } from './help.ts';
import { isCluster } from './ports.ts';

/** For every row here. */
function inCluster(handler: Handler): Handler {
  return (call, args) => {
    if (!isCluster(call.ports)) throw new RedisError(clusterDisabled);
    return handler(call, args);
  };
}

const keysMax = 10_000;

const countKeysInSlot: Handler = ({ ports }, args) => {
  const slot = clampedInteger(argument(args, 2));
  if (!isSlot(slot)) throw new RedisError('ERR Invalid slot');
  return ports.keysInSlot(slot);
};

function isSlot(slot: number): boolean {
  return slot >= 0 && slot < slotCount;
}

const getKeysInSlot: Handler = (call, args) => {
  const slot = clampedInteger(argument(args, 2));
  const count = clampedInteger(argument(args, 3));
  if (!isSlot(slot) || count < 0) {
    throw new RedisError('ERR Invalid slot or number of keys');
  }
  return keysInSlot(call, slot, Math.min(count, keysMax));
};

/** The slot is a stretch of what SCAN walks through. */
async function keysInSlot({ coordinator }: Call, slot: number, count: number): Promise<Reply> {
  const end = BigInt(slot + 1) << 32n;
  const found: Buffer[] = [];
  let cursor = BigInt(slot) << 32n;
  do {
    const page = await coordinator.scan(0, cursor, count);
    for (const key of page.keys) if (slotOf(key) === slot) found.push(key);
    cursor = page.cursor;
  } while (cursor !== 0n && cursor < end && found.length < count);
  return found.slice(0, count);
}

const meet: Handler = ({ ports }, args) => {
  const host = argument(args, 2).toString();
  const port = portAt(args, 3, 'base');
  const busPort = args.length > 4 ? portAt(args, 4, 'bus') : 0;
  const peerPort = busPort === 0 ? port + peerPortOffset : busPort;
  if (args.length > 5)
    throw new RedisError(`ERR wrong number of arguments for 'cluster|meet' command`);
  if (host === '' || !isPort(port) || !isPort(peerPort)) {
    throw new RedisError(`ERR Invalid node address specified: ${host}:${port}`);
  }
  return after(ports.changes.join(host, peerPort), () => ok);
};

/** As Redis assumes. */
const peerPortOffset = 10_000;

function portAt(args: readonly Buffer[], at: number, kind: 'base' | 'bus'): number {
  const text = argument(args, at);
  return clampedInteger(text, `ERR Invalid TCP ${kind} port specified: ${text}`);
}

function isPort(port: number): boolean {
  return port >= 1 && port <= 65_535;
}

/** Redis forgets a node for a minute; here one that is given up is never taken back. */
const forget: Handler = (call, args) => {
  const { id, isSelf } = known(call, args);
  if (isSelf) throw new RedisError("ERR I tried hard but I can't forget myself...");
  throw new RedisError(
    'ERR CLUSTER FORGET would give the node up for ever: ' +
      `say DYN.RING REMOVE ${id} if it is dead, DYN.RING LEAVE ${id} if it is not`,
  );
};

/** The member that the third argument names. */
function known({ ports }: Call, args: readonly Buffer[]): { id: string; isSelf: boolean } {
  const id = argument(args, 2).toString();
  const { members, self } = ports.slotMap();
  const index = members.findIndex((member) => member.id === id);
  if (index < 0) throw new RedisError(`ERR Unknown node ${id}`);
  return { id, isSelf: index === self };
}

function aboutMember(answer: Reply): Handler {
  return (call, args): Later<Reply> => {
    known(call, args);
    return answer;
  };
}

const myId: Handler = ({ ports }) => ports.ring().selfId;

const group = { group: 'cluster' } as const;
const view = { ...group, flags: ['stale'], arity: 2, syntax: '' } as const;
const admin = { ...group, flags: ['admin', 'stale'] } as const;
const change = { ...group, flags: ['admin', 'stale', 'no_async_loading'] } as const;

const views: readonly Command[] = [
  {
    ...view,
    name: 'slots',
    since: '3.0.0',
    summary: 'Show the ranges of slots, each with its owners in preference order',
    handler: ({ ports }) => slotsView(ports.slotMap()),
  },
  {
    ...view,
    name: 'shards',
    since: '7.0.0',
    summary: 'Show the different rows of owners, each with its slots',
    handler: ({ ports }) => shardsView(ports.slotMap()),
  },
  {
    ...view,
    name: 'nodes',
    since: '3.0.0',
    summary: 'Show the members, each with the slots that it is first for',
    handler: ({ ports }) => nodesView(ports.slotMap()),
  },
  {
    ...view,
    name: 'info',
    since: '3.0.0',
    summary: 'Show whether all slots have an owner that is up',
    handler: ({ ports }) => infoView(ports.slotMap()),
  },
  {
    ...view,
    name: 'myid',
    since: '3.0.0',
    summary: 'Return the id of the node',
    handler: myId,
  },
  {
    ...view,
    name: 'keyslot',
    arity: 3,
    since: '3.0.0',
    summary: 'Return the slot of a key',
    syntax: 'key',
    handler: (_call, args) => slotOf(argument(args, 2)),
  },
  {
    ...view,
    name: 'countkeysinslot',
    arity: 3,
    since: '3.0.0',
    summary: 'Return how many keys of a slot the node holds',
    syntax: 'slot',
    handler: countKeysInSlot,
  },
  {
    ...view,
    name: 'getkeysinslot',
    arity: 4,
    since: '3.0.0',
    summary: 'Return keys of a slot that the node is first for',
    syntax: 'slot count',
    handler: getKeysInSlot,
  },
];

const changes: readonly Command[] = [
  {
    ...change,
    name: 'meet',
    arity: -4,
    since: '3.0.0',
    summary: 'Join this node and another one',
    syntax: 'ip port [cluster-bus-port]',
    handler: meet,
  },
  {
    ...change,
    name: 'forget',
    arity: 3,
    since: '3.0.0',
    summary: 'Refused with the DYN.RING command that gives a node up',
    syntax: 'node-id',
    handler: forget,
  },
  {
    ...change,
    name: 'saveconfig',
    arity: 2,
    since: '3.0.0',
    summary: 'Nothing to do: the ring is on the disk of every node',
    syntax: '',
    handler: () => ok,
  },
  {
    ...admin,
    name: 'replicas',
    arity: 3,
    since: '5.0.0',
    summary: 'Return an empty list: every member is a master',
    syntax: 'node-id',
    handler: aboutMember([]),
  },
  {
    ...admin,
    name: 'slaves',
    arity: 3,
    since: '3.0.0',
    summary: 'Return an empty list: every member is a master',
    syntax: 'node-id',
    handler: aboutMember([]),
  },
  {
    ...admin,
    name: 'count-failure-reports',
    arity: 3,
    since: '3.0.0',
    summary: 'Return 0: members agree on who is down by gossip',
    syntax: 'node-id',
    handler: aboutMember(0),
  },
];

const mode = {
  ...group,
  arity: 1,
  since: '3.0.0',
  syntax: '',
  handler: inCluster(() => ok),
} as const;

export const clusterCommands: readonly Command[] = [
  {
    ...group,
    name: 'cluster',
    arity: -2,
    flags: [],
    since: '3.0.0',
    summary: 'A container for cluster commands',
    syntax: '',
    subcommands: [...views, ...changes, helpSubcommand('cluster', '5.0.0')].map((row) => ({
      ...row,
      ...(row.handler && { handler: inCluster(row.handler) }),
    })),
  },
  {
    ...mode,
    name: 'readonly',
    flags: ['loading', 'stale', 'fast'],
    summary: 'Accept reads of slots for which the node is not first: always so here',
  },
  {
    ...mode,
    name: 'readwrite',
    flags: ['loading', 'stale', 'fast'],
    summary: 'Undo READONLY: nothing to do here',
  },
  {
    ...mode,
    name: 'asking',
    flags: ['fast'],
    summary: 'Sent by cluster clients after an -ASK redirect, which no node here sends',
  },
];
