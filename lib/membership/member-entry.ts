/**
 * What is known of a node, and which of two such pieces of knowledge holds. Everybody may say
 * anything of anybody in any order, again and again; all come to one view because `mergeEntries` is
 * the join of a semilattice:
 *
 *   merge(a, b) = merge(b, a)    merge(a, merge(b, c)) = merge(merge(a, b), c)    merge(a, a) = a
 *
 * A higher incarnation decides alone; only the node itself makes one. Under one incarnation the
 * worse state holds, alive < suspect < down < left, and this is the precedence of SWIM (RELIABILITY
 * 1.11). Facts and nonce are one process' under one incarnation; where a cloned directory makes two
 * of them the greater one is shown, and `twins` gathers both.
 *
 *   entry = u8 1 | id (20) | incarnation (7) | u8 state | nonce u48 | varint n | n twins | facts
 */
import { ByteReader } from '../base/byte-reader.ts';
import { ByteWriter } from '../base/byte-writer.ts';
import type { PeerId } from '../transport/transport.ts';
import { type MemberFacts, readFacts, writeFacts } from './member-facts.ts';

/** Worse ones behind; their places are part of the wire format. */
export const entryStates = ['alive', 'suspect', 'down', 'left'] as const;
export type EntryState = (typeof entryStates)[number];

export interface Entry {
  readonly id: PeerId;
  /** Boot epoch * 2^20 + counter, remembered by the node itself. */
  readonly incarnation: number;
  readonly state: EntryState;
  readonly facts: MemberFacts;
  /** A u48, of the process that said `alive` last. */
  readonly nonce: number;
  /** Nonces of processes that ran under this id at once, ascending; normally none. */
  readonly twins: readonly number[];
}

export const idBytes = 20;
/** Of more, the smallest are kept. */
export const twinsMax = 16;

const format = 1;
const roomBytes = 128;

/** By incarnation and state alone. */
export function supersedes(a: Entry, b: Entry): boolean {
  if (a.incarnation !== b.incarnation) return a.incarnation > b.incarnation;
  return rankOf(a.state) > rankOf(b.state);
}

/** Of one id. Answers `a` itself where `b` adds nothing. */
export function mergeEntries(a: Entry, b: Entry): Entry {
  if (a.incarnation !== b.incarnation) return a.incarnation > b.incarnation ? a : b;
  const state = rankOf(b.state) > rankOf(a.state) ? b.state : a.state;
  const { facts, nonce } = isGreaterProcess(b, a) ? b : a;
  const twins = unionOf(a.twins, b.twins);
  const addsNothing = state === a.state && facts === a.facts && nonce === a.nonce;
  if (addsNothing && twins === a.twins) return a;
  return { id: a.id, incarnation: a.incarnation, state, facts, nonce, twins };
}

/** Ascending and distinct; `a` itself where `b` adds nothing. */
export function unionOf(a: readonly number[], b: readonly number[]): readonly number[] {
  if (b.length === 0) return a;
  const union = [...new Set([...a, ...b])].sort((x, y) => x - y).slice(0, twinsMax);
  return union.length === a.length && union.every((twin, at) => twin === a[at]) ? a : union;
}

export function encodeEntry({ id, incarnation, state, facts, nonce, twins }: Entry): Buffer {
  const writer = new ByteWriter(roomBytes)
    .byte(format)
    .bytes(Buffer.from(id, 'hex'))
    .stamp(incarnation)
    .byte(rankOf(state))
    .u48(nonce)
    .varint(twins.length);
  for (const twin of twins) writer.u48(twin);
  writeFacts(writer, facts);
  return writer.done();
}

/** Throws a CodecError. Shares no memory with the bytes. */
export function decodeEntry(bytes: Buffer): Entry {
  const reader = new ByteReader('an entry of a member', bytes, 0, bytes.length);
  const found = reader.byte();
  if (found !== format) throw reader.error(`of format ${found} is not known`);
  const id = reader.bytes(idBytes).toString('hex');
  const incarnation = reader.stamp();
  const state = entryStates[reader.byte()];
  if (state === undefined) throw reader.error('has a state that this version does not know');
  const nonce = reader.u48();
  const twins = readTwins(reader);
  const facts = readFacts(reader);
  reader.finish();
  return { id, incarnation, state, facts, nonce, twins };
}

function readTwins(reader: ByteReader): readonly number[] {
  const count = reader.varint();
  if (count > twinsMax) throw reader.error('has too many twins');
  const twins: number[] = [];
  for (let index = 0; index < count; index += 1) {
    const twin = reader.u48();
    if (twin <= (twins.at(-1) ?? -1)) throw reader.notCanonical();
    twins.push(twin);
  }
  return twins;
}

function rankOf(state: EntryState): number {
  return entryStates.indexOf(state);
}

/** A total order of what a process says of itself, so that every node prefers the same one. */
function isGreaterProcess(a: Entry, b: Entry): boolean {
  if (a.nonce !== b.nonce) return a.nonce > b.nonce;
  if (a.facts === b.facts) return false;
  return Buffer.compare(factsBytes(a.facts), factsBytes(b.facts)) > 0;
}

function factsBytes(facts: MemberFacts): Buffer {
  const writer = new ByteWriter(roomBytes);
  writeFacts(writer, facts);
  return writer.done();
}
