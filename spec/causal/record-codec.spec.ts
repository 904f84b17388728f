import { expect } from 'chai';
import fc from 'fast-check';
import { CodecError } from '../../lib/base/byte-reader.ts';
import { emptyRecord, merge, type Record, siblingKind } from '../../lib/causal/record.ts';
import {
  decodeRecord,
  digest,
  newWinnerView,
  peekWinner,
  recordBytes,
  writeRecord,
} from '../../lib/causal/record-codec.ts';
import { winner } from '../../lib/causal/visible.ts';
import { anyRecord, closeRecord } from './arbitraries.ts';

function encode(record: Record, before = 0, behind = 0): Buffer {
  const bytes = Buffer.alloc(before + recordBytes(record) + behind, 0xaa);
  expect(writeRecord(bytes, before, record)).to.equal(bytes.length - behind);
  return bytes;
}

function decode(bytes: Buffer): Record {
  return decodeRecord(bytes, 0, bytes.length);
}

/** One actor, one sibling: `0101 01 | actor stamp | place stamp flags length bytes`. */
const plain: Record = {
  vv: [{ actor: 0x0a0b0c0d0e0f, stamp: 0x01020304050607 }],
  siblings: [
    {
      dot: { actor: 0x0a0b0c0d0e0f, stamp: 0x01020304050607 },
      order: 0x01020304050607,
      kind: siblingKind.value,
      expireAtMs: 0,
      bytes: Buffer.from('hi'),
    },
  ],
};
const plainHex = '010101' + '0a0b0c0d0e0f01020304050607' + '0001020304050607' + '0102' + '6869';

