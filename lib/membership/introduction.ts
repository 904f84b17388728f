/**
 * What two nodes say to each other when they meet, and what a founder hands to a member.
 *
 *   introduction  u8 2 | u8 flags | facts | ring tag (8) if it is in a ring | text: the member at
 *                 whose address the other one was found | text: the host by which it was found
 *   offer         u8 2 | varint length | identity, with the node id of whom it is for | ring
 *   join          u8 2 | id (20) | facts | settings: text, varints partitions, databases, n
 *                 | u8 which of them are given | text: the member to be replaced
 *
 * The ring tag tells rings apart without telling their keys.
 */
import { ByteReader } from '../base/byte-reader.ts';
import { ByteWriter } from '../base/byte-writer.ts';
import type { Hashes } from '../runtime/ports.ts';
import type { PeerId } from '../transport/transport.ts';
import {
  decodeIdentity,
  encodeIdentity,
  nodeIdBytes,
  type RingSettings,
  ringDirectives,
} from './identity.ts';
import { type MemberFacts, readFacts, writeFacts } from './member-facts.ts';
import { decodeRing, encodeRing, type RingMembership } from './ring-rows.ts';

export interface Introduction {
  /** An empty host: whichever leads there. */
  readonly facts: MemberFacts;
  /** Ready to found. */
  readonly bootstrap: boolean;
  /** undefined: the node is empty. */
  readonly ring: RingStanding | undefined;
  /** Of the member at whose address the other one was found, which is none; or empty. */
  readonly foundAt: string;
  /** By which the other one was dialled, or empty: what it may not know of itself. */
  readonly yourHost: string;
}

export interface RingStanding {
  readonly tag: Buffer;
  /** The one who is spoken to is a member. */
  readonly listsYou: boolean;
  /** It was one, and has been given up. */
  readonly removedYou: boolean;
}

/** A node that asks to be let in. */
export interface JoinRequest {
  readonly id: PeerId;
  readonly facts: MemberFacts;
  readonly settings: RingSettings;
  /** Directives that its configuration names. */
  readonly given: readonly string[];
  /** Name or id of the dead member whose place it is to take; empty: none. */
  readonly replace: string;
}

const format = 2;
const tagBytes = 8;
const flags = { bootstrap: 1, inRing: 2, listsYou: 4, removedYou: 8 } as const;

export function ringTagOf(ringKey: Buffer, hashes: Hashes): Buffer {
  return hashes.sha256(ringKey).subarray(0, tagBytes);
}

export function encodeIntroduction(said: Introduction): Buffer {
  const { facts, bootstrap, ring, foundAt, yourHost } = said;
  const writer = new ByteWriter(96)
    .byte(format)
    .byte(
      (bootstrap ? flags.bootstrap : 0) |
        (ring === undefined ? 0 : flags.inRing) |
        (ring?.listsYou === true ? flags.listsYou : 0) |
        (ring?.removedYou === true ? flags.removedYou : 0),
    );
  writeFacts(writer, facts);
  if (ring !== undefined) writer.bytes(ring.tag);
  return writer.text(Buffer.from(foundAt)).text(Buffer.from(yourHost)).done();
}

/** Throws a CodecError. Shares no memory with the bytes. */
export function decodeIntroduction(bytes: Buffer): Introduction {
  const reader = new ByteReader('an introduction', bytes, 0, bytes.length);
  checkFormat(reader);
  const said = reader.byte();
  const facts = readFacts(reader);
  const inRing = (said & flags.inRing) !== 0;
  const ring = inRing
    ? {
        tag: Buffer.from(reader.bytes(tagBytes)),
        listsYou: (said & flags.listsYou) !== 0,
        removedYou: (said & flags.removedYou) !== 0,
      }
    : undefined;
  const foundAt = reader.bytes(reader.varint()).toString();
  const yourHost = reader.bytes(reader.varint()).toString();
  reader.finish();
  return { facts, bootstrap: (said & flags.bootstrap) !== 0, ring, foundAt, yourHost };
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

export function encodeJoin({ id, facts, settings, given, replace }: JoinRequest): Buffer {
  const { clusterName, partitions, databases, n } = settings;
  const writer = new ByteWriter(128).byte(format).bytes(Buffer.from(id, 'hex'));
  writeFacts(writer, facts);
  return writer
    .text(Buffer.from(clusterName))
    .varint(partitions)
    .varint(databases)
    .varint(n)
    .byte(ringDirectives.reduce((mask, name, at) => mask | (given.includes(name) ? 1 << at : 0), 0))
    .text(Buffer.from(replace))
    .done();
}

/** Throws a CodecError. */
export function decodeJoin(bytes: Buffer): JoinRequest {
  const reader = new ByteReader('a request to join', bytes, 0, bytes.length);
  checkFormat(reader);
  const text = (): string => reader.bytes(reader.varint()).toString();
  const id = reader.bytes(nodeIdBytes).toString('hex');
  const facts = readFacts(reader);
  const clusterName = text();
  const [partitions, databases, n] = [reader.varint(), reader.varint(), reader.varint()];
  const mask = reader.byte();
  const replace = text();
  reader.finish();
  const given = ringDirectives.filter((_, at) => (mask & (1 << at)) !== 0);
  return { id, facts, settings: { clusterName, partitions, databases, n }, given, replace };
}

function checkFormat(reader: ByteReader): void {
  const found = reader.byte();
  if (found !== format) throw reader.error(`of format ${found} is not known`);
}
