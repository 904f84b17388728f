/**
 * What speaks of a whole database: SCAN and KEYS, RANDOMKEY, DBSIZE (DESIGN 2.3, 3.5).
 *
 * A page of SCAN asks every member that is up for its next records in the one order of the ring,
 * and merges them: of each key the newest winner says whether it is there. It reaches as far as the
 * shortest answer, and is given only if each partition it passes has been asked of N-W+1 owners, so
 * that at least one of them holds every acknowledged write. Nothing is remembered between pages.
 *
 * DBSIZE adds up what the members count, each key N times. While members are down it is what the
 * others hold, scaled by the share of the places that they own.
 */
import { ByteReader } from '../base/byte-reader.ts';
import { ByteWriter } from '../base/byte-writer.ts';
import { mapKey, own } from '../base/bytes.ts';
import { RedisError } from '../base/errors.ts';
import { Deferred, type Later, outcomeOf } from '../base/later.ts';
import type { RingEntry, RingPage } from '../replica/scanner.ts';
import { tallyExpiring, tallyLive } from '../replica/tallies.ts';
import { slotCount } from '../ring/slots.ts';
import type { DatabaseCounts, Page } from './coordinator.ts';
import type { Parts } from './parts.ts';
import { peerKinds } from './peer-kinds.ts';

export interface ScanRequest {
  readonly db: number;
  /** Position: slot * 2^32 + hash32. */
  readonly from: number;
  readonly count: number;
}

const positionEnd = slotCount * 2 ** 32;

export async function scanRing(parts: Parts, request: ScanRequest): Promise<Page> {
  const answers = await askAll(parts, peerKinds.scan, encodeScan(request), {
    here: () => ownPage(parts, request),
    decode: decodePage,
  });
  const next = Math.min(...answers.map(({ answer }) => answer.next ?? positionEnd));
  refuseGaps(parts, request, {
    to: next,
    answered: answers.map(({ member }) => member),
  });
  const winners = new Map<string, RingEntry>();
  for (const { answer } of answers) {
    for (const entry of answer.entries) {
      if (entry.position >= next) break;
      const id = mapKey(entry.key);
      const other = winners.get(id);
      if (other === undefined || isNewer(entry, other)) winners.set(id, entry);
    }
  }
  const shown = [...winners.values()].filter(({ visible }) => visible);
  shown.sort((a, b) => a.position - b.position || Buffer.compare(a.key, b.key));
  return {
    cursor: next >= positionEnd ? 0n : BigInt(next),
    keys: shown.map(({ key }) => key),
  };
}

/** This node's part of a page. */
export function ownPage({ scanner }: Parts, { db, from, count }: ScanRequest): Promise<RingPage> {
  return scanner.ringPage(db, from, positionEnd, count);
}

function isNewer(a: RingEntry, b: RingEntry): boolean {
  if (a.order !== b.order) return a.order > b.order;
  return a.stamp !== b.stamp ? a.stamp > b.stamp : !a.visible;
}

function refuseGaps(
  { ring, settings }: Parts,
  { db, from }: ScanRequest,
  { to, answered }: { to: number; answered: readonly number[] },
): void {
  const needed = ring.n - settings().quorum(db).w + 1;
  const slotOf = (position: number): number => Math.floor(position / 2 ** 32);
  const last = ring.partitionOf(Math.min(slotOf(to), slotCount - 1));
  const slotsEach = slotCount / ring.layout.partitions;
  for (let partition = ring.partitionOf(slotOf(from)); partition <= last; partition += 1) {
    const owners = ring.ownersOf(partition * slotsEach);
    const asked = owners.filter((owner) => answered.includes(owner)).length;
    if (asked < needed) {
      throw new RedisError(`CLUSTERDOWN need ${needed} replicas, ${asked} reachable`);
    }
  }
}

export async function countRing(parts: Parts, db: number): Promise<DatabaseCounts> {
  const { ring } = parts;
  const answers = await askAll(parts, peerKinds.count, Buffer.of(db), {
    here: () => ownCounts(parts, db),
    decode: decodeCounts,
  });
  let places = 0;
  for (const owner of ring.layout.owners) {
    if (answers.some(({ member }) => member === owner)) places += 1;
  }
  const sum = (of: (counts: DatabaseCounts) => number): number => {
    const held = answers.reduce((total, { answer }) => total + of(answer), 0);
    return Math.round((held * ring.layout.partitions) / Math.max(1, places));
  };
  return { keys: sum(({ keys }) => keys), expires: sum(({ expires }) => expires) };
}

