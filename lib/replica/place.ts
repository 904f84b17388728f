/** Where a key of a client lies: slot on the ring, keyed hash, and the key in the storage. */
import { mapKey } from '../base/bytes.ts';
import { halfSipHash } from '../base/keyed-hash.ts';
import { slotOf } from '../ring/slots.ts';
import { dataKey, parseDataKey } from '../storage/keys.ts';

export class Place {
  readonly db: number;
  readonly slot: number;
  readonly hash32: number;
  readonly storageKey: Buffer;
  #id: string | undefined;

  constructor(db: number, slot: number, hash32: number, storageKey: Buffer) {
    this.db = db;
    this.slot = slot;
    this.hash32 = hash32;
    this.storageKey = storageKey;
  }

  /** The storage key as a text, for Maps. */
  get id(): string {
    this.#id ??= mapKey(this.storageKey);
    return this.#id;
  }
}

/** Makes places; keyed by the ring key, so that nobody outside can aim at one bucket. */
export class Locator {
  readonly #k0: number;
  readonly #k1: number;

  constructor(ringKey: Buffer) {
    this.#k0 = ringKey.readUInt32LE(0);
    this.#k1 = ringKey.readUInt32LE(4);
  }

  /** `key` is borrowed. */
  locate(db: number, key: Buffer): Place {
    const slot = slotOf(key);
    const hash32 = halfSipHash(this.#k0, this.#k1, key);
    return new Place(db, slot, hash32, dataKey({ slot, hash32, db }, key));
  }
}

export function placeOfStorageKey(storageKey: Buffer): Place {
  const { db, slot, hash32 } = parseDataKey(storageKey);
  return new Place(db, slot, hash32, storageKey);
}
