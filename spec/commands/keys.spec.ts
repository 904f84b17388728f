import { expect } from 'chai';
import { RedisError } from '../../lib/base/errors.ts';
import { CommandBench } from '../support/command-bench.ts';

const syntax = '-ERR syntax error';
const noInteger = '-ERR value is not an integer or out of range';
const sameObject = '-ERR source and destination objects are the same';

for (const late of [false, true]) {
  describe(`key commands, answers ${late ? 'late' : 'at once'}`, () => {
    let bench: CommandBench;

    beforeEach(() => {
      bench = new CommandBench();
      bench.coordinator.late = late;
    });

    it('RENAME and MOVE are uncertain when only the delete of the source is refused', async () => {
      await bench.run('mset', 'a', '1', 'm', '2');
      bench.coordinator.put = () => {
        throw new RedisError('CLUSTERDOWN need 3 replicas, 2 reachable');
      };
      for (const line of [
        ['rename', 'a', 'b'],
        ['move', 'm', '1'],
      ]) {
        expect(await bench.run(...line)).to.equal(
          '-UNCERTAIN the target was written, the source could not be deleted: ' +
            'CLUSTERDOWN need 3 replicas, 2 reachable',
        );
      }
      expect(await bench.run('mget', 'a', 'b')).to.deep.equal(['1', '1']);
    });

    it('DEL, UNLINK, EXISTS and TOUCH count keys', () =>
      bench.answers([
        ['mset a 1 b 2 c 3', '+OK'],
        ['exists a', 1],
        ['exists a a x', 2],
        ['touch a b x', 2],
        ['del a a x', 1],
        ['unlink b c', 2],
        ['del a', 0],
        ['type a', '+none'],
        ['set a 1', '+OK'],
        ['type a', '+string'],
      ]));

    it('EXPIRE and its kin set, replace and end the time to live', () =>
      bench.answers([
        ['expire a 10', 0],
        ['set a 1', '+OK'],
        ['expire a 10', 1],
        ['pttl a', 10_000],
        ['pexpire a 1499', 1],
        ['ttl a', 1],
        ['pexpire a 1500', 1],
        ['ttl a', 2],
        [`expireat a ${bench.nowMs / 1000 + 5}`, 1],
        ['pexpiretime a', bench.nowMs + 5000],
        [`pexpireat a ${bench.nowMs + 700}`, 1],
        ['expiretime a', Math.floor((bench.nowMs + 700 + 500) / 1000)],
        ['persist a', 1],
        ['persist a', 0],
        ['ttl a', -1],
        ['expiretime a', -1],
        ['pexpiretime b', -2],
        ['ttl b', -2],
        ['expire a -1', 1],
        ['exists a', 0],
        ['set a 1', '+OK'],
        ['pexpireat a 0', 1],
        ['exists a', 0],
      ]));

    it('EXPIRE takes its conditions', () =>
      bench.answers([
        ['set a 1', '+OK'],
        ['expire a 10 xx', 0],
        ['expire a 10 gt', 0],
        ['expire a 10 lt', 1],
        ['expire a 20 nx', 0],
        ['expire a 20 lt', 0],
        ['expire a 20 XX GT', 1],
        ['ttl a', 20],
        ['expire a 1 zz', '-ERR Unsupported option zz'],
        [
          'expire a 1 nx gt',
          '-ERR NX and XX, GT or LT options at the same time are not compatible',
        ],
        ['expire a 1 gt lt', '-ERR GT and LT options at the same time are not compatible'],
        ['expire a x', noInteger],
        ['expire a 9223372036854775807', "-ERR invalid expire time in 'expire' command"],
        ['pexpire a 9223372036854775807', "-ERR invalid expire time in 'pexpire' command"],
        ['expire a -9223372036854775807', "-ERR invalid expire time in 'expire' command"],
      ]));

    it('an expired key is gone for every reader', async () => {
      await bench.run('set', 'a', 1, 'px', 10);
      await bench.frame.time.advance(9);
      expect(await bench.run('pttl', 'a')).to.equal(1);
      await bench.frame.time.advance(1);
      await bench.answers([
        ['get a', null],
        ['exists a', 0],
        ['ttl a', -2],
        ['keys *', []],
        ['dbsize', 0],
      ]);
    });

    it('RENAME moves the value and its expiry', () =>
      bench.answers([
        ['rename a b', '-ERR no such key'],
        ['set a 1 ex 10', '+OK'],
        ['set b 2', '+OK'],
        ['rename a b', '+OK'],
        ['mget a b', [null, '1']],
        ['ttl b', 10],
        ['set a 3', '+OK'],
        ['renamenx a b', 0],
        ['mget a b', ['3', '1']],
        ['renamenx a c', 1],
        ['mget a c', [null, '3']],
        ['renamenx a c', '-ERR no such key'],
        ['renamenx c c', 0],
      ]));

    it('RENAME onto itself writes nothing', async () => {
      await bench.run('set', 'a', 1);
      const before = await bench.run('dyn.context', 'get', 'a');
      expect(await bench.run('rename', 'a', 'a')).to.equal('+OK');
      expect(await bench.run('dyn.context', 'get', 'a')).to.equal(before);
      expect(await bench.run('rename', 'x', 'x')).to.equal('-ERR no such key');
    });

    it('RENAME keeps the source when the target cannot be written', async () => {
      bench.coordinator.refuse.set('b', new RedisError('UNCERTAIN acknowledged by 1 of 2'));
      await bench.answers([
        ['set a 1', '+OK'],
        ['rename a b', '-UNCERTAIN acknowledged by 1 of 2'],
        ['get a', '1'],
      ]);
    });

    it('COPY and MOVE reach other databases', () =>
      bench.answers([
        ['set a 1 ex 10', '+OK'],
        ['copy a b', 1],
        ['ttl b', 10],
        ['copy a b', 0],
        ['copy x b', 0],
        ['set a 2', '+OK'],
        ['copy a b replace', 1],
        ['get b', '2'],
        ['copy a a', sameObject],
        ['copy a a db 0', sameObject],
        ['copy a a db 3', 1],
        ['copy a b db 16', '-ERR DB index is out of range'],
        ['copy a b db x', noInteger],
        ['copy a b db', syntax],
        ['copy a b foo', syntax],
        ['move a 3', 0],
        ['move a 4', 1],
        ['get a', null],
        ['move a 4', 0],
        ['move b 0', sameObject],
        ['move b 16', '-ERR DB index is out of range'],
        ['move b x', noInteger],
        ['select 4', '+OK'],
        ['get a', '2'],
      ]));

    it('SCAN walks all keys by cursor', async () => {
      for (let at = 0; at < 25; at += 1) await bench.run('set', `key:${at}`, at);
      const found = new Set<string>();
      let cursor: unknown = '0';
      do {
        const page: unknown = await bench.run('scan', String(cursor), 'count', 7);
        const [next, keys] = Array.isArray(page) ? page : [];
        for (const key of keys) found.add(key);
        cursor = next;
      } while (cursor !== '0');
      expect(found.size).to.equal(25);
    });

    it('SCAN filters what it has found', () =>
      bench.answers([
        ['mset a 1 ab 2 b 3', '+OK'],
        ['scan 0 match a*', ['0', ['a', 'ab']]],
        ['scan 0 type string count 100', ['0', ['a', 'ab', 'b']]],
        ['scan 0 TYPE list', ['0', []]],
        ['scan 18446744073709551615', ['0', []]],
        ['scan 18446744073709551616', '-ERR invalid cursor'],
        ['scan x', '-ERR invalid cursor'],
        ['scan -1', '-ERR invalid cursor'],
        ['scan 0 count 0', syntax],
        ['scan 0 count x', noInteger],
        ['scan 0 match', syntax],
        ['scan 0 foo', syntax],
      ]));

    it('KEYS, RANDOMKEY and DBSIZE speak of the database of the connection', () =>
      bench.answers([
        ['randomkey', null],
        ['mset a 1 ab 2 b 3', '+OK'],
        ['keys *', ['a', 'ab', 'b']],
        ['keys ?', ['a', 'b']],
        ['keys x', []],
        ['randomkey', 'a'],
        ['dbsize', 3],
        ['select 1', '+OK'],
        ['keys *', []],
        ['dbsize', 0],
      ]));

    it('FLUSHDB empties one database, FLUSHALL all', () =>
      bench.answers([
        ['set a 1', '+OK'],
        ['select 1', '+OK'],
        ['set b 1', '+OK'],
        ['flushdb async sync', syntax],
        ['flushdb now', syntax],
        ['flushdb async', '+OK'],
        ['dbsize', 0],
        ['select 0', '+OK'],
        ['dbsize', 1],
        ['flushall SYNC', '+OK'],
        ['dbsize', 0],
      ]));

    it('OBJECT tells the encodings of Redis', async () => {
      const noFrequency = '-ERR An LFU maxmemory policy is not selected, access frequency not';
      await bench.answers([
        ['set a 123', '+OK'],
        ['object encoding a', 'int'],
        ['object refcount a', 2147483647],
        ['set a 0123', '+OK'],
        ['object encoding a', 'embstr'],
        ['object refcount a', 1],
        ['object idletime a', 0],
        ['object encoding x', null],
        ['object freq x', null],
        ['object foo x', "-ERR unknown subcommand 'foo'. Try OBJECT HELP."],
      ]);
      expect(await bench.run('object', 'freq', 'a')).to.match(new RegExp(`^${noFrequency}`));
      await bench.run('set', 'a', 'x'.repeat(44));
      expect(await bench.run('object', 'encoding', 'a')).to.equal('embstr');
      await bench.run('set', 'a', 'x'.repeat(45));
      expect(await bench.run('object', 'encoding', 'a')).to.equal('raw');
    });

    it('MEMORY USAGE grows by the bytes of the value', async () => {
      await bench.run('set', 'a', '');
      const empty = await bench.run('memory', 'usage', 'a');
      expect(empty).to.be.within(30, 100);
      await bench.run('set', 'b', 'x'.repeat(100));
      expect(await bench.run('memory', 'usage', 'b', 'samples', 0)).to.equal(Number(empty) + 100);
      await bench.answers([
        ['memory usage x', null],
        ['memory usage a samples -1', syntax],
        ['memory usage a samples', syntax],
        ['memory usage a samples x', noInteger],
        ['memory usage a foo', syntax],
      ]);
    });
  });
}
