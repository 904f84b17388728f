import { expect } from 'chai';
import fc from 'fast-check';
import { StoreError } from '../../lib/base/errors.ts';
import {
  agendaKey,
  agendaRange,
  batchKey,
  dataKey,
  dataRange,
  familyRange,
  hintKey,
  hintRange,
  hintsFrom,
  isCounted,
  metaKey,
  parseAgendaKey,
  parseBatchKey,
  parseDataKey,
  parseHintKey,
  positionOf,
  slotRange,
} from '../../lib/storage/keys.ts';
import type { Range } from '../../lib/storage/storage.ts';

const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array));
const place = fc.record({
  slot: fc.integer({ min: 0, max: 16383 }),
  hash32: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  db: fc.integer({ min: 0, max: 255 }),
});
const inside = (key: Buffer, { from, to }: Range): boolean =>
  Buffer.compare(from, key) <= 0 && Buffer.compare(key, to) < 0;

describe('storage keys', () => {
  it('give back what they were made of', () => {
    fc.assert(
      fc.property(place, bytes, bytes, (where, key, element) => {
        const parsed = parseDataKey(dataKey(where, key, element));
        expect(parsed).to.deep.equal({ ...where, key, element });
      }),
    );
  });

  it('of hints lie by target, then as the records they are about', () => {
    const target = fc.uint8Array({ minLength: 20, maxLength: 20 }).map((id) => Buffer.from(id));
    fc.assert(
      fc.property(target, target, place, place, bytes, (one, other, a, b, key) => {
        const first = dataKey(a, key);
        const second = dataKey(b, key);
        const hint = hintKey(one, first);
        expect(parseHintKey(hint)).to.deep.equal({ target: one, dataKey: first });
        const order = Buffer.compare(one, other) || Buffer.compare(first, second);
        expect(Buffer.compare(hint, hintKey(other, second))).to.equal(order);
        expect(inside(hint, hintRange(other))).to.equal(one.equals(other));
        const isBehind = one.equals(other) && Buffer.compare(first, second) > 0;
        expect(inside(hint, hintRange(other, second))).to.equal(isBehind);
        expect(inside(hint, hintsFrom(other))).to.equal(Buffer.compare(one, other) > 0);
        expect([inside(hint, hintsFrom()), isCounted(hint)]).to.deep.equal([true, true]);
      }),
    );
  });

  it('are laid out as documented, for ever', () => {
    const key = dataKey({ slot: 0x0102, hash32: 0x0a0b0c0d, db: 5 }, Buffer.from('kk'));
    expect(key.toString('hex')).to.equal('6401020a0b0c0d05026b6b');
    expect(agendaKey('expires', 0x010203040506, key).toString('hex')).to.equal(
      `65010203040506${key.toString('hex')}`,
    );
    expect(batchKey(258).toString('hex')).to.equal('62000000000102');
    expect(metaKey('id').toString('hex')).to.equal('6d6964');
    expect(hintKey(Buffer.alloc(20, 0xee), key).toString('hex')).to.equal(
      `68${'ee'.repeat(20)}01020a0b0c0d05026b6b`,
    );
  });

  it('lie in the order of slot, hash32 and db', () => {
    fc.assert(
      fc.property(place, place, bytes, bytes, (a, b, keyA, keyB) => {
        const order = a.slot - b.slot || a.hash32 - b.hash32 || a.db - b.db;
        fc.pre(order !== 0);
        const found = Buffer.compare(dataKey(a, keyA), dataKey(b, keyB));
        expect(found).to.equal(Math.sign(order));
      }),
    );
  });

  it('keep every element of a key apart from every other key', () => {
    fc.assert(
      fc.property(place, bytes, bytes, bytes, bytes, (where, keyA, keyB, elementA, elementB) => {
        fc.pre(!keyA.equals(keyB) || !elementA.equals(elementB));
        const a = dataKey(where, keyA, elementA);
        expect(a.equals(dataKey(where, keyB, elementB))).to.equal(false);
      }),
    );
  });

  it('fall into the ranges of their position, slot and family', () => {
    fc.assert(
      fc.property(place, bytes, (where, key) => {
        const made = dataKey(where, key);
        const position = where.slot * 2 ** 32 + where.hash32;
        expect(positionOf(made)).to.equal(position);
        expect(inside(made, dataRange())).to.equal(true);
        expect(inside(made, dataRange(position, position + 1))).to.equal(true);
        expect(inside(made, dataRange(position + 1))).to.equal(false);
        expect(inside(made, slotRange(where.slot, where.slot + 1))).to.equal(true);
        expect(inside(made, slotRange(0, where.slot))).to.equal(false);
        expect(inside(made, familyRange('data'))).to.equal(true);
        expect(inside(made, familyRange('hint'))).to.equal(false);
        expect(isCounted(made)).to.equal(true);
      }),
    );
  });

  it('put an agenda in the order of its instants, the last one included', () => {
    const key = dataKey({ slot: 1, hash32: 2, db: 3 }, Buffer.from('k'));
    const at = agendaKey('deleted', 1000, key);
    expect(parseAgendaKey(at)).to.deep.equal({ atMs: 1000, dataKey: key });
    expect(inside(at, agendaRange('deleted', 1000))).to.equal(true);
    expect(inside(at, agendaRange('deleted', 999))).to.equal(false);
    expect(inside(at, agendaRange('expired', 1000))).to.equal(false);
    expect(isCounted(at)).to.equal(false);
  });

  it('refuse bytes that are no key as corrupt', () => {
    const sound = dataKey({ slot: 1, hash32: 2, db: 3 }, Buffer.from('key'));
    const cases = [
      Buffer.alloc(0),
      sound.subarray(0, 8),
      sound.subarray(0, 11),
      Buffer.concat([sound.subarray(0, 8), Buffer.alloc(9, 0xff)]),
      metaKey('a name that is long enough'),
    ];
    for (const bad of cases) expect(() => parseDataKey(bad)).to.throw(StoreError);
    expect(() => parseAgendaKey(Buffer.alloc(7))).to.throw(StoreError);
    expect(parseBatchKey(batchKey(7))).to.equal(7);
    expect(parseBatchKey(Buffer.alloc(8))).to.equal(undefined);
  });
});
