/**
 * What two nodes say to each other when they meet, and what a founder hands to a member.
 *
 *   introduction  u8 1 | u8 flags | facts | ring tag (8) if it is in a ring
 *   offer         u8 1 | varint length | identity, with the node id of whom it is for | ring
 *
 * The ring tag tells rings apart without telling their keys.
 */
import { ByteReader } from '../base/byte-reader.ts';
import { ByteWriter } from '../base/byte-writer.ts';
import type { Hashes } from '../runtime/ports.ts';
import { decodeIdentity, encodeIdentity } from './identity.ts';
import { type MemberFacts, readFacts, writeFacts } from './member-facts.ts';
import { decodeRing, encodeRing, type RingMembership } from './ring-rows.ts';

export interface Introduction {
  /** An empty host: whichever leads there. */
  readonly facts: MemberFacts;
  /** Ready to found. */
  readonly bootstrap: boolean;
  /** undefined: the node is empty. */
  readonly ring: RingStanding | undefined;
}

export interface RingStanding {
  readonly tag: Buffer;
  /** The one who is spoken to is a member. */
  readonly listsYou: boolean;
}

const format = 1;
const tagBytes = 8;
const flags = { bootstrap: 1, inRing: 2, listsYou: 4 } as const;

export function ringTagOf(ringKey: Buffer, hashes: Hashes): Buffer {
  return hashes.sha256(ringKey).subarray(0, tagBytes);
}

export function encodeIntroduction({ facts, bootstrap, ring }: Introduction): Buffer {
  const writer = new ByteWriter(96)
    .byte(format)
    .byte(
      (bootstrap ? flags.bootstrap : 0) |
        (ring === undefined ? 0 : flags.inRing) |
        (ring?.listsYou === true ? flags.listsYou : 0),
    );
  writeFacts(writer, facts);
  if (ring !== undefined) writer.bytes(ring.tag);
  return writer.done();
}

/** Throws a CodecError. Shares no memory with the bytes. */
export function decodeIntroduction(bytes: Buffer): Introduction {
  const reader = new ByteReader('an introduction', bytes, 0, bytes.length);
  checkFormat(reader);
  const said = reader.byte();
  const facts = readFacts(reader);
  const inRing = (said & flags.inRing) !== 0;
  const ring = inRing
    ? { tag: Buffer.from(reader.bytes(tagBytes)), listsYou: (said & flags.listsYou) !== 0 }
    : undefined;
  reader.finish();
  return { facts, bootstrap: (said & flags.bootstrap) !== 0, ring };
}

export function encodeOffer({ identity, ring }: RingMembership): Buffer {
  const [who, what] = [encodeIdentity(identity), encodeRing(ring)];
  return new ByteWriter(who.length + what.length + 8).byte(format).text(who).bytes(what).done();
}

/** Throws a CodecError or an IdentityError. Views of the bytes. */
export function decodeOffer(bytes: Buffer): RingMembership {
  const reader = new ByteReader('an offer', bytes, 0, bytes.length);
  checkFormat(reader);
  const identity = decodeIdentity(reader.bytes(reader.varint()));
  return { identity, ring: decodeRing(reader.rest()) };
}

function checkFormat(reader: ByteReader): void {
  const found = reader.byte();
  if (found !== format) throw reader.error(`of format ${found} is not known`);
}
