/**
 * What a node says of itself, as bytes: in introductions and in the stored table of members.
 *
 *   facts = three texts (name, host, zone: varint length, UTF-8) | varints port, peer port, weight
 */
import type { ByteReader } from '../base/byte-reader.ts';
import type { ByteWriter } from '../base/byte-writer.ts';
import type { Member } from './member.ts';

export type MemberFacts = Omit<Member, 'id'>;

const portMax = 65_535;

export function writeFacts(writer: ByteWriter, facts: MemberFacts): void {
  for (const text of [facts.name, facts.host, facts.zone]) writer.text(Buffer.from(text));
  writer.varint(facts.port).varint(facts.peerPort).varint(facts.weight);
}

/** Throws a CodecError. */
export function readFacts(reader: ByteReader): MemberFacts {
  const text = (): string => reader.bytes(reader.varint()).toString();
  const [name, host, zone] = [text(), text(), text()];
  const [port, peerPort, weight] = [reader.varint(), reader.varint(), reader.varint()];
  if (port > portMax || peerPort > portMax) throw reader.error('has a port above 65535');
  if (weight < 1) throw reader.error('has a weight of 0');
  return { name, host, port, peerPort, zone, weight };
}
