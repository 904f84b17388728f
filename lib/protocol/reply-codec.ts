/**
 * Replies between nodes: the answers to a batch that a peer ran for us. RESP would do for clients,
 * but it loses what they never see (an integer is a number or a bigint, a status is no string) and
 * looks different in RESP2 and RESP3; here every reply comes back as what it was.
 *
 *   u8 code, then by code
 *   null, null array, none             nothing
 *   number, double                     8 bytes, IEEE 754
 *   bigint                             8 bytes, signed
 *   bytes, text, status, error, verbatim   varint length | bytes
 *   array, set                         varint count | replies
 *   map                                varint count | keys and values in turn
 *
 * Replies lie within each other at most `replyDepthMax` deep, so that no bytes can make the reader
 * run out of stack.
 */
import { assert } from '../base/assert.ts';
import { ByteReader, CodecError } from '../base/byte-reader.ts';
import { ByteWriter } from '../base/byte-writer.ts';
import {
  DoubleReply,
  ErrorReply,
  MapReply,
  noReply,
  nullArray,
  type Reply,
  SetReply,
  SimpleString,
  Verbatim,
} from './reply.ts';

/** Commands on keys answer at most half as deep (LCS with IDX inside EXEC). */
export const replyDepthMax = 16;

/** Part of the wire format: append only. */
const codes = {
  null: 0,
  nullArray: 1,
  none: 2,
  number: 3,
  double: 4,
  bigint: 5,
  bytes: 6,
  text: 7,
  simple: 8,
  error: 9,
  verbatim: 10,
  array: 11,
  set: 12,
  map: 13,
} as const;

type KindOfReply = Extract<Reply, { readonly kind: string }>;
type Read = (reader: ByteReader, depth: number) => Reply;

/** By code. */
const reads: readonly Read[] = [
  () => null,
  () => nullArray,
  () => noReply,
  readDouble,
  (reader) => new DoubleReply(readDouble(reader)),
  (reader) => reader.int64(),
  (reader) => readBytes(reader),
  (reader) => readText(reader),
  (reader) => new SimpleString(readText(reader)),
  (reader) => new ErrorReply(readText(reader)),
  (reader) => new Verbatim(readText(reader)),
  readReplies,
  (reader, depth) => new SetReply(readReplies(reader, depth)),
  (reader, depth) => new MapReply(readEntries(reader, depth)),
];

const usualBytes = 256;

export function encodeReply(reply: Reply): Buffer {
  const writer = new ByteWriter(usualBytes);
  write(writer, reply, 0);
  return writer.done();
}

/** Its bytes are views of `source`. Throws a CodecError. */
export function decodeReply(source: Buffer): Reply {
  const reader = new ByteReader('a reply', source, 0, source.length);
  const reply = read(reader, 0);
  reader.finish();
  return reply;
}

function write(writer: ByteWriter, reply: Reply, depth: number): void {
  assert(depth <= replyDepthMax, 'replies lie a bounded number of levels deep');
  if (reply === null) writer.byte(codes.null);
  else if (typeof reply === 'number') writeDouble(writer.byte(codes.number), reply);
  else if (typeof reply === 'bigint') {
    writer.byte(codes.bigint).fill(8, (target, at) => target.writeBigInt64BE(reply, at));
  } else if (typeof reply === 'string') writeText(writer.byte(codes.text), reply);
  else if (Buffer.isBuffer(reply)) writer.byte(codes.bytes).text(reply);
  else if ('kind' in reply) writeKind(writer, reply, depth);
  else writeReplies(writer.byte(codes.array), reply, depth);
}

function writeKind(writer: ByteWriter, reply: KindOfReply, depth: number): void {
  switch (reply.kind) {
    case 'null-array':
      writer.byte(codes.nullArray);
      break;
    case 'none':
      writer.byte(codes.none);
      break;
    case 'double':
      writeDouble(writer.byte(codes.double), reply.value);
      break;
    case 'simple':
    case 'error':
    case 'verbatim':
      writeText(writer.byte(codes[reply.kind]), reply.text);
      break;
    case 'set':
      writeReplies(writer.byte(codes.set), reply.items, depth);
      break;
    case 'map':
      writer.byte(codes.map).varint(reply.entries.length);
      for (const [key, value] of reply.entries) {
        write(writer, key, depth + 1);
        write(writer, value, depth + 1);
      }
      break;
    case 'prepared':
      write(writer, reply.reply, depth);
      break;
    default:
      reply satisfies never;
  }
}

function writeDouble(writer: ByteWriter, value: number): void {
  writer.fill(8, (target, at) => target.writeDoubleBE(value, at));
}

function writeText(writer: ByteWriter, text: string): void {
  writer.text(Buffer.from(text));
}

function writeReplies(writer: ByteWriter, replies: readonly Reply[], depth: number): void {
  writer.varint(replies.length);
  for (const reply of replies) write(writer, reply, depth + 1);
}

function read(reader: ByteReader, depth: number): Reply {
  if (depth > replyDepthMax) throw reader.error('lies too deep');
  const code = reader.byte();
  const readRest = reads[code];
  if (readRest === undefined) throw new CodecError(`reply code ${code} is not known`);
  return readRest(reader, depth);
}

function readDouble(reader: ByteReader): number {
  return reader.bytes(8).readDoubleBE(0);
}

function readBytes(reader: ByteReader): Buffer {
  return reader.bytes(reader.varint());
}

function readText(reader: ByteReader): string {
  return readBytes(reader).toString();
}

function readReplies(reader: ByteReader, depth: number): Reply[] {
  const count = reader.varint();
  reader.need(count);
  const replies: Reply[] = [];
  for (let index = 0; index < count; index += 1) replies.push(read(reader, depth + 1));
  return replies;
}

function readEntries(reader: ByteReader, depth: number): [Reply, Reply][] {
  const count = reader.varint();
  reader.need(count * 2);
  const entries: [Reply, Reply][] = [];
  for (let index = 0; index < count; index += 1) {
    entries.push([read(reader, depth + 1), read(reader, depth + 1)]);
  }
  return entries;
}
