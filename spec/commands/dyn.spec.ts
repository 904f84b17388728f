import { expect } from 'chai';
import { commandTable } from '../../lib/commands/table.ts';
import type { Argument } from '../support/command-bench.ts';
import { CommandBench } from '../support/command-bench.ts';

const syntax = '-ERR syntax error';
const badContext = /^-BADCONTEXT /;

for (const late of [false, true]) {
  describe(`DYN commands, answers ${late ? 'late' : 'at once'}`, () => {
    let bench: CommandBench;

    beforeEach(() => {
      bench = new CommandBench({ n: 3 });
      bench.coordinator.late = late;
    });

    async function text(...args: readonly Argument[]): Promise<string> {
      return String(await bench.run(...args));
    }

    it('DYN.GET answers the context and every live sibling, newest first', async () => {
      await bench.run('dyn.put', 'cart', '', 'milk');
      await bench.run('dyn.put', 'cart', '', 'bread');
      const context = await text('dyn.context', 'get', 'cart');
      expect(await bench.run('dyn.get', 'cart')).to.deep.equal([context, ['bread', 'milk']]);
      expect(await bench.run('get', 'cart')).to.equal('bread');
    });

    it('DYN.GET of a key that nobody has written answers the empty context', () =>
      bench.answers([
        ['dyn.get nothing', ['', []]],
        ['dyn.context get nothing', ''],
      ]));

    it('DYN.GET of a deleted key carries what has been deleted', async () => {
      await bench.run('set', 'a', 1);
      await bench.run('del', 'a');
      const context = await text('dyn.context', 'get', 'a');
      expect(context).not.to.equal('');
      expect(await bench.run('dyn.get', 'a')).to.deep.equal([context, []]);
    });

    it('DYN.PUT replaces what its context has seen and nothing else', async () => {
      const first = await text('dyn.put', 'cart', '', 'milk');
      const second = await text('dyn.put', 'cart', '', 'bread');
      await bench.run('dyn.put', 'cart', first, 'milk, eggs');
      const [context, siblings] = Object.values(Object(await bench.run('dyn.get', 'cart')));
      expect(siblings).to.deep.equal(['milk, eggs', 'bread']);
      expect(await bench.run('dyn.context', 'compare', second, String(context))).to.equal('before');
      await bench.run('dyn.put', 'cart', String(context), 'all');
      expect(await bench.run('dyn.get', 'cart')).to.have.deep.property('1', ['all']);
    });

    it('DYN.DEL removes exactly what its context has seen', async () => {
      const first = await text('dyn.put', 'cart', '', 'milk');
      await bench.run('dyn.put', 'cart', '', 'bread');
      await bench.run('dyn.del', 'cart', first);
      expect(await bench.run('dyn.get', 'cart')).to.have.deep.property('1', ['bread']);
      await bench.run('dyn.del', 'cart', '');
      expect(await bench.run('dyn.get', 'cart')).to.have.deep.property('1', ['bread']);
    });

    it('DYN.PUT takes an expiry', async () => {
      await bench.run('dyn.put', 'a', '', 1, 'px', 700);
      expect(await bench.run('pttl', 'a')).to.equal(700);
      await bench.answers([
        ['dyn.put a "" 1 ex 0', "-ERR invalid expire time in 'dyn.put' command"],
        ['dyn.put a "" 1 ex 1 px 1', syntax],
        ['dyn.put a "" 1 keepttl', syntax],
      ]);
    });

    it('a context that is damaged or of another key is refused before any write', async () => {
      const context = await text('dyn.put', 'a', '', 1);
      const other = await text('dyn.put', 'b', '', 1);
      const damaged = `${context.slice(0, -1)}${context.endsWith('A') ? 'B' : 'A'}`;
      for (const wrong of [other, damaged, 'x', 'not a context']) {
        expect(await bench.run('dyn.put', 'a', wrong, 2), wrong).to.match(badContext);
        expect(await bench.run('dyn.del', 'a', wrong), wrong).to.match(badContext);
      }
      expect(await bench.run('dyn.get', 'a')).to.deep.equal([context, ['1']]);
      expect(await bench.run('dyn.context', 'merge', context, other)).to.match(badContext);
      expect(await bench.run('dyn.context', 'compare', context, other)).to.match(badContext);
      expect(await bench.run('dyn.context', 'describe', damaged)).to.match(badContext);
    });

    it('DYN.CONTEXT merges, compares and describes', async () => {
      const first = await text('dyn.put', 'a', '', 1);
      const second = await text('dyn.put', 'a', first, 2);
      const compared: readonly (readonly [string, string, string])[] = [
        [first, first, 'equal'],
        [first, second, 'before'],
        [second, first, 'after'],
        ['', first, 'before'],
        ['', '', 'equal'],
      ];
      for (const [a, b, answer] of compared) {
        expect(await bench.run('dyn.context', 'compare', a, b)).to.equal(answer);
      }
      expect(await bench.run('dyn.context', 'merge', first, second)).to.equal(second);
      expect(await bench.run('dyn.context', 'merge', '', first)).to.equal(first);
      expect(await bench.run('dyn.context', 'merge', '', '')).to.equal('');
      const [write] = Object.values(Object(await bench.run('dyn.context', 'describe', first)));
      expect(write).to.have.property('1', bench.nowMs);
      expect(write)
        .to.have.property('0')
        .that.matches(/^[0-9a-f]{12}$/);
      expect(await bench.run('dyn.context', 'describe', '')).to.deep.equal([]);
    });

    it('DYN.QUORUM sets what every read and write of the connection waits for', async () => {
      await bench.answers([
        ['dyn.quorum', { r: 2, w: 2, n: 3 }],
        ['dyn.quorum r 1 w 3', { r: 1, w: 3, n: 3 }],
        ['dyn.quorum W 1', { r: 1, w: 1, n: 3 }],
        ['dyn.quorum r 0', '-ERR R must be between 1 and 3'],
        ['dyn.quorum w 4', '-ERR W must be between 1 and 3'],
        ['dyn.quorum w x', '-ERR W must be between 1 and 3'],
        ['dyn.quorum n 3', syntax],
        ['dyn.quorum r', syntax],
        ['dyn.get a r 4', '-ERR R must be between 1 and 3'],
        ['dyn.del a "" w 4', '-ERR W must be between 1 and 3'],
      ]);
      const { asked } = bench.coordinator;
      asked.length = 0;
      for (const line of ['get a', 'mget a', 'dyn.get a', 'dyn.context get a', 'ttl a']) {
        await bench.run(...line.split(' '));
      }
      expect(asked.map(({ r }) => r)).to.deep.equal([1, 1, 1, 1, 1]);
      asked.length = 0;
      for (const line of ['set a 1', 'incr a', 'expire a 9', 'getdel a', 'dyn.put a  1']) {
        await bench.run(...line.split(' '));
      }
      await bench.run('dyn.put', 'a', '', 1, 'w', 3);
      expect(asked.map(({ w }) => w)).to.deep.equal([1, 1, 1, 1, 1, 3]);
    });

    it('DYN.RING STATUS shows the members as they are when it is asked', async () => {
      const member = {
        id: '2'.repeat(40),
        name: 'n2',
        host: '127.0.0.1',
        port: 7002,
        peerPort: 17_002,
        zone: '',
        weight: 1,
        partitions: 1024,
        first: 341,
        pending: 0,
      };
      for (const state of ['up', 'suspect', 'down'] as const) {
        bench.frame.ring = { ...bench.frame.ring, members: [{ ...member, state }] };
        const { peerPort, ...shown } = member;
        expect(await bench.run('dyn.ring', 'status')).to.deep.equal({
          version: 1,
          transition: 0,
          members: [{ ...shown, 'peer-port': peerPort, state }],
        });
      }
    });

    it('DYN.EXPLAIN shows where a key lies', async () => {
      await bench.run('set', 'foo', 1);
      expect(await bench.run('dyn.explain', 'foo')).to.deep.equal({
        slot: 12182,
        partition: 761,
        layout: 1,
        owners: [{ node: 'n1', state: 'up', version: null, siblings: 1 }],
        hints: [['n2', 'n3', 'courtesy']],
      });
    });
  });
}

describe('DYN.HELP', () => {
  it('names every DYN command and subcommand of the table', async () => {
    const help = Object.values(Object(await new CommandBench().run('dyn.help'))).join('\n');
    const ours = commandTable.filter(({ group }) => group === 'dynamo');
    for (const row of ours) {
      for (const { name } of row.subcommands ?? []) {
        expect(help).to.include(`+${row.name} ${name}`.toUpperCase());
      }
      expect(help).to.include(row.name.toUpperCase());
    }
  });
});
