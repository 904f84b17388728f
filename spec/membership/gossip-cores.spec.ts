/** How long a suspect has, how a node judges itself, what is told first. */
import { expect } from 'chai';
import fc from 'fast-check';
import { CodecError } from '../../lib/base/byte-reader.ts';
import {
  Awareness,
  graceMs,
  lateMs,
  scoreMax,
  startGraceMs,
} from '../../lib/membership/awareness-core.ts';
import {
  decodeMessage,
  encodeBuckets,
  encodeEntries,
  encodeNews,
  encodeRumour,
} from '../../lib/membership/gossip-messages.ts';
import { Rumours, tellingsFor } from '../../lib/membership/rumours-core.ts';
import { suspicionMs } from '../../lib/membership/suspicion-core.ts';
import { entryOf, idOf } from './gossip-world.ts';

describe('the deadline of a suspicion', () => {
  it('falls from six times the minimum to the minimum as two others confirm', () => {
    expect(suspicionMs(1, 10, 500)).to.equal(12_000);
    expect(suspicionMs(2, 10, 500)).to.be.closeTo(
      12_000 - (10_000 * Math.log(2)) / Math.log(3),
      1e-6,
    );
    expect(suspicionMs(3, 10, 500)).to.equal(2000);
    expect(suspicionMs(3, 1000, 500)).to.be.closeTo(6000, 1e-6);
    expect(suspicionMs(1, 1000, 500)).to.be.closeTo(36_000, 1e-6);
  });

  it('is the minimum where two others cannot confirm', () => {
    for (const present of [1, 2, 3]) expect(suspicionMs(1, present, 500)).to.equal(2000);
  });

  it('never grows with the accusers, and never shrinks with the members', () => {
    const counts = fc.integer({ min: 4, max: 5000 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6 }), counts, counts, (accusers, a, b) => {
        const [few, many] = [Math.min(a, b), Math.max(a, b)];
        expect(suspicionMs(accusers + 1, few, 500)).to.be.at.most(suspicionMs(accusers, few, 500));
        expect(suspicionMs(accusers, few, 500)).to.be.at.most(suspicionMs(accusers, many, 500));
      }),
    );
  });
});

describe('the awareness of a node', () => {
  it('stays within its bounds', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -3, max: 3 })), (changes) => {
        const awareness = new Awareness(0);
        for (const by of changes) {
          awareness.change(by);
          expect(awareness.score).to.be.within(0, scoreMax);
          expect(awareness.factor).to.equal(awareness.score + 1);
        }
      }),
    );
  });

  it('is not trusted after the start, nor after a standstill, which costs a point once', () => {
    const awareness = new Awareness(0);
    expect(awareness.isTrusted(startGraceMs - 1)).to.equal(false);
    expect(awareness.isTrusted(startGraceMs)).to.equal(true);
    expect(awareness.noticeLate(20_000, 20_000 + lateMs)).to.equal(false);
    expect(awareness.noticeLate(20_000, 80_000)).to.equal(true);
    expect(awareness.noticeLate(20_100, 80_000)).to.equal(true);
    expect(awareness.score).to.equal(1);
    expect(awareness.isTrusted(80_000 + graceMs - 1)).to.equal(false);
    expect(awareness.isTrusted(80_000 + graceMs)).to.equal(true);
  });
});

describe('the rumours of a node', () => {
  const bytes = (text: string): Buffer => Buffer.from(text);

  it('are told so many times each, the least told first, of these the newest', () => {
    const rumours = new Rumours();
    rumours.add('a', bytes('a1'));
    rumours.add('b', bytes('b1'));
    expect(rumours.take(3, 4).map(String)).to.deep.equal(['b1']);
    rumours.add('c', bytes('c1'));
    expect(rumours.take(100, 4).map(String)).to.deep.equal(['c1', 'a1', 'b1']);
    rumours.add('a', bytes('a2'));
    expect(rumours.take(100, 4).map(String)).to.deep.equal(['a2', 'c1', 'b1']);
  });

  it('are each told to the end, whatever the room, with the newest word', () => {
    const adds = fc.array(fc.tuple(fc.nat(5), fc.nat(9)), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(adds, fc.integer({ min: 1, max: 9 }), fc.nat(12), (added, tellings, room) => {
        const rumours = new Rumours();
        const last = new Map(added.map(([id, value]) => [String(id), `${id}-${value}`]));
        for (const [id, value] of added) rumours.add(String(id), bytes(`${id}-${value}`));
        const told = new Map<string, number>();
        while (rumours.count > 0) {
          const taken = rumours.take(room, tellings).map(String);
          expect(taken).to.not.deep.equal([]);
          expect(new Set(taken).size).to.equal(taken.length);
          for (const text of taken) told.set(text, (told.get(text) ?? 0) + 1);
        }
        expect([...told.keys()].sort()).to.deep.equal([...last.values()].sort());
        expect([...told.values()].every((times) => times === tellings)).to.equal(true);
        expect(rumours.take(100, tellings)).to.deep.equal([]);
      }),
    );
  });

  it('are told the oftener the more members there are', () => {
    expect([1, 9, 10, 99, 100, 1000].map(tellingsFor)).to.deep.equal([4, 4, 8, 8, 12, 16]);
  });
});

describe('a message of members', () => {
  const digest = Buffer.from('12345678');
  const fingerprint = Buffer.from('abcdefgh');
  const rumours = [
    { entry: entryOf(1), accusers: [] },
    { entry: entryOf(2, { state: 'suspect' as const }), accusers: [idOf(3), idOf(4)] },
  ];
  const encoded = rumours.map(encodeRumour);
  const messages = {
    news: encodeNews(digest, fingerprint, encoded),
    buckets: encodeBuckets(Buffer.alloc(512, 7)),
    entries: encodeEntries([0, 63], encoded),
  };

  it('comes back from its bytes', () => {
    expect(decodeMessage(messages.news)).to.deep.equal({
      kind: 'news',
      digest,
      fingerprint,
      rumours,
    });
    expect(decodeMessage(messages.buckets)).to.deep.equal({
      kind: 'buckets',
      digests: Buffer.alloc(512, 7),
    });
    expect(decodeMessage(messages.entries)).to.deep.equal({
      kind: 'entries',
      buckets: [0, 63],
      rumours,
    });
  });

  it('is refused with a CodecError when it is cut off, longer, or of another format', () => {
    for (const bytes of Object.values(messages)) {
      for (let at = 0; at < bytes.length; at += 1) {
        expect(() => decodeMessage(bytes.subarray(0, at))).to.throw(CodecError);
      }
      expect(() => decodeMessage(Buffer.concat([bytes, Buffer.of(0)]))).to.throw(CodecError);
      expect(() => decodeMessage(Buffer.concat([Buffer.of(9), bytes]))).to.throw(CodecError);
    }
    expect(() => decodeMessage(encodeEntries([64], []))).to.throw(CodecError);
  });
});
