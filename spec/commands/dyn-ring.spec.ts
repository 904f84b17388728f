/** DYN.RING: what operators see of the ring, and how they ask for changes. */
import { expect } from 'chai';
import { RedisError } from '../../lib/base/errors.ts';
import { Deferred } from '../../lib/base/later.ts';
import type { MemberView } from '../../lib/commands/ports.ts';
import type { Reply } from '../../lib/protocol/reply.ts';
import { OutputPages, ReplyWriter } from '../../lib/protocol/resp-writer.ts';
import { CommandBench } from '../support/command-bench.ts';

const selfId = '1'.repeat(40);

function member(name: string, id: string): MemberView {
  const address = { host: '127.0.0.1', port: 7001, peerPort: 17_001 };
  const counts = { partitions: 1024, first: 341, pending: 0 };
  return { id, name, ...address, zone: '', weight: 1, state: 'up', ...counts };
}

function encoded(reply: Reply, protocol: 2 | 3): string {
  const writer = new ReplyWriter(new OutputPages());
  writer.write(reply, protocol);
  return Buffer.concat(writer.take()).toString();
}

describe('DYN.RING', () => {
  let bench: CommandBench;
  /** What the ring was asked for. */
  let asked: unknown[][];

  beforeEach(() => {
    bench = new CommandBench();
    asked = [];
    const { frame } = bench;
    const members = [member('n1', selfId), member('n2', '2'.repeat(40))];
    frame.ring = { ...frame.ring, selfId, members };
    const note =
      (name: string) =>
      (...args: readonly unknown[]): void => {
        asked.push([name, ...args]);
      };
    frame.changes.join = note('join');
    frame.changes.leave = note('leave');
    frame.changes.weight = note('weight');
    frame.changes.remove = note('remove');
    frame.changes.plan = (change) => {
      asked.push(['plan', change]);
      return {
        moves: 2,
        lowerBound: 1,
        transfers: [
          { partition: 7, from: '2'.repeat(40), to: selfId },
          { partition: 9, from: undefined, to: 'f'.repeat(40) },
        ],
      };
    };
  });

  it('passes changes on, of this node where none is named', async () => {
    await bench.answers([
      ['dyn.ring join 10.0.0.1 17001', '+OK'],
      ['dyn.ring leave', '+OK'],
      ['dyn.ring leave n2', '+OK'],
      ['DYN.RING WEIGHT n2 3', '+OK'],
      ['dyn.ring remove n2', '+OK'],
      ['dyn.ring remove n2 FORCE', '+OK'],
    ]);
    expect(asked).to.deep.equal([
      ['join', '10.0.0.1', 17_001],
      ['leave', selfId],
      ['leave', 'n2'],
      ['weight', 'n2', 3],
      ['remove', 'n2', false],
      ['remove', 'n2', true],
    ]);
  });

  it('refuses arguments that make no sense, and asks for nothing', async () => {
    const port = '-ERR invalid peer port';
    const weight = '-ERR weight must be 1 to 1000';
    const syntax = '-ERR syntax error';
    const count = (name: string): string =>
      `-ERR wrong number of arguments for 'dyn.ring|${name}' command`;
    await bench.answers([
      ['dyn.ring join host 0', port],
      ['dyn.ring join host 65536', port],
      ['dyn.ring join host x', port],
      ['dyn.ring join host 1.5', port],
      ['dyn.ring join host', count('join')],
      ['dyn.ring join host 1 2', count('join')],
      ['dyn.ring weight n2 0', weight],
      ['dyn.ring weight n2 1001', weight],
      ['dyn.ring weight n2 two', weight],
      ['dyn.ring weight n2', count('weight')],
      ['dyn.ring remove', count('remove')],
      ['dyn.ring remove n2 FORC', syntax],
      ['dyn.ring remove n2 force now', syntax],
      ['dyn.ring leave n2 n3', syntax],
      ['dyn.ring plan leave', count('plan')],
      ['dyn.ring plan leave n1 n2', syntax],
      ['dyn.ring plan grow n1', syntax],
      ['dyn.ring plan weight n1', syntax],
      ['dyn.ring plan weight n1 0', weight],
      ['dyn.ring plan join n3 0', weight],
      ['dyn.ring plan join n3 1 z 4', syntax],
      ['dyn.ring foo', "-ERR unknown subcommand 'foo'. Try DYN.RING HELP."],
    ]);
    expect(asked).to.deep.equal([]);
  });

  it('answers when the change is agreed, or why it is not', async () => {
    const agreed = new Deferred<void>();
    bench.frame.changes.leave = () => agreed;
    const answer = bench.run('dyn.ring', 'leave', 'n2');
    let isAnswered = false;
    answer.then(
      () => {
        isAnswered = true;
      },
      () => {},
    );
    await new Promise(setImmediate);
    expect(isAnswered).to.equal(false);
    agreed.settle();
    expect(await answer).to.equal('+OK');
    const failed = new Deferred<void>();
    bench.frame.changes.leave = () => failed;
    failed.fail(new RedisError('ERR another change is in progress'));
    expect(await bench.run('dyn.ring', 'leave')).to.equal('-ERR another change is in progress');
  });

  it('plans every kind of change, by names', async () => {
    const plan = {
      moves: 2,
      lower_bound: 1,
      transfers: [
        [7, 'n2', 'n1'],
        [9, null, 'n3'],
      ],
    };
    await bench.answers([
      ['dyn.ring plan join n3', plan],
      ['dyn.ring plan JOIN n3 2 west', plan],
    ]);
    for (const words of ['leave n3', 'remove n3', 'weight n3 4']) {
      expect(await bench.run('dyn.ring', 'plan', ...words.split(' '))).to.deep.equal(plan);
    }
    expect(asked.map(([, change]) => change)).to.deep.equal([
      { kind: 'join', name: 'n3', weight: 1, zone: '' },
      { kind: 'join', name: 'n3', weight: 2, zone: 'west' },
      { kind: 'leave', node: 'n3' },
      { kind: 'remove', node: 'n3' },
      { kind: 'weight', node: 'n3', weight: 4 },
    ]);
  });

  it('shows a plan as a flat array in RESP2 and as a map in RESP3', async () => {
    const { frame, session } = bench;
    const reply = await frame.start(session, 'dyn.ring plan join n3');
    const fields = [
      '$5 moves :2 $11 lower_bound :1 $9 transfers',
      '*2 *3 :7 $2 n2 $2 n1 *3 :9 NIL $2 n3 ',
    ].join(' ');
    const lines = (protocol: 2 | 3): string => encoded(reply, protocol).replaceAll('\r\n', ' ');
    expect(lines(2)).to.equal(`*6 ${fields.replace('NIL', '$-1')}`);
    expect(lines(3)).to.equal(`%3 ${fields.replace('NIL', '_')}`);
  });

  it('names owners', async () => {
    await bench.answers([['dyn.ring owners a', ['n1']]]);
  });
});

