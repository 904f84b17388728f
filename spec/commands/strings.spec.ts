import { expect } from 'chai';
import { RedisError } from '../../lib/base/errors.ts';
import { CommandBench } from '../support/command-bench.ts';

const syntax = '-ERR syntax error';
const noInteger = '-ERR value is not an integer or out of range';
const badExpiry = (command: string): string => `-ERR invalid expire time in '${command}' command`;

for (const late of [false, true]) {
  describe(`string commands, answers ${late ? 'late' : 'at once'}`, () => {
    let bench: CommandBench;

    beforeEach(() => {
      bench = new CommandBench();
      bench.coordinator.late = late;
    });

    it('SET writes under its conditions and answers as they held', () =>
      bench.answers([
        ['set a 1 xx', null],
        ['get a', null],
        ['set a 1 nx', '+OK'],
        ['set a 2 NX', null],
        ['set a 3 xx', '+OK'],
        ['set a 4 get', '3'],
        ['set b 1 get', null],
        ['get b', '1'],
        ['set b 2 nx get', '1'],
        ['get b', '1'],
        ['set b 3 get xx ex 10', '1'],
        ['ttl b', 10],
      ]));

    it('SET replaces, keeps or drops the expiry', () =>
      bench.answers([
        ['set a 1 ex 10', '+OK'],
        ['pttl a', 10_000],
        ['set a 2 keepttl', '+OK'],
        ['pttl a', 10_000],
        ['set a 3', '+OK'],
        ['pttl a', -1],
        ['set a 4 PX 1500', '+OK'],
        ['pttl a', 1500],
        [`set a 5 exat ${bench.nowMs / 1000 + 7}`, '+OK'],
        ['pttl a', 7000],
        [`set a 6 pxat ${bench.nowMs + 8}`, '+OK'],
        ['pttl a', 8],
        ['set a 7 ex 5 ex 6', '+OK'],
        ['pttl a', 6000],
      ]));

    it('SET refuses what Redis refuses', () =>
      bench.answers([
        ['set a', "-ERR wrong number of arguments for 'set' command"],
        ['set a 1 nx xx', syntax],
        ['set a 1 ex 10 px 10', syntax],
        ['set a 1 keepttl ex 10', syntax],
        ['set a 1 ex 10 keepttl', syntax],
        ['set a 1 ex', syntax],
        ['set a 1 persist', syntax],
        ['set a 1 ex x', noInteger],
        ['set a 1 ex 0', badExpiry('set')],
        ['set a 1 px -1', badExpiry('set')],
        ['set a 1 ex 9223372036854776', badExpiry('set')],
        ['set a 1 px 9223372036854775807', badExpiry('set')],
        ['exists a', 0],
      ]));

    it('an expiry beyond what can be stored is drawn to the end of time', () =>
      bench.answers([
        ['set a 1 ex 9000000000000000', '+OK'],
        ['pexpiretime a', 2 ** 48 - 1],
      ]));

    it('SETNX, SETEX, PSETEX and GETSET are forms of SET', () =>
      bench.answers([
        ['setnx a 1', 1],
        ['setnx a 2', 0],
        ['setex a 10 2', '+OK'],
        ['pttl a', 10_000],
        ['psetex a 20 3', '+OK'],
        ['pttl a', 20],
        ['getset a 4', '3'],
        ['pttl a', -1],
        ['getset b 1', null],
        ['setex a 0 1', badExpiry('setex')],
        ['psetex a -1 1', badExpiry('psetex')],
        ['setex a x 1', noInteger],
      ]));

    it('GETDEL answers the value once', () =>
      bench.answers([
        ['set a 1', '+OK'],
        ['getdel a', '1'],
        ['getdel a', null],
        ['exists a', 0],
      ]));

    it('GETEX reads and changes only the expiry', () =>
      bench.answers([
        ['getex a ex 10', null],
        ['set a 1', '+OK'],
        ['getex a', '1'],
        ['pttl a', -1],
        ['getex a px 100', '1'],
        ['pttl a', 100],
        ['getex a PERSIST', '1'],
        ['pttl a', -1],
        ['getex a persist', '1'],
        ['getex a persist ex 10', syntax],
        ['getex a keepttl', syntax],
        ['getex a ex 0', badExpiry('getex')],
        ['getex a pxat 1', '1'],
        ['exists a', 0],
      ]));

    it('MSET and MGET take their keys in order, the last value of a key winning', () =>
      bench.answers([
        ['mset a 1 b 2 a 3', '+OK'],
        ['mget a b c a', ['3', '2', null, '3']],
        ['mset a 1 b', "-ERR wrong number of arguments for 'mset' command"],
      ]));

    it('MSETNX writes all or nothing', () =>
      bench.answers([
        ['msetnx a 1 b 2', 1],
        ['msetnx b 3 c 4', 0],
        ['mget a b c', ['1', '2', null]],
        ['msetnx c 1 c 2', 1],
        ['get c', '2'],
        ['msetnx d', "-ERR wrong number of arguments for 'msetnx' command"],
      ]));

    it('counters answer the new number', () =>
      bench.answers([
        ['incr a', 1],
        ['incrby a 41', 42],
        ['decr a', 41],
        ['decrby a 50', -9],
        ['incrby a 9223372036854775807', 9223372036854775798n],
        ['incrby a 10', '-ERR increment or decrement would overflow'],
        ['decrby a -9223372036854775808', '-ERR decrement would overflow'],
        ['incrby a x', noInteger],
        ['incrby a 01', noInteger],
        ['set a x', '+OK'],
        ['incr a', noInteger],
        ['incrbyfloat b 0.1', '0.1'],
        ['incrbyfloat b 0.2', '0.3'],
        ['incrbyfloat b 3.0e3', '3000.30000000000000004'],
        ['incrbyfloat b x', '-ERR value is not a valid float'],
        ['incrbyfloat a 1', '-ERR value is not a valid float'],
        ['incrbyfloat b inf', '-ERR increment would produce NaN or Infinity'],
      ]));

    it('parts of values are read and written', () =>
      bench.answers([
        ['append a Hello', 5],
        ['append a !', 6],
        ['append a ""', 6],
        ['strlen a', 6],
        ['strlen b', 0],
        ['getrange a 0 -1', 'Hello!'],
        ['getrange a 1 3', 'ell'],
        ['getrange a -3 -2', 'lo'],
        ['getrange a -2 -3', ''],
        ['getrange a 4 2', ''],
        ['getrange a -100 100', 'Hello!'],
        ['getrange a 100 200', ''],
        ['substr a 1 1', 'e'],
        ['getrange b 0 1', ''],
        ['getrange a x 1', noInteger],
        ['setrange a 6 ""', 6],
        ['setrange b 3 ""', 0],
        ['exists b', 0],
        ['setrange b 2 x', 3],
        ['get b', '\0\0x'],
        ['setrange b -1 x', '-ERR offset is out of range'],
        ['setrange b 536870912 x', '-ERR string exceeds maximum allowed size (proto-max-bulk-len)'],
      ]));

    it('bits are set, read, counted and found', () =>
      bench.answers([
        ['setbit a 7 1', 0],
        ['setbit a 7 1', 1],
        ['setbit a 7 0', 1],
        ['setbit a 9 0', 0],
        ['strlen a', 2],
        ['getbit a 7', 0],
        ['getbit a 4294967295', 0],
        ['getbit b 0', 0],
        ['setbit a 0 2', '-ERR bit is not an integer or out of range'],
        ['setbit a -1 1', '-ERR bit offset is not an integer or out of range'],
        ['getbit a 4294967296', '-ERR bit offset is not an integer or out of range'],
        ['set a foobar', '+OK'],
        ['bitcount a', 26],
        ['bitcount a 1 1', 6],
        ['bitcount a 5 30 BIT', 17],
        ['bitcount a -2 -3', 0],
        ['bitcount a 0', syntax],
        ['bitcount a 0 1 x', syntax],
        ['bitcount b 0 -1', 0],
        ['bitpos a 1', 1],
        ['bitpos a 0', 0],
        ['bitpos a 1 1 1', 9],
        ['bitpos a 1 2 -1 bit', 2],
        ['bitpos a 1 10', -1],
        ['bitpos b 1', -1],
        ['bitpos b 0', 0],
        ['bitpos a 2', '-ERR The bit argument must be 1 or 0.'],
        ['bitpos a 1 0 1 x', syntax],
      ]));

    it('BITPOS takes the zeros behind a value only without an end', async () => {
      await bench.run('set', 'a', Buffer.from([0xff, 0xff]));
      await bench.answers([
        ['bitpos a 0', 16],
        ['bitpos a 0 1', 16],
        ['bitpos a 0 0 -1', -1],
        ['bitpos a 0 0 -1 bit', -1],
        ['set a ""', '+OK'],
        ['bitpos a 0', -1],
      ]);
    });

    it('keeps the bytes of keys and values as they are', async () => {
      const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
      await bench.run('set', bytes, bytes);
      expect(await bench.run('get', bytes)).to.equal(bytes.toString('latin1'));
    });
  });
}

