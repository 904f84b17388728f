/**
 * The printable form of a version vector that clients carry (DESIGN 2.4): what they have read, to
 * be handed back with what they write. Base64url text of
 *
 *   u8 format, 1 | ring id (4 bytes) | place (8) | n times actor (6), stamp (7) | MAC (16)
 *
 * The ring id is a hash of the ring key, the place a keyed hash of (db, key), the MAC covers all
 * before it. A context decides which values a write removes, so it is taken whole or not at all:
 * one that is damaged, of another ring or of another key is refused, never guessed at. The empty
 * text is the context that has seen nothing, of any key, and no other text is.
 */
import { RedisError } from '../base/errors.ts';
import { type Dot, faultOf, type VersionVector } from './record.ts';
import { dotBytes, readDot, writeDots } from './record-codec.ts';
import { nothingSeen } from './version-vector.ts';

export interface OpenedContext {
  /** Keyed hash of (db, key): equal for contexts of one key. */
  readonly place: Buffer;
  readonly vv: VersionVector;
}

/** The printable form of a version vector that clients carry (DESIGN 2.4). */
export interface ContextCodec {
  /** Throws a RedisError where the vector is too long for 64 KB. An empty one is the empty text. */
  seal(db: number, key: Buffer, vv: VersionVector): string;
  /** Seals a vv for an already hashed place (DYN.CONTEXT MERGE). */
  sealPlace(place: Buffer, vv: VersionVector): string;
  /**
   * Throws a RedisError `BADCONTEXT ...` unless this ring made it and it is whole. undefined: the
   * empty text, which has seen nothing and belongs to every key.
   */
  open(text: Buffer): OpenedContext | undefined;
  /** As open, and it must be of this key. Empty text: an empty vv, nothing seen. */
  openFor(db: number, key: Buffer, text: Buffer): VersionVector;
}

/** What the codec needs of the platform (`Hashes` of runtime/ports.ts has it). */
export interface ContextHashes {
  hmacSha256(key: Uint8Array, ...parts: readonly Uint8Array[]): Buffer;
  equal(a: Uint8Array, b: Uint8Array): boolean;
}

const contextFormat = 1;
const placeAt = 5;
const dotsAt = 13;
const macBytes = 16;
const textBytesMax = 65_536;
const dotsMax = Math.floor(((textBytesMax / 4) * 3 - dotsAt - macBytes) / dotBytes);

/** One key, three uses: what is hashed starts with its use. */
const ringUse = Buffer.from('ring\0');
const placeUse = Buffer.from('place\0');
const macUse = Buffer.from('context\0');

const damaged = 'BADCONTEXT the context is damaged';
const otherRing = 'BADCONTEXT the context was made by another ring';
const otherKey = 'BADCONTEXT the context is of another key';

export function contextCodec(ringKey: Buffer, hashes: ContextHashes): ContextCodec {
  const ringId = hashes.hmacSha256(ringKey, ringUse).subarray(0, placeAt - 1);

  function placeOf(db: number, key: Buffer): Buffer {
    const dbBytes = Buffer.alloc(4);
    dbBytes.writeUInt32BE(db);
    return hashes.hmacSha256(ringKey, placeUse, dbBytes, key).subarray(0, dotsAt - placeAt);
  }

  function macOf(body: Buffer): Buffer {
    return hashes.hmacSha256(ringKey, macUse, body).subarray(0, macBytes);
  }

  function sealPlace(place: Buffer, vv: VersionVector): string {
    if (vv.length === 0) return '';
    if (vv.length > dotsMax) {
      throw new RedisError(`ERR a context holds up to ${dotsMax} actors, this has ${vv.length}`);
    }
    const bytes = Buffer.alloc(dotsAt + vv.length * dotBytes + macBytes);
    bytes[0] = contextFormat;
    bytes.set(ringId, 1);
    bytes.set(place, placeAt);
    const macAt = writeDots(bytes, vv, dotsAt);
    bytes.set(macOf(bytes.subarray(0, macAt)), macAt);
    return bytes.toString('base64url');
  }

  function open(text: Buffer): OpenedContext | undefined {
    if (text.length === 0) return undefined;
    const bytes = fromText(text);
    if (bytes[0] !== contextFormat) {
      throw new RedisError(`BADCONTEXT format ${bytes[0]} is not known to this version`);
    }
    if (!bytes.subarray(1, placeAt).equals(ringId)) throw new RedisError(otherRing);
    const macAt = bytes.length - macBytes;
    if (!hashes.equal(macOf(bytes.subarray(0, macAt)), bytes.subarray(macAt))) {
      throw new RedisError(damaged);
    }
    return { place: bytes.subarray(placeAt, dotsAt), vv: readVector(bytes, macAt) };
  }

  return {
    sealPlace,
    open,
    seal: (db, key, vv) => sealPlace(placeOf(db, key), vv),
    openFor(db, key, text) {
      const opened = open(text);
      if (opened === undefined) return nothingSeen;
      if (!opened.place.equals(placeOf(db, key))) throw new RedisError(otherKey);
      return opened.vv;
    },
  };
}

/** Refuses whatever `seal` would not have written, such as set bits in the padding. */
function fromText(text: Buffer): Buffer {
  if (text.length > textBytesMax) throw new RedisError(damaged);
  const latin = text.toString('latin1');
  const bytes = Buffer.from(latin, 'base64url');
  const dotsBytes = bytes.length - dotsAt - macBytes;
  const whole = dotsBytes > 0 && dotsBytes % dotBytes === 0;
  if (!whole || bytes.toString('base64url') !== latin) throw new RedisError(damaged);
  return bytes;
}

function readVector(bytes: Buffer, end: number): VersionVector {
  const vv: Dot[] = [];
  for (let at = dotsAt; at < end; at += dotBytes) vv.push(readDot(bytes, at));
  if (faultOf({ vv, siblings: [] }) !== undefined) throw new RedisError(damaged);
  return vv;
}