describe('a node that must not serve', () => {
  it('refuses everything but what tells why, or writes only', async () => {
    const bench = new CommandBench();
    const text = 'CLUSTERDOWN this node was removed from its ring: start it empty';
    await bench.run('set', 'a', 1);
    bench.frame.refusal = { of: 'everything', text };
    for (const line of ['get a', 'set a 2', 'keys *', 'dyn.get a', 'dyn.put a  1']) {
      expect(await bench.run(...line.split(' ')), line).to.equal(`-${text}`);
    }
    for (const line of ['info', 'dyn.ring status', 'config get port']) {
      const answer = await bench.run(...line.split(' '));
      expect(String(answer), line).not.to.match(/^-/);
    }
    bench.frame.refusal = { of: 'writes', text };
    expect(await bench.run('get', 'a')).to.equal('1');
    for (const line of ['set a 2', 'del a', 'incr a', 'flushall']) {
      expect(await bench.run(...line.split(' ')), line).to.equal(`-${text}`);
    }
    await bench.answers([
      ['multi', '+OK'],
      ['get a', '+QUEUED'],
      ['set a 2', `-${text}`],
      ['exec', '-EXECABORT Transaction discarded because of previous errors.'],
      ['get a', '1'],
    ]);
  });

  it('aborts a batch whose writes were queued before', async () => {
    const bench = new CommandBench();
    const text = 'CLUSTERDOWN two processes run as this node';
    await bench.answers([
      ['multi', '+OK'],
      ['set a 2', '+QUEUED'],
    ]);
    bench.frame.refusal = { of: 'writes', text };
    await bench.answers([
      ['exec', `-EXECABORT Transaction discarded because of: ${text}`],
      ['get a', null],
    ]);
  });
});
