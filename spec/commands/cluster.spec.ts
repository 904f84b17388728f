import { expect } from 'chai';
import { clusterCommands } from '../../lib/commands/cluster.ts';
import type { Command } from '../../lib/commands/command.ts';
import { Prepared, type Reply } from '../../lib/protocol/reply.ts';
import { OutputPages, ReplyWriter } from '../../lib/protocol/resp-writer.ts';
import type { Layout } from '../../lib/ring/layout.ts';
import { type SlotMap, type SlotMapMember, slotMapOf } from '../../lib/ring/slot-map.ts';
import { Frame } from '../support/fake-ports.ts';

const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((digit) => digit.repeat(40)) as [
  string,
  string,
  string,
  string,
];

/** Four partitions, two owners each. */
const layout: Layout = {
  version: 7,
  n: 2,
  partitions: 4,
  members: [a, b, c],
  weights: [1, 1, 1],
  zones: ['', '', ''],
  removed: [],
  owners: Uint16Array.of(0, 1, 0, 1, 1, 2, 2, 0),
};

function mapWith(states: { readonly [id: string]: SlotMapMember['state'] }, shown = [a, b, c]) {
  const members = shown.map((id, index) => ({
    id,
    host: '10.0.0.1',
    port: 7001 + index,
    peerPort: 17_001 + index,
    state: states[id] ?? 'up',
  }));
  return slotMapOf(layout, members, a);
}

function clusterOf(map: SlotMap): Frame {
  const frame = new Frame();
  frame.settings.give('cluster-enabled', ['yes']);
  frame.slotMap = map;
  return frame;
}

function ask(frame: Frame, line: string): unknown {
  return frame.now(frame.connect(), line);
}

function encoded(reply: Reply, protocol: 2 | 3): string {
  const writer = new ReplyWriter(new OutputPages());
  writer.write(reply, protocol);
  return Buffer.concat(writer.take()).toString();
}

function named(rows: readonly Command[], parent = ''): string[] {
  return rows.flatMap(({ name, arity, subcommands = [] }) => {
    const line = [
      `${parent}${name}`,
      ...Array(Math.abs(arity) - (parent === '' ? 1 : 2)).fill('1'),
    ];
    return subcommands.length === 0 ? [line.join(' ')] : named(subcommands, `${name} `);
  });
}

describe('a node that is no Redis Cluster', () => {
  const frame = new Frame();
  for (const line of named(clusterCommands)) {
    it(`says so to ${line}`, () => {
      expect(ask(frame, line)).to.equal('-ERR This instance has cluster support disabled');
    });
  }
});