describe('commands of many keys', () => {
  let bench: CommandBench;

  beforeEach(() => {
    bench = new CommandBench();
    bench.coordinator.refuse.set(
      'down',
      new RedisError('CLUSTERDOWN need 2 replicas, 1 reachable'),
    );
    bench.coordinator.refuse.set('lost', new RedisError('UNCERTAIN acknowledged by 1 of 2'));
  });

  for (const late of [false, true]) {
    const when = late ? 'late' : 'at once';

    it(`are UNCERTAIN when a part of their writes was refused, answers ${when}`, async () => {
      bench.coordinator.late = late;
      await bench.answers([
        ['mset down 1 down 2', '-CLUSTERDOWN need 2 replicas, 1 reachable'],
        [
          'mset down 1 a 2',
          '-UNCERTAIN 1 of 2 keys written, then: CLUSTERDOWN need 2 replicas, 1 reachable',
        ],
        ['get a', '2'],
        ['mset down 1 lost 2', '-UNCERTAIN acknowledged by 1 of 2'],
        ['del lost a', '-UNCERTAIN acknowledged by 1 of 2'],
        ['exists a', 0],
      ]);
    });

    it(`fail as their first failing read does, answers ${when}`, async () => {
      bench.coordinator.late = late;
      await bench.answers([['mget a down', '-CLUSTERDOWN need 2 replicas, 1 reachable']]);
    });
  }
});

describe('keyspace statistics', () => {
  it('count what readers find and miss', async () => {
    const bench = new CommandBench();
    await bench.answers([
      ['set a 1', '+OK'],
      ['get a', '1'],
      ['mget a b', ['1', null]],
      ['exists b', 0],
    ]);
    const { keyspaceHits, keyspaceMisses } = bench.frame.dispatcher.statistics;
    expect([keyspaceHits, keyspaceMisses]).to.deep.equal([2, 2]);
  });
});
