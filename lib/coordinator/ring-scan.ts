/**
 * What speaks of a whole database: SCAN and KEYS, RANDOMKEY, DBSIZE (DESIGN 2.3, 3.5).
 *
 * A page of SCAN asks every member that is up for its next records in the one order of the ring,
 * and merges those of owners: of each key the newest winner says whether it is there. It reaches as
 * far as the shortest answer, and is given only if each partition it passes has been asked of N-W+1
 * owners, so that at least one of them holds every acknowledged write. Nothing is remembered
 * between pages. A member that is no owner yet, or no more, may hold what has long been deleted.
 *
 * DBSIZE adds up what the members of the layout count that is read from, each key N times; what an
 * old owner has not given up yet is among it. While members are down it is what the others hold,
 * scaled by the share of the places that they own.
 */
import { ByteReader } from '../base/byte-reader.ts';
import { ByteWriter } from '../base/byte-writer.ts';
import { mapKey, own } from '../base/bytes.ts';
import { RedisError } from '../base/errors.ts';
import { Deferred, type Later, outcomeOf } from '../base/later.ts';
import { positionEnd, type RingEntry, type RingPage } from '../replica/scanner.ts';
import { tallyExpiring, tallyLive } from '../replica/tallies.ts';
import { SlotSet, slotSetBytes } from '../ring/slot-set.ts';
import { slotCount, slotOf } from '../ring/slots.ts';
import type { DatabaseCounts, Page } from './coordinator.ts';
import type { Parts } from './parts.ts';
import { peerKinds } from './peer-kinds.ts';

export interface ScanRequest {
  readonly db: number;
  /** Position: slot * 2^32 + hash32. */
  readonly from: number;
  readonly count: number;
  /** Where a node speaks only of those (DESIGN 2.3); left out: of all. */
  readonly slots?: SlotSet | undefined;
}

export async function scanRing(parts: Parts, request: ScanRequest): Promise<Page> {
  const { ring } = parts;
  const { reading } = ring;
  const answers = await askAll(parts, peerKinds.scan, encodeScan(request), {
    here: () => ownPage(parts, request),
    decode: decodePage,
  });
  // An owner of the layout that is read from now may have answered before it had everything.
  if (ring.reading !== reading) return scanRing(parts, request);
  const next = Math.min(...answers.map(({ answer }) => answer.next ?? positionEnd));
  refuseGaps(parts, request, {
    to: next,
    answered: answers.map(({ member }) => member),
  });
  const winners = new Map<string, RingEntry>();
  for (const { member, answer } of answers) {
    for (const entry of answer.entries) {
      if (entry.position >= next) break;
      if (!ring.ownersOf(slotAt(entry.position)).includes(member)) continue;
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
export function ownPage({ scanner }: Parts, request: ScanRequest): Promise<RingPage> {
  const { db, from, count, slots } = request;
  return scanner.ringPage(db, { from, to: positionEnd, slots }, count);
}

function isNewer(a: RingEntry, b: RingEntry): boolean {
  if (a.order !== b.order) return a.order > b.order;
  return a.stamp !== b.stamp ? a.stamp > b.stamp : !a.visible;
}

function refuseGaps(
  { ring, settings }: Parts,
  { db, from, slots }: ScanRequest,
  { to, answered }: { to: number; answered: readonly number[] },
): void {
  const needed = ring.n - Math.min(settings().quorum(db).w, ring.n) + 1;
  const last = ring.partitionOf(Math.min(slotAt(to), slotCount - 1));
  const slotsEach = slotCount / ring.reading.partitions;
  for (let partition = ring.partitionOf(slotAt(from)); partition <= last; partition += 1) {
    const first = partition * slotsEach;
    if (slots !== undefined && slots.nextFrom(first) >= first + slotsEach) continue;
    const owners = ring.ownersOf(first);
    const asked = owners.filter((owner) => answered.includes(owner)).length;
    if (asked < needed) {
      throw new RedisError(`CLUSTERDOWN need ${needed} replicas, ${asked} reachable`);
    }
  }
}

function slotAt(position: number): number {
  return Math.floor(position / 2 ** 32);
}

export async function countRing(parts: Parts, db: number): Promise<DatabaseCounts> {
  const { ring } = parts;
  const answers = await askAll(parts, peerKinds.count, Buffer.of(db), {
    here: () => ownCounts(parts, db),
    decode: decodeCounts,
  });
  const { partitions, members, owners } = ring.reading;
  const counted = answers.filter(({ member }) => members.includes(ring.idOf(member)));
  const ids = new Set(counted.map(({ member }) => ring.idOf(member)));
  const places = owners.reduce((sum, owner) => sum + (ids.has(members[owner] ?? '') ? 1 : 0), 0);
  const sum = (of: (counts: DatabaseCounts) => number): number => {
    const held = counted.reduce((total, { answer }) => total + of(answer), 0);
    return Math.round((held * partitions) / Math.max(1, places));
  };
  return { keys: sum(({ keys }) => keys), expires: sum(({ expires }) => expires) };
}

export function ownCounts({ store }: Parts, db: number): DatabaseCounts {
  return { keys: store.tally(tallyLive(db)), expires: store.tally(tallyExpiring(db)) };
}

/** Members in a random order, until one holds a key that it owns. */
export async function randomKeyOfRing(parts: Parts, db: number): Promise<Buffer | undefined> {
  const { ring, scanner, system, transport, settings } = parts;
  const left = ring.active.filter((member) => !ring.isDown(member));
  while (left.length > 0) {
    const [member = ring.self] = left.splice(system.random.below(left.length), 1);
    const { timeoutMs } = settings();
    const found =
      member === ring.self
        ? await inTime(parts, timeoutMs, () => scanner.randomKey(db))
        : await transport
            .call(ring.idOf(member), peerKinds.randomKey, Buffer.of(db), timeoutMs)
            .then(
              (body) => (body[0] === 1 ? own(body.subarray(1)) : undefined),
              () => undefined,
            );
    if (found !== undefined && ring.ownersOf(slotOf(found)).includes(member)) return found;
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

/** The answers of all members that are up and active; who fails is left out. */
export async function askAll<T>(
  parts: Parts,
  kind: number,
  body: Buffer,
  ways: Ways<T>,
): Promise<readonly Asked<T>[]> {
  const { ring, transport, settings } = parts;
  const timeoutMs = settings().timeoutMs / (ways.rounds ?? 1);
  const asked = ring.active.map(async (member): Promise<Asked<T> | undefined> => {
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

function encodeScan({ db, from, count, slots }: ScanRequest): Buffer {
  const writer = new ByteWriter(16).byte(db).stamp(from).varint(count);
  if (slots !== undefined) writer.bytes(slots.bytes);
  return writer.done();
}

export function decodeScan(body: Buffer): ScanRequest {
  const reader = new ByteReader('a scan request', body, 0, body.length);
  const request = { db: reader.byte(), from: reader.stamp(), count: reader.varint() };
  const rest = reader.rest();
  if (rest.length === 0) return request;
  if (rest.length !== slotSetBytes) throw reader.error('has a part of a set of slots');
  return { ...request, slots: new SlotSet(own(rest)) };
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