describe('CLUSTER', () => {
  const rest = mapWith({});
  const node = (id: string, at: number) => ['10.0.0.1', 7001 + at, id, {}];

  it('SLOTS shows the owners of each run in preference order, each master alone first', () => {
    expect(ask(clusterOf(rest), 'cluster slots')).to.deep.equal([
      [0, 0, node(a, 0)],
      [8192, 8192, node(b, 1)],
      [12_288, 12_288, node(c, 2)],
      [1, 8191, node(a, 0), node(b, 1)],
      [8193, 12_287, node(b, 1), node(c, 2)],
      [12_289, 16_383, node(c, 2), node(a, 0)],
    ]);
  });

  it('SLOTS shows those that are down behind the others', () => {
    expect(ask(clusterOf(mapWith({ [b]: 'down' })), 'cluster slots')).to.deep.equal([
      [0, 0, node(a, 0)],
      [8192, 8192, node(c, 2)],
      [1, 8191, node(a, 0), node(b, 1)],
      [8193, 12_287, node(c, 2), node(b, 1)],
      [12_288, 16_383, node(c, 2), node(a, 0)],
    ]);
  });

  it('SLOTS covers every slot once, whatever the runs', () => {
    for (const states of [{}, { [a]: 'down' }, { [a]: 'down', [c]: 'down' }] as const) {
      const rows = ask(clusterOf(mapWith(states)), 'cluster slots') as [number, number][];
      const ends = rows
        .map(([start, end]) => [start, end])
        .sort((x, y) => (x[0] ?? 0) - (y[0] ?? 0));
      let next = 0;
      for (const [start, end = 0] of ends) {
        expect(start).to.equal(next);
        next = end + 1;
      }
      expect(next).to.equal(16_384);
    }
  });

  it('NODES lists every member as a master with the slots that it is first for', () => {
    const map = mapWith({ [c]: 'suspect', [d]: 'joining' }, [d, a, b, c]);
    expect(ask(clusterOf(map), 'cluster nodes')).to.equal(
      `${a} 10.0.0.1:7002@17002 myself,master - 0 0 7 connected 0-8191\n` +
        `${b} 10.0.0.1:7003@17003 master - 0 0 7 connected 8192-12287\n` +
        `${c} 10.0.0.1:7004@17004 master,fail? - 0 0 7 connected 12288-16383\n` +
        `${d} 10.0.0.1:7001@17001 master - 0 0 7 connected\n`,
    );
  });

  it('NODES shows who is down as failed, without slots', () => {
    expect(ask(clusterOf(mapWith({ [b]: 'down' })), 'cluster nodes')).to.equal(
      `${a} 10.0.0.1:7001@17001 myself,master - 0 0 7 connected 0-8191\n` +
        `${b} 10.0.0.1:7002@17002 master,fail - 0 0 7 disconnected\n` +
        `${c} 10.0.0.1:7003@17003 master - 0 0 7 connected 8192-16383\n`,
    );
  });

  it('SHARDS shows each different row once', () => {
    const map = mapWith({ [b]: 'down', [d]: 'joining' }, [a, b, c, d]);
    const shown = (id: string, at: number, role: string, health = 'online') => ({
      id,
      port: 7001 + at,
      ip: '10.0.0.1',
      endpoint: '10.0.0.1',
      role,
      'replication-offset': 0,
      health,
    });
    expect(ask(clusterOf(map), 'cluster shards')).to.deep.equal([
      { slots: [0, 8191], nodes: [shown(a, 0, 'master'), shown(b, 1, 'replica', 'fail')] },
      { slots: [8192, 12_287], nodes: [shown(c, 2, 'master'), shown(b, 1, 'replica', 'fail')] },
      { slots: [12_288, 16_383], nodes: [shown(c, 2, 'master'), shown(a, 0, 'replica')] },
      { slots: [], nodes: [shown(d, 3, 'master')] },
    ]);
  });

  it('INFO is ok as long as every slot has an owner that is up', () => {
    const shown = (map: SlotMap): string => String(ask(clusterOf(map), 'cluster info'));
    expect(shown(rest)).to.match(/^cluster_state:ok\r\ncluster_slots_assigned:16384\r\n/);
    expect(shown(rest)).to.include('cluster_known_nodes:3\r\ncluster_size:3\r\n');
    expect(shown(rest)).to.include('cluster_current_epoch:7\r\n');
    const one = shown(mapWith({ [b]: 'down' }));
    expect(one).to.include('cluster_state:ok\r\n').and.include('cluster_slots_ok:16384\r\n');
    expect(one).to.include('cluster_size:2\r\n');
    const two = shown(mapWith({ [a]: 'suspect', [b]: 'down', [c]: 'down' }));
    expect(two).to.include('cluster_state:fail\r\n').and.include('cluster_slots_fail:4096\r\n');
    expect(two).to.include('cluster_slots_pfail:12288\r\n').and.include('cluster_slots_ok:0\r\n');
  });

  it('makes a view of a map once', () => {
    const frame = clusterOf(rest);
    const session = frame.connect();
    for (const view of ['slots', 'shards', 'nodes', 'info']) {
      const reply = frame.start(session, `cluster ${view}`);
      expect(reply).to.be.instanceOf(Prepared);
      expect(frame.start(session, `cluster ${view}`)).to.equal(reply);
      const { reply: inner } = reply as Prepared;
      for (const protocol of [2, 3, 2] as const) {
        expect(encoded(reply as Prepared, protocol)).to.equal(encoded(inner, protocol));
      }
    }
    const before = frame.start(session, 'cluster slots');
    frame.slotMap = mapWith({ [b]: 'down' });
    expect(frame.start(session, 'cluster slots')).to.not.equal(before);
  });

  const frame = clusterOf(rest);
  frame.keysInSlot = (slot) => slot * 2;
  const answers: readonly (readonly [line: string, answer: unknown])[] = [
    ['cluster myid', frame.ring.selfId],
    ['cluster keyslot foo{hash_tag}', 2515],
    ['cluster countkeysinslot 5', 10],
    ['cluster countkeysinslot 16384', '-ERR Invalid slot'],
    ['cluster countkeysinslot -1', '-ERR Invalid slot'],
    ['cluster countkeysinslot x', '-ERR value is not an integer or out of range'],
    ['cluster getkeysinslot 16384 1', '-ERR Invalid slot or number of keys'],
    ['cluster getkeysinslot 1 -1', '-ERR Invalid slot or number of keys'],
    ['cluster getkeysinslot x -1', '-ERR value is not an integer or out of range'],
    ['cluster meet 127.0.0.1 b', '-ERR Invalid TCP base port specified: b'],
    ['cluster meet 127.0.0.1 7000 b', '-ERR Invalid TCP bus port specified: b'],
    ['cluster meet 127.0.0.1 0', '-ERR Invalid node address specified: 127.0.0.1:0'],
    ['cluster meet 127.0.0.1 60000', '-ERR Invalid node address specified: 127.0.0.1:60000'],
    [`cluster replicas ${a}`, []],
    [`cluster slaves ${d}`, `-ERR Unknown node ${d}`],
    [`cluster count-failure-reports ${b}`, 0],
    ['cluster saveconfig', '+OK'],
    [`cluster forget ${a}`, "-ERR I tried hard but I can't forget myself..."],
    [`cluster forget ${d}`, `-ERR Unknown node ${d}`],
    ['cluster', "-ERR wrong number of arguments for 'cluster' command"],
    ['cluster addslots 1', "-ERR unknown subcommand 'addslots'. Try CLUSTER HELP."],
    ['readonly', '+OK'],
    ['readwrite', '+OK'],
    ['asking', '+OK'],
    ['select 0', '+OK'],
    ['select 1', '-ERR SELECT is not allowed in cluster mode'],
    ['select -1', '-ERR SELECT is not allowed in cluster mode'],
    ['select x', '-ERR value is not an integer or out of range'],
    ['move k 1', '-ERR MOVE is not allowed in cluster mode'],
    ['copy k l db 1', '-ERR Copying to another database is not allowed in cluster mode'],
    ['copy k l db 99', '-ERR DB index is out of range'],
  ];
  for (const [line, answer] of answers) {
    it(`answers ${line}`, () => expect(ask(frame, line)).to.deep.equal(answer));
  }

  it('MEET joins the ring of a node, at its bus port or port + 10000', () => {
    const asked: unknown[] = [];
    frame.changes.join = (host, peerPort) => {
      asked.push([host, peerPort]);
    };
    expect(ask(frame, 'cluster meet 10.0.0.9 7000')).to.equal('+OK');
    expect(ask(frame, 'cluster meet node.example 7000 9000')).to.equal('+OK');
    expect(asked).to.deep.equal([
      ['10.0.0.9', 17_000],
      ['node.example', 9000],
    ]);
  });

  it('FORGET names the commands that give a node up', () => {
    expect(ask(frame, `cluster forget ${b}`)).to.match(/DYN\.RING REMOVE b{40} .*DYN\.RING LEAVE/);
  });

  it('shows itself as a cluster in HELLO and INFO, with one database', async () => {
    const session = frame.connect();
    expect(frame.now(session, 'hello')).to.include({ mode: 'cluster' });
    frame.now(session, 'set k v');
    const text = await frame.run(session, 'info');
    expect(text).to.include('redis_mode:cluster\r\n').and.include('cluster_enabled:1\r\n');
    expect(text).to.include('db0:keys=1,').and.not.include('db1:');
  });
});