describe('record codec', () => {
  it('has the layout that is stored: it may only change with the format version', () => {
    expect(encode(plain).toString('hex')).to.equal(plainHex);
    expect(encode(emptyRecord).toString('hex')).to.equal('010000');
    const full = {
      vv: plain.vv,
      siblings: plain.siblings.map((s) => ({ ...s, order: 7, kind: 2 as const, expireAtMs: 9 })),
    };
    const flagged = `00${'01020304050607'}c2${'00000000000007'}${'00000000000009'}026869`;
    expect(encode(full).toString('hex')).to.equal(plainHex.slice(0, 32) + flagged);
  });

  it('gives back what it was given, at any offset', () => {
    fc.assert(
      fc.property(anyRecord, fc.nat({ max: 9 }), fc.nat({ max: 9 }), (record, before, behind) => {
        const bytes = encode(record, before, behind);
        expect(decodeRecord(bytes, before, bytes.length - behind)).to.deep.equal(record);
      }),
      { numRuns: 300 },
    );
  });

  it('writes equal states as equal bytes and others as others', () => {
    fc.assert(
      fc.property(closeRecord(), closeRecord(), closeRecord(), (a, b, c) => {
        const [left, right] = [merge(merge(a, b), c), merge(c, merge(b, a))];
        expect(encode(left).equals(encode(right))).to.equal(true);
        const same = merge(a, b) === a && merge(b, a) === b;
        expect(encode(a).equals(encode(b))).to.equal(same);
      }),
    );
  });

  it('hands out values as views of what it read', () => {
    const bytes = encode(plain);
    const value = decode(bytes).siblings[0]?.bytes;
    bytes.fill('!', bytes.length - 2);
    expect(value?.toString()).to.equal('!!');
  });

  it('peeks at the sibling that wins without decoding', () => {
    const view = newWinnerView();
    fc.assert(
      fc.property(fc.oneof(anyRecord, closeRecord()), fc.nat({ max: 9 }), (record, before) => {
        const bytes = encode(record, before, 3);
        expect(peekWinner(bytes, before, view)).to.equal(view);
        const best = winner(record.siblings);
        expect(view.siblings).to.equal(record.siblings.length);
        if (best === undefined) return;
        expect({ actor: view.dotActor, stamp: view.dotStamp }).to.deep.equal(best.dot);
        expect(view).to.include({
          order: best.order,
          kind: best.kind,
          expireAtMs: best.expireAtMs,
        });
        expect(bytes.subarray(view.valueStart, view.valueEnd).equals(best.bytes)).to.equal(true);
      }),
      { numRuns: 300 },
    );
  });

  it('refuses a format that it does not know, by number', () => {
    const bytes = Buffer.from(`02${plainHex.slice(2)}`, 'hex');
    const text = 'record format 2 is not known to this version';
    expect(() => decode(bytes)).to.throw(CodecError, text);
    expect(() => peekWinner(bytes, 0, newWinnerView())).to.throw(CodecError, text);
  });

  it('refuses what is not canonical, though it could be read', () => {
    const vvOf = (...actors: string[]) =>
      actors.map((a) => `00000000000${a}00000000000005`).join('');
    const sibling = (place: string, stamp: string) => `${place}0000000000000${stamp}0100`;
    const refused: [string, string][] = [
      [`010200${vvOf('2', '1')}`, 'out of order'],
      [`010200${vvOf('1', '1')}`, 'out of order'],
      [`010100${'000000000001'}${'00000000000000'}`, 'bad dot'],
      [`010100${'000000000001'}${'20000000000000'}`, 'above all limits'],
      [`010102${vvOf('1')}${sibling('00', '5')}${sibling('00', '4')}`, 'out of order'],
      [`010102${vvOf('1')}${sibling('00', '5')}${sibling('00', '5')}`, 'out of order'],
      [`010101${vvOf('1')}${sibling('00', '6')}`, 'not covered'],
      [`010101${vvOf('1')}${sibling('01', '5')}`, 'actor that its record lacks'],
      [`01810000${vvOf('1')}`, 'canonical'],
      [`010101${vvOf('1')}00${'00000000000005'}41${'00000000000005'}00`, 'canonical'],
      [`010101${vvOf('1')}00${'00000000000005'}81${'00000000000000'}00`, 'canonical'],
      [`010101${vvOf('1')}00${'00000000000005'}81${'ff000000000000'}00`, 'above all limits'],
      [`010101${vvOf('1')}00${'00000000000005'}0900`, 'sibling kind 9 is not known'],
      [`${plainHex}00`, 'behind its end'],
      ['01ffffffffff7f', 'above all limits'],
    ];
    for (const [hex, text] of refused) {
      expect(() => decode(Buffer.from(hex, 'hex')), hex).to.throw(CodecError, text);
    }
  });

  it('refuses every record that is cut short', () => {
    fc.assert(
      fc.property(anyRecord, fc.nat(), (record, cut) => {
        const bytes = encode(record);
        expect(() => decode(bytes.subarray(0, cut % bytes.length))).to.throw(CodecError);
      }),
    );
  });

  it('reads any bytes as a canonical record or refuses them', () => {
    const change = fc.tuple(fc.nat(), fc.nat({ max: 255 }));
    const mutated = fc
      .tuple(anyRecord, fc.array(change, { minLength: 1, maxLength: 4 }))
      .map(([record, changes]) => {
        const bytes = encode(record);
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        return bytes;
      });
    const noise = fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from([1, ...bytes]));
    fc.assert(
      fc.property(fc.oneof(mutated, noise), (bytes) => {
        let record: Record;
        try {
          record = decode(bytes);
        } catch (error) {
          expect(error).to.be.instanceOf(CodecError);
          return;
        }
        expect(encode(record).equals(bytes)).to.equal(true);
      }),
      { numRuns: 2000 },
    );
  });

  it('believes no announced count or length', () => {
    for (const hex of ['01ffffffff0f00', '0100ffffffff0f', '01ffffffff7fffffffff7f']) {
      expect(() => decode(Buffer.from(hex, 'hex'))).to.throw(CodecError, 'too early');
    }
    const long = plainHex.replace('01026869', '01ffffffff0f6869');
    expect(() => decode(Buffer.from(long, 'hex'))).to.throw(CodecError, 'too early');
  });

  it('digests what was seen and which siblings there are, not their values', () => {
    const asHex = (bytes: Buffer) => bytes.toString('hex');
    fc.assert(
      fc.property(closeRecord(), closeRecord(), (a, b) => {
        const same = merge(a, b) === a && merge(b, a) === b;
        expect(digest(a, asHex) === digest(b, asHex)).to.equal(same);
        const masked = {
          vv: a.vv,
          siblings: a.siblings.map((sibling) => ({
            ...sibling,
            expireAtMs: 5,
            bytes: Buffer.of(1),
          })),
        };
        expect(digest(masked, asHex)).to.equal(digest(a, asHex));
      }),
    );
  });
});
