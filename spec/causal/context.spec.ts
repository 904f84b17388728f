import { createHmac, timingSafeEqual } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';
import { contextCodec } from '../../lib/causal/context.ts';
import { makeVersionVector } from '../../lib/causal/version-vector.ts';
import { anyVector } from './arbitraries.ts';

const hashes = {
  hmacSha256(key: Uint8Array, ...parts: readonly Uint8Array[]): Buffer {
    const hmac = createHmac('sha256', key);
    for (const part of parts) hmac.update(part);
    return hmac.digest();
  },
  equal: (a: Uint8Array, b: Uint8Array) => timingSafeEqual(a, b),
};

const codec = contextCodec(Buffer.from('the key of this ring'), hashes);
const stranger = contextCodec(Buffer.from('the key of another ring'), hashes);
const key = Buffer.from('cart:7');
const vv = makeVersionVector([
  { actor: 1, stamp: 77 },
  { actor: 2 ** 48 - 1, stamp: Number.MAX_SAFE_INTEGER },
]);

describe('context', () => {
  it('opens to the vector that was sealed', () => {
    fc.assert(
      fc.property(anyVector, fc.nat({ max: 15 }), fc.uint8Array(), (seen, db, bytes) => {
        const text = codec.seal(db, Buffer.from(bytes), seen);
        expect(text).to.match(/^[\w-]*$/);
        expect(codec.openFor(db, Buffer.from(bytes), Buffer.from(text))).to.deep.equal(seen);
      }),
    );
  });

  it('is the empty text when nothing was seen, of any key and ring', () => {
    expect(codec.seal(0, key, [])).to.equal('');
    expect(codec.open(Buffer.alloc(0))).to.equal(undefined);
    expect(stranger.openFor(3, key, Buffer.alloc(0))).to.deep.equal([]);
  });

  it('has one place for all contexts of a key, under which others can be sealed', () => {
    const opened = codec.open(Buffer.from(codec.seal(0, key, vv)));
    const other = codec.open(Buffer.from(codec.seal(0, key, [{ actor: 5, stamp: 5 }])));
    expect(opened?.place).to.deep.equal(other?.place);
    expect(codec.sealPlace(opened?.place ?? Buffer.alloc(8), vv)).to.equal(codec.seal(0, key, vv));
  });

  it('is refused for another key or database', () => {
    const text = Buffer.from(codec.seal(0, key, vv));
    const refused = 'BADCONTEXT the context is of another key';
    expect(() => codec.openFor(0, Buffer.from('cart:8'), text)).to.throw(refused);
    expect(() => codec.openFor(1, key, text)).to.throw(refused);
  });

  it('is refused by another ring, which says so', () => {
    const text = Buffer.from(codec.seal(0, key, vv));
    expect(() => stranger.open(text)).to.throw('BADCONTEXT the context was made by another ring');
  });

  it('is refused with any one character changed, added or lost', () => {
    for (const entries of [1, 2, 3]) {
      const seen = Array.from({ length: entries }, (_, actor) => ({ actor, stamp: 9 }));
      const text = codec.seal(0, key, seen);
      const open = (changed: string) => () => codec.open(Buffer.from(changed, 'latin1'));
      for (let at = 0; at < text.length; at += 1) {
        for (const character of 'ABQgw9-_=+ \n\xff') {
          if (character === text[at]) continue;
          const changed = text.slice(0, at) + character + text.slice(at + 1);
          expect(open(changed), changed).to.throw(/^BADCONTEXT /);
        }
        expect(open(text.slice(0, at) + text.slice(at + 1))).to.throw(/^BADCONTEXT /);
        expect(open(`${text.slice(0, at)}A${text.slice(at)}`)).to.throw(/^BADCONTEXT /);
      }
      expect(open(`${text}=`)).to.throw('BADCONTEXT the context is damaged');
    }
  });

  it('names a format that this version does not know', () => {
    const bytes = Buffer.from(codec.seal(0, key, vv), 'base64url');
    bytes[0] = 2;
    const text = Buffer.from(bytes.toString('base64url'));
    expect(() => codec.open(text)).to.throw('BADCONTEXT format 2 is not known to this version');
  });

  it('refuses a vector out of order even with a good MAC', () => {
    const text = Buffer.from(codec.seal(0, key, [...vv].reverse()));
    expect(() => codec.open(text)).to.throw('BADCONTEXT the context is damaged');
  });

  it('is refused beyond 64 KB, on the way in and on the way out', () => {
    const of = (count: number) =>
      Array.from({ length: count }, (_, actor) => ({ actor, stamp: 1 }));
    const longest = codec.seal(0, key, of(3778));
    expect(longest.length).to.be.at.most(65_536);
    expect(codec.openFor(0, key, Buffer.from(longest))).to.have.length(3778);
    expect(() => codec.seal(0, key, of(3779))).to.throw('ERR a context holds up to 3778 actors');
    expect(() => codec.open(Buffer.alloc(65_537, 'A'))).to.throw('BADCONTEXT');
  });
});
