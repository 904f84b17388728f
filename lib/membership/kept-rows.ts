/**
 * Facts of this node that it must not lose: each lies in two rows, written in one batch, so that a
 * damaged copy is no loss. Where both are damaged only the operator can help: what a node has
 * promised or been is never guessed (RELIABILITY 1.17).
 */
import { CodecError } from '../base/byte-reader.ts';
import { StoreError } from '../base/errors.ts';
import { type Deferred, nothing } from '../base/later.ts';
import type { System } from '../runtime/ports.ts';
import type { Change } from '../storage/batch-row.ts';
import { metaKey } from '../storage/keys.ts';
import { readMeta, sealMeta } from '../storage/meta.ts';
import type { Store } from '../storage/store.ts';
import { IdentityError } from './identity.ts';

/** A row that is there and cannot be read. */
export const damaged = Symbol('damaged');

function copiesOf(name: string): readonly string[] {
  return [name, `${name}-1`];
}

export function sealKept(name: string, bytes: Buffer, { hashes }: System): readonly Change[] {
  return copiesOf(name).map((copy) => sealMeta(copy, bytes, hashes.crc32));
}

export function removeKept(name: string): readonly Change[] {
  return copiesOf(name).map(removeRow);
}

export function removeRow(name: string): Change {
  return { key: metaKey(name), row: undefined, previous: undefined };
}

/** The first copy that is sound; undefined: neither is there. Throws an IdentityError. */
export async function readKept<T>(
  store: Store,
  name: string,
  decode: (bytes: Buffer) => T,
  { log }: System,
): Promise<T | undefined> {
  const copies: (T | typeof damaged | undefined)[] = [];
  for (const copy of copiesOf(name)) copies.push(await readRow(store, copy, decode));
  const sound = copies.find((copy): copy is T => copy !== undefined && copy !== damaged);
  if (!copies.includes(damaged)) return sound;
  if (sound === undefined) throw damageOf(name);
  log.warning('one of two copies is damaged', { row: name });
  return sound;
}

export async function readRow<T>(
  store: Store,
  name: string,
  decode: (bytes: Buffer) => T,
): Promise<T | typeof damaged | undefined> {
  try {
    const bytes = await readMeta(store, name);
    return bytes && decode(bytes);
  } catch (error) {
    const isCorrupt = error instanceof StoreError && error.code === 'corrupt';
    if (!isCorrupt && !(error instanceof CodecError)) throw error;
    return damaged;
  }
}

export function damageOf(what: string): IdentityError {
  return new IdentityError(`the ${what} of this node is damaged: restore the data directory`);
}

/**
 * Both in one turn, so that the batch is a synced one. A batch that is acknowledged first could be
 * missed after a power cut, and an empty node that misses something refuses to start.
 */
export function writeSynced(store: Store, changes: readonly Change[]): Deferred<void> {
  store.write(changes).listen(nothing, nothing);
  return store.sync();
}
