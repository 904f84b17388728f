/**
 * Batches that another node runs, because it is the first healthy owner of all their keys: only
 * there are they isolated (DESIGN 2.3). The whole batch travels, with what WATCH saw; the peer
 * rechecks that and runs the commands as its own EXEC. MSETNX travels as a batch of one.
 *
 * One hop: what a peer has sent is run here, whoever seems to be the owner by now.
 *
 *   request   u8 db | varint r | varint w (0: the default) | varint count of what is watched
 *             | (u8 db, key, version) each | varint commands | (varint arguments, each) each
 *   answer    the reply of EXEC (protocol/reply-codec.ts)
 *
 * Keys, versions and arguments have their length before them.
 */
import { assert } from '../base/assert.ts';
import { ByteReader, CodecError } from '../base/byte-reader.ts';
import { ByteWriter } from '../base/byte-writer.ts';
import { own } from '../base/bytes.ts';
import { RedisError } from '../base/errors.ts';
import { after, type Later } from '../base/later.ts';
import type { PeerRef } from '../coordinator/coordinator.ts';
import type { Reply } from '../protocol/reply.ts';
import { decodeReply, encodeReply } from '../protocol/reply-codec.ts';
import type { Call } from './command.ts';
import type { CommandIndex } from './command-index.ts';
import { unknownCommand, wrongArgumentCount } from './errors.ts';
import type { QueuedCommand, Watched } from './session.ts';
import { placeText } from './tracking.ts';

const usualBytes = 256;

export interface Batch {
  readonly watched: readonly Watched[];
  readonly commands: readonly (readonly Buffer[])[];
}

interface DelegatedBatch extends Batch {
  readonly db: number;
  readonly r: number | undefined;
  readonly w: number | undefined;
}

/** Has the peer run the batch; its answer is that of EXEC. */
export function delegate(call: Call, { peer }: PeerRef, batch: Batch): Later<Reply> {
  const { db, r, w } = call.session;
  return after(call.ports.delegate(peer, encodeBatch({ ...batch, db, r, w })), replyOf);
}

function replyOf(body: Buffer): Reply {
  try {
    return decodeReply(own(body));
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
    throw new RedisError(
      `UNCERTAIN the answer of the coordinator cannot be read: ${error.message}`,
    );
  }
}

/** The other side: fills the fresh session of `call` and runs EXEC on it. The body is borrowed. */
export function runDelegated(call: Call, body: Buffer): Later<Buffer> {
  const { session, commands } = call;
  const batch = decodeBatch(own(body));
  session.db = batch.db;
  session.r = batch.r;
  session.w = batch.w;
  session.queue = batch.commands.map((args) => queuedCommand(commands, args));
  for (const watched of batch.watched) {
    session.watched.set(placeText(watched.db, watched.key), watched);
  }
  const exec = commands.named('exec');
  assert(exec !== undefined, 'the table has EXEC');
  return after(exec.run(call, []), encodeReply);
}

/** The sender has checked the same, by its version of the table. */
function queuedCommand(commands: CommandIndex, args: readonly Buffer[]): QueuedCommand {
  const entry = commands.find(args);
  if (entry === undefined || !mayTravel({ entry, args })) {
    throw new RedisError(unknownCommand(args));
  }
  if (!entry.accepts(args.length)) throw new RedisError(wrongArgumentCount(entry.fullName));
  return { entry, args };
}

/** Whether the command means the same on every node: it speaks of keys, and of nothing else. */
export function mayTravel({ entry, args }: QueuedCommand): boolean {
  return entry.row.keys !== undefined && entry.wayOf(args) !== 'local';
}

function encodeBatch({ db, r = 0, w = 0, watched, commands }: DelegatedBatch): Buffer {
  const writer = new ByteWriter(usualBytes).byte(db).varint(r).varint(w);
  writer.varint(watched.length);
  for (const { db: watchedDb, key, version } of watched) {
    writer.byte(watchedDb).text(key).text(Buffer.from(version));
  }
  writer.varint(commands.length);
  for (const args of commands) {
    writer.varint(args.length);
    for (const argument of args) writer.text(argument);
  }
  return writer.done();
}

/** Keys and arguments are views of `source`. */
function decodeBatch(source: Buffer): DelegatedBatch {
  const reader = new ByteReader('a batch', source, 0, source.length);
  const text = () => reader.bytes(reader.varint());
  try {
    const db = reader.byte();
    const r = reader.varint() || undefined;
    const w = reader.varint() || undefined;
    const watched = listOf(reader, () => ({
      db: reader.byte(),
      key: text(),
      version: text().toString(),
    }));
    const commands = listOf(reader, () => listOf(reader, text));
    reader.finish();
    return { db, r, w, watched, commands };
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
    throw new RedisError(`ERR ${error.message}`);
  }
}

function listOf<T>(reader: ByteReader, readOne: () => T): T[] {
  const count = reader.varint();
  reader.need(count);
  const items: T[] = [];
  for (let index = 0; index < count; index += 1) items.push(readOne());
  return items;
}
