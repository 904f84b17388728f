import { crc32 } from 'node:zlib';
import { expect } from 'chai';
import fc from 'fast-check';
import {
  type BatchRow,
  decodeBatchRow,
  difference,
  encodeBatchRow,
  isZero,
} from '../../lib/storage/batch-row.ts';
import { batchKey } from '../../lib/storage/keys.ts';
import { bodyEnd, bodyStart, isSound, RowSum, sealRow } from '../../lib/storage/row.ts';

const bytes = fc.uint8Array({ minLength: 1, maxLength: 60 }).map((array) => Buffer.from(array));
const nothing = { count: 0, low: 0, high: 0 };

const seal = (key: Buffer, body: Buffer): Buffer =>
  sealRow(key, body.length, (target, at) => target.set(body, at), crc32);

describe('sealed rows', () => {
  it('keep their body', () => {
    fc.assert(
      fc.property(bytes, bytes, (key, body) => {
        const row = seal(key, body);
        expect(row.subarray(bodyStart, bodyEnd(row)).equals(body)).to.equal(true);
        expect(isSound(key, row, crc32)).to.equal(true);
      }),
    );
  });

  it('are corrupt after any flipped bit, of theirs or of their key', () => {
    fc.assert(
      fc.property(bytes, bytes, fc.nat(), fc.nat(7), fc.boolean(), (key, body, at, bit, inKey) => {
        const row = seal(key, body);
        const target = inKey ? key : row;
        const index = at % target.length;
        target[index] = (target[index] ?? 0) ^ (1 << bit);
        expect(isSound(key, row, crc32)).to.equal(false);
      }),
    );
  });

  it('are corrupt when cut short', () => {
    const row = seal(Buffer.from('k'), Buffer.from('body'));
    for (let length = 0; length < row.length; length += 1) {
      expect(isSound(Buffer.from('k'), row.subarray(0, length), crc32)).to.equal(false);
    }
  });

  it('of a later format are refused by its number', () => {
    const key = Buffer.from('k');
    const row = seal(key, Buffer.from('body'));
    row[0] = 9;
    row.writeUInt32BE(crc32(row.subarray(0, bodyEnd(row)), crc32(key)), bodyEnd(row));
    expect(() => isSound(key, row, crc32)).to.throw('row format 9');
  });
});

describe('the running sum of rows', () => {
  const rows = fc.array(fc.tuple(bytes, bytes), { maxLength: 20 });

  it('does not depend on order, and forgets what is taken out', () => {
    fc.assert(
      fc.property(rows, rows, (kept, gone) => {
        const one = new RowSum(nothing);
        const other = new RowSum(nothing);
        for (const [key, body] of [...kept, ...gone]) one.add(key, seal(key, body));
        for (const [key, body] of gone) one.remove(key, seal(key, body));
        for (const [key, body] of kept.toReversed()) other.add(key, seal(key, body));
        expect(one).to.deep.equal(other);
      }),
    );
  });

  it('shows two rows that changed by the same difference, which plain checksums hide', () => {
    const [a, b] = [Buffer.from('key:a'), Buffer.from('key:b')];
    const rowsOf = (value: string) => [seal(a, Buffer.from(value)), seal(b, Buffer.from(value))];
    const crcOf = (row: Buffer): number => row.readUInt32BE(bodyEnd(row));
    const sumOf = ([rowA, rowB]: readonly Buffer[]): RowSum => {
      const sum = new RowSum(nothing);
      if (rowA !== undefined) sum.add(a, rowA);
      if (rowB !== undefined) sum.add(b, rowB);
      return sum;
    };
    const [before, later] = [rowsOf('1'), rowsOf('2')];
    const xor = (found: readonly Buffer[]): number =>
      found.reduce((sum, row) => sum ^ crcOf(row), 0);
    expect(xor(before)).to.equal(xor(later));
    expect(sumOf(before).low).not.to.equal(sumOf(later).low);
    expect(sumOf(before).high).not.to.equal(sumOf(later).high);
  });

  it('has no two hashes alike among many rows that differ little', () => {
    const seen = new Set<string>();
    for (let index = 0; index < 20_000; index += 1) {
      const sum = new RowSum(nothing);
      const key = Buffer.from(`key:${index % 100}`);
      sum.add(key, seal(key, Buffer.from(`value ${index}`)));
      seen.add(`${sum.low}:${sum.high}`);
    }
    expect(seen.size).to.equal(20_000);
  });

  it('obeys expected + difference(found, expected) = found', () => {
    const sums = fc.record({
      count: fc.nat(),
      low: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      high: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    });
    fc.assert(
      fc.property(sums, sums, (found, expected) => {
        const sum = new RowSum(expected);
        sum.include(difference(found, expected));
        expect({ ...sum }).to.deep.equal(found);
        expect(isZero(difference(found, found))).to.equal(true);
      }),
    );
  });
});

describe('batch rows', () => {
  const row: BatchRow = {
    number: 2 ** 40 + 3,
    first: 2 ** 40,
    count: 5_000_000_000,
    low: 0xfffffffe,
    high: 1,
    ceiling: 2 ** 52 + 1,
    tallies: new Map([
      [0, 12],
      [65535, -3],
    ]),
  };
  const key = batchKey(row.number);

  it('give back what they were made of', () => {
    expect(decodeBatchRow(key, encodeBatchRow(key, row, crc32), crc32)).to.deep.equal(row);
  });

  it('say nothing when damaged', () => {
    const bad = encodeBatchRow(key, row, crc32);
    bad[5] = (bad[5] ?? 0) ^ 1;
    expect(decodeBatchRow(key, bad, crc32)).to.equal(undefined);
    expect(decodeBatchRow(batchKey(1), encodeBatchRow(key, row, crc32), crc32)).to.equal(undefined);
  });
});
