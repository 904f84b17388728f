import type { VersionVector } from './record.ts';

export interface OpenedContext {
  /** Keyed hash of (db, key): equal for contexts of one key. */
  readonly place: Buffer;
  readonly vv: VersionVector;
}

/** The printable form of a version vector that clients carry (DESIGN 2.4). */
export interface ContextCodec {
  seal(db: number, key: Buffer, vv: VersionVector): string;
  /** Seals a vv for an already hashed place (DYN.CONTEXT MERGE). */
  sealPlace(place: Buffer, vv: VersionVector): string;
  /** Throws a RedisError `BADCONTEXT ...` unless this ring made it and it is whole. */
  open(text: Buffer): OpenedContext;
  /** As open, and it must be of this key. Empty text: an empty vv, nothing seen. */
  openFor(db: number, key: Buffer, text: Buffer): VersionVector;
}
