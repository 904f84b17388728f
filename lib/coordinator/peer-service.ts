/**
 * What this node does for others: keeps their records, answers their reads, coordinates what they
 * forward. A handler that finds a flush stamp above the one it knows takes that over before it
 * handles the message (DESIGN 2.3).
 *
 * Acknowledgements come when the record is committed, as firmly as `appendfsync` says; with
 * `synced`, which lets somebody delete a copy, when it is on the disk (DESIGN 3.3).
 */
import { emptyBytes } from '../base/bytes.ts';
import { RedisError } from '../base/errors.ts';
import { after, type Later } from '../base/later.ts';
import type { Record } from '../causal/record.ts';
import { recordBytes } from '../causal/record-codec.ts';
import { compareDots, covered } from '../causal/version-vector.ts';
import { winner } from '../causal/visible.ts';
import type { Handler, PeerId, Request } from '../transport/transport.ts';
import { ownKnowledge } from './explain.ts';
import type { Gates } from './gates.ts';
import { refuseStale } from './heads.ts';
import type { OwnerOperations } from './owner-operations.ts';
import type { Parts } from './parts.ts';
import { peerKinds } from './peer-kinds.ts';
import {
  decodeForward,
  decodeHint,
  decodeRead,
  decodeReplicate,
  encodeHeld,
  encodeReadAnswer,
  encodeUpdateResult,
  encodeVersionVector,
  type Head,
  type ReadAnswer,
  replicateFlags,
  versionOf,
} from './peer-messages.ts';
import { decodeFlush, encodeClock } from './ring-flush.ts';
import { decodeScan, encodeCounts, encodePage, ownCounts, ownPage } from './ring-scan.ts';
import { readsNothing } from './update-core.ts';

/** Sending more takes longer than a request should. */
const largeRecordBytes = 1024 * 1024;
/** How much longer than its deadline a request may have been on its way: a ping's period. */
const tokenAgeMs = 300;

export interface PeerServiceDoors {
  /** Throws a RedisError if nothing of that node, or no write of anybody, is to be taken. */
  refuse(from: PeerId, of: 'read' | 'write'): void;
}

export class PeerService {
  readonly #parts: Parts;
  readonly #here: OwnerOperations;
  readonly #gates: Gates;
  readonly #refuse: PeerServiceDoors['refuse'];

  /** `gates`: what an EXEC at this node holds is held against forwarded writes too. */
  constructor(parts: Parts, here: OwnerOperations, gates: Gates, doors: PeerServiceDoors) {
    this.#parts = parts;
    this.#refuse = doors.refuse;
    this.#here = here;
    this.#gates = gates;
  }