export function ownCounts({ store }: Parts, db: number): DatabaseCounts {
  return { keys: store.tally(tallyLive(db)), expires: store.tally(tallyExpiring(db)) };
}

/** Members in a random order, until one holds a key. */
export async function randomKeyOfRing(parts: Parts, db: number): Promise<Buffer | undefined> {
  const { ring, scanner, system, transport, settings } = parts;
  const left = ring.members.map((_, member) => member).filter((member) => !ring.isDown(member));
  while (left.length > 0) {
    const [member = ring.self] = left.splice(system.random.below(left.length), 1);
    if (member === ring.self) {
      const key = await inTime(parts, settings().timeoutMs, () => scanner.randomKey(db));
      if (key !== undefined) return key;
      continue;
    }
    const { timeoutMs } = settings();
    const asked = transport.call(ring.idOf(member), peerKinds.randomKey, Buffer.of(db), timeoutMs);
    const found = await asked.then(
      (body) => (body[0] === 1 ? own(body.subarray(1)) : undefined),
      () => undefined,
    );
    if (found !== undefined) return found;
  }
  return undefined;
}

interface Ways<T> {
  /** Of this node itself. */
  readonly here: () => Later<T>;
  readonly decode: (body: Buffer) => T;
  /** Rounds like this one that share the time of the request. */
  readonly rounds?: number;
}

interface Asked<T> {
  readonly member: number;
  readonly answer: T;
}

/** The answers of all members that are up; who fails is left out. */
export async function askAll<T>(
  parts: Parts,
  kind: number,
  body: Buffer,
  ways: Ways<T>,
): Promise<readonly Asked<T>[]> {
  const { ring, transport, settings } = parts;
  const timeoutMs = settings().timeoutMs / (ways.rounds ?? 1);
  const asked = ring.members.map(async (_, member): Promise<Asked<T> | undefined> => {
    if (ring.isDown(member)) return undefined;
    const answer =
      member === ring.self
        ? inTime(parts, timeoutMs, ways.here)
        : transport.call(ring.idOf(member), kind, body, timeoutMs).then(ways.decode);
    return answer.then(
      (value): Asked<T> | undefined => ({ member, answer: value }),
      () => undefined,
    );
  });
  return (await Promise.all(asked)).filter((one) => one !== undefined);
}

/** This node's own disk has as much time as a peer has. */
function inTime<T>({ system }: Parts, timeoutMs: number, work: () => Later<T>): Deferred<T> {
  const answer = new Deferred<T>();
  const timer = system.timers.after(timeoutMs, () =>
    answer.fail(new RedisError('CLUSTERDOWN the disk here is slow')),
  );
  outcomeOf(
    work,
    (value) => answer.settle(value),
    (error) => answer.fail(error),
  );
  const over = (): void => timer.cancel();
  answer.listen(over, over);
  return answer;
}

function encodeScan({ db, from, count }: ScanRequest): Buffer {
  return new ByteWriter(16).byte(db).stamp(from).varint(count).done();
}

export function decodeScan(body: Buffer): ScanRequest {
  const reader = new ByteReader('a scan request', body, 0, body.length);
  return { db: reader.byte(), from: reader.stamp(), count: reader.varint() };
}

export function encodePage({ next, entries }: RingPage): Buffer {
  const writer = new ByteWriter(64 * (1 + entries.length));
  writer.stamp(next ?? positionEnd).varint(entries.length);
  for (const { position, order, stamp, visible, key } of entries) {
    writer
      .stamp(position)
      .stamp(order)
      .stamp(stamp)
      .byte(visible ? 1 : 0)
      .text(key);
  }
  return writer.done();
}

function decodePage(body: Buffer): RingPage {
  const reader = new ByteReader('a page of a scan', own(body), 0, body.length);
  const next = reader.stamp();
  const count = reader.varint();
  const entries: RingEntry[] = [];
  for (let index = 0; index < count; index += 1) {
    const position = reader.stamp();
    const order = reader.stamp();
    const stamp = reader.stamp();
    const visible = reader.byte() === 1;
    entries.push({ position, order, stamp, visible, key: reader.bytes(reader.varint()) });
  }
  return { next: next >= positionEnd ? undefined : next, entries };
}

export function encodeCounts({ keys, expires }: DatabaseCounts): Buffer {
  return new ByteWriter(16).stamp(keys).stamp(expires).done();
}

function decodeCounts(body: Buffer): DatabaseCounts {
  const reader = new ByteReader('the counts of a database', body, 0, body.length);
  return { keys: reader.stamp(), expires: reader.stamp() };
}
