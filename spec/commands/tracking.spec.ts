import { expect } from 'chai';
import { RedisError } from '../../lib/base/errors.ts';
import type { Session } from '../../lib/commands/session.ts';
import { trackedKeysMax } from '../../lib/commands/tracking.ts';
import { CommandBench } from '../support/command-bench.ts';

for (const late of [false, true]) {
  describe(`DYN.CONTEXT TRACK, answers ${late ? 'late' : 'at once'}`, () => {
    let bench: CommandBench;
    let other: Session;

    beforeEach(async () => {
      bench = new CommandBench();
      bench.coordinator.late = late;
      other = bench.frame.connect();
      await bench.run('dyn.context', 'track', 'on');
    });

    async function siblings(key: string): Promise<unknown> {
      return Object(await bench.runOn(other, 'dyn.get', key))[1];
    }

    it('lets a SET replace what the connection has read, and nothing newer', async () => {
      await bench.runOn(other, 'set', 'cart', 'milk');
      expect(await bench.run('get', 'cart')).to.equal('milk');
      await bench.runOn(other, 'set', 'cart', 'milk, bread');
      await bench.run('set', 'cart', 'milk, eggs');
      expect(await siblings('cart')).to.deep.equal(['milk, eggs', 'milk, bread']);
    });

    it('settles a conflict by a SET after a GET', async () => {
      await bench.runOn(other, 'dyn.put', 'cart', '', 'milk');
      await bench.runOn(other, 'dyn.put', 'cart', '', 'bread');
      await bench.run('mget', 'cart');
      await bench.run('set', 'cart', 'milk, bread');
      expect(await siblings('cart')).to.deep.equal(['milk, bread']);
    });

    it('writes beside the others after it has read that there is nothing', async () => {
      expect(await bench.run('get', 'cart')).to.equal(null);
      await bench.runOn(other, 'set', 'cart', 'milk');
      await bench.run('setex', 'cart', 100, 'bread');
      expect(await siblings('cart')).to.deep.equal(['bread', 'milk']);
    });

    it('is a plain SET for a key that the connection has not met', async () => {
      await bench.runOn(other, 'set', 'cart', 'milk');
      await bench.run('mset', 'cart', 'bread');
      expect(await siblings('cart')).to.deep.equal(['bread']);
    });

    it('remembers its own writes, also pipelined ones', async () => {
      await Promise.all([
        bench.run('set', 'a', 1),
        bench.run('set', 'a', 2),
        bench.run('append', 'a', 3),
        bench.run('set', 'a', 4),
      ]);
      expect(await siblings('a')).to.deep.equal(['4']);
    });

    it('learns nothing from a refused write or a look at a part', async () => {
      await bench.run('set', 'a', 1);
      await bench.runOn(other, 'set', 'a', 2);
      await bench.answers([
        ['setnx a 3', 0],
        ['strlen a', 1],
        ['ttl a', -1],
        ['set a 4', '+OK'],
      ]);
      expect(await siblings('a')).to.deep.equal(['4', '2']);
    });

    it('learns from SET GET, refused or not', async () => {
      await bench.run('set', 'a', 1);
      await bench.runOn(other, 'set', 'a', 2);
      await bench.answers([
        ['set a 3 nx get', '2'],
        ['set a 4', '+OK'],
      ]);
      expect(await siblings('a')).to.deep.equal(['4']);
    });

    it('lets DEL and GETDEL remove and answer only what has been seen', async () => {
      await bench.run('mset', 'a', 1, 'b', 1, 'c', 1);
      await bench.runOn(other, 'mset', 'a', 2, 'b', 2);
      await bench.answers([
        ['getdel a', null],
        ['del b c x', 1],
        ['mget a b c', ['2', '2', null]],
        ['getdel a', '2'],
        ['del b', 1],
        ['mget a b', [null, null]],
      ]);
    });

    it('deletes wholly what the connection has not met', async () => {
      await bench.runOn(other, 'mset', 'a', 1, 'b', 2);
      await bench.answers([
        ['getdel a', '1'],
        ['del b', 1],
        ['exists a b', 0],
      ]);
    });

    it('keeps the keys of different databases apart', async () => {
      await bench.run('set', 'a', 1);
      await bench.runOn(other, 'select', 1);
      await bench.runOn(other, 'set', 'a', 2);
      await bench.run('select', 1);
      await bench.run('set', 'a', 3);
      expect(await siblings('a')).to.deep.equal(['3']);
    });

    it('goes on after a failure', async () => {
      bench.coordinator.refuse.set('down', new RedisError('CLUSTERDOWN need 2'));
      const answers = await Promise.all([
        bench.run('get', 'down'),
        bench.run('set', 'down', 1),
        bench.run('set', 'a', 1),
      ]);
      expect(answers).to.deep.equal(['-CLUSTERDOWN need 2', '-CLUSTERDOWN need 2', '+OK']);
    });

    it('refuses a key beyond the limit before it is touched, and names the remedy', async () => {
      for (let at = 0; at < trackedKeysMax; at += 1) void bench.run('get', `key:${at}`);
      expect(await bench.run('set', 'one more', 1)).to.match(/^-ERR .*TRACK OFF/);
      expect(await bench.run('get', 'one more')).to.match(/^-ERR .*TRACK OFF/);
      expect(await bench.run('set', 'key:0', 1)).to.equal('+OK');
      expect(await bench.run('dyn.context', 'track', 'off')).to.equal('+OK');
      expect(await bench.run('get', 'one more')).to.equal(null);
    });

    it('takes ON and OFF, and ends with RESET', async () => {
      await bench.answers([
        ['dyn.context track maybe', '-ERR syntax error'],
        ['dyn.context track ON', '+OK'],
      ]);
      await bench.run('reset');
      expect(bench.session.tracking).to.equal(undefined);
    });

    it('counts hits and misses as ever', async () => {
      await bench.run('get', 'a');
      await bench.run('set', 'a', 1);
      await bench.run('get', 'a');
      const { keyspaceHits, keyspaceMisses } = bench.frame.dispatcher.statistics;
      expect([keyspaceHits, keyspaceMisses]).to.deep.equal([1, 1]);
    });
  });
}