  /** Answers from now on. */
  start(): void {
    const { replica, scanner } = this.#parts;
    this.#handle(peerKinds.replicate, 'write', ({ body }) => this.#replicate(body));
    this.#handle(peerKinds.hint, 'write', ({ body }) => this.#hint(body));
    this.#handle(peerKinds.read, 'read', ({ body }) => this.#read(body));
    this.#handle(peerKinds.forward, 'write', (request) => this.#forward(request));
    this.#handle(peerKinds.scan, 'read', ({ body }) =>
      ownPage(this.#parts, decodeScan(body)).then(encodePage),
    );
    this.#handle(peerKinds.count, 'read', ({ body }) =>
      encodeCounts(ownCounts(this.#parts, body.readUInt8(0))),
    );
    this.#handle(peerKinds.randomKey, 'read', ({ body }) =>
      scanner
        .randomKey(body.readUInt8(0))
        .then((key) => (key === undefined ? Buffer.of(0) : Buffer.concat([Buffer.of(1), key]))),
    );
    this.#handle(peerKinds.clock, 'read', () => encodeClock(this.#parts.clock()));
    this.#handle(peerKinds.flush, 'write', ({ body }) => {
      const { dbs, stamp } = decodeFlush(body);
      return after(replica.flush(dbs, stamp), () => emptyBytes);
    });
    this.#handle(peerKinds.explain, 'read', ({ body }) => {
      const head = decodeRead(body);
      return ownKnowledge(this.#parts, head.place).then((known) =>
        Buffer.from(JSON.stringify(known)),
      );
    });
  }

  /** What strangers and removed nodes send changes nothing (I24). */
  #handle(kind: number, of: 'read' | 'write', handler: Handler): void {
    this.#parts.transport.handle(kind, (request) => {
      this.#refuse(request.from, of);
      return handler(request);
    });
  }

  #replicate(body: Buffer): Later<Buffer> {
    const request = decodeReplicate(body);
    const { replica, store, ring } = this.#parts;
    const { place, flags, record } = request;
    refuseStale(request, ring.version);
    if (!ring.isOwner(place.slot)) throw new RedisError('ERR this node is no owner of the key');
    this.#hearFlush(request);
    const merged = after(replica.absorb(place, record), (now) =>
      encodeHeld((flags & replicateFlags.examine) === 0 ? undefined : unseenBy(record, now)),
    );
    if ((flags & replicateFlags.synced) === 0) return merged;
    return after(merged, (answer) => store.sync().then(() => answer));
  }

  #hint(body: Buffer): Later<Buffer> {
    const request = decodeHint(body);
    const { target, place, record } = request;
    refuseStale(request, this.#parts.ring.version);
    this.#hearFlush(request);
    const kept = this.#parts.hints.keep(target, place, record, 'load-bearing');
    return after(kept, () => emptyBytes);
  }

  #read(body: Buffer): Later<Buffer> {
    const request = decodeRead(body);
    this.#hearFlush(request);
    const { replica, hints, ring, digest } = this.#parts;
    const { place, layout, mode, version } = request;
    refuseStale(request, ring.oldest);
    const asked = Buffer.from(version);
    const answer = (record: Record): ReadAnswer => {
      const large = recordBytes(record);
      if (mode === 'whole' || (mode === 'record' && large <= largeRecordBytes)) {
        return { kind: 'record', record };
      }
      const held = versionOf(record, digest);
      if (mode === 'version') return { kind: 'version', version: held };
      if (mode === 'compare' && held.equals(asked)) return { kind: 'same' };
      return large > largeRecordBytes
        ? { kind: 'large', version: held, recordBytes: large }
        : { kind: 'record', record };
    };
    if (ring.owns(layout, place.slot)) {
      return after(replica.readRecord(place), (record) => encodeReadAnswer(answer(record)));
    }
    const targets = ring.ownersOf(place.slot).map((owner) => ring.idBytesOf(owner));
    return after(hints.read(targets, place), (record) =>
      encodeReadAnswer(record === undefined ? { kind: 'nothing' } : answer(record)),
    );
  }

  /** Executed here or refused, never passed on; too late is refused, for its sender gave up. */
  #forward({ from, body, ageMs }: Request): Later<Buffer> {
    const request = decodeForward(body);
    const { place, options } = request;
    if (ageMs > options.timeoutMs + tokenAgeMs) {
      throw new RedisError('CLUSTERDOWN the request came too late');
    }
    refuseStale(request, this.#parts.ring.oldest);
    this.#hearFlush(request);
    const { ring, catchUp } = this.#parts;
    const isAhead = request.layout > ring.oldest;
    if (this.#gates.areOpen && !isAhead) return this.#execute(request);
    const kept = decodeForward(Buffer.from(body));
    if (isAhead) {
      return after(catchUp(ring.indexOf(from) ?? ring.self), () =>
        this.#gates.pass(place.slot, () => this.#execute(kept)),
      );
    }
    return this.#gates.pass(place.slot, () => this.#execute(kept));
  }

  #execute({ place, options, what }: ReturnType<typeof decodeForward>): Later<Buffer> {
    if (what.op === 'put') {
      return after(this.#here.put(place, what.request, options.w), encodeVersionVector);
    }
    const { update, context } = what;
    const plain = context === undefined && readsNothing(update);
    return after(this.#here.update(place, update, options, context), (result) =>
      encodeUpdateResult(plain ? { ...result, after: undefined } : result),
    );
  }

  #hearFlush({ place, flushStamp }: Head): void {
    this.#parts.replica.hearFlush(place.db, flushStamp);
  }
}

/**
 * The merged record, if a reader of it would see a write that this one has not seen; not if the
 * write has been seen and superseded (DESIGN 3.2).
 */
export function unseenBy(write: Record, merged: Record): Record | undefined {
  const best = winner(merged.siblings);
  if (best === undefined || covered(write.vv, best.dot)) return undefined;
  const isThere = write.siblings.every(({ dot }) =>
    merged.siblings.some((sibling) => compareDots(sibling.dot, dot) === 0),
  );
  return isThere ? merged : undefined;
}
