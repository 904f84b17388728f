/**
 * One read over R nodes (Dynamo 4.5). The body comes from this node if it is an owner, else from
 * the nearest; the others say whether they hold the same. Somebody slow is hedged by one more
 * after a short delay, somebody who fails by the next at once. Too few answers are `-CLUSTERDOWN`,
 * never "not found": a node that is no owner counts only with a hint for the key.
 *
 * A read that fails while the ring turns to the next layout begins once more with that.
 *
 * Whoever held less than the merged whole is repaired after the answer (read repair), fallbacks
 * excepted: what they hold is a hint.
 */
import { emptyBytes } from '../base/bytes.ts';
import { RedisError, StoreError } from '../base/errors.ts';
import { after, Deferred, type Later, nothing, outcomeOf } from '../base/later.ts';
import type { Record } from '../causal/record.ts';
import type { Place } from '../replica/place.ts';
import { PeerError } from '../transport/transport.ts';
import { timeoutFor } from './deadlines.ts';
import { GetCore } from './get-core.ts';
import { readHead, writeHead } from './heads.ts';
import type { Parts } from './parts.ts';
import { peerKinds } from './peer-kinds.ts';
import {
  decodeReadAnswer,
  encodeRead,
  encodeReplicate,
  type ReadAnswer,
  type ReadMode,
  versionOf,
} from './peer-messages.ts';

/** Repairs under way; more are left to the next read. */
const repairsMax = 256;

export class QuorumRead {
  /** The merged record; fails with `-CLUSTERDOWN`. */
  readonly outcome = new Deferred<Record>();
  readonly #parts: Parts;
  readonly #place: Place;
  readonly #core: GetCore;
  /** Members to ask next, the best first. */
  readonly #candidates: number[];
  readonly #owners: readonly number[];
  /** Of the layout whose owners they are. */
  readonly #version: number;
  /** Members asked that have not answered. */
  readonly #open: number[] = [];
  readonly #startedAtMs: number;
  /** Members whose record has been asked for because their version differs. */
  readonly #fetched: number[] = [];
  /** Of the largest that was announced. */
  #recordBytes = 0;
  /** Owners whose own record is damaged. */
  readonly #corrupt: number[] = [];

  constructor(parts: Parts, place: Place, r: number) {
    const { ring, settings } = parts;
    this.#parts = parts;
    this.#place = place;
    this.#core = new GetCore(r, (record) => versionOf(record, parts.digest));
    this.#startedAtMs = parts.system.clock.monotonicMs();
    this.#owners = ring.ownersOf(place.slot);
    this.#version = ring.reading.version;
    const near = ring.byNearness(this.#owners).filter((member) => !ring.isDown(member));
    const fallbacks = settings().strict
      ? []
      : ring.fallbacksOf(place.slot).filter((member) => !ring.isDown(member));
    this.#candidates = [...near, ...fallbacks];
  }

  start(): Deferred<Record> {
    const { needed } = this.#core;
    if (this.#candidates.length < needed) {
      this.#fail(this.#candidates.length);
      return this.outcome;
    }
    const first = this.#candidates[0];
    if (first === this.#parts.ring.self) {
      this.#candidates.shift();
      this.#own(first);
    } else this.#askMore();
    this.#parts.hedge.add(() => this.#hedge());
    this.#parts.deadline.add(() => this.#expire());
    return this.outcome;
  }

  #close(member: number): void {
    this.#open.splice(this.#open.indexOf(member), 1);
  }

  /** This node's answer comes first, so that the others need only compare. */
  #own(self: number): void {
    this.#open.push(self);
    const done = (answer: ReadAnswer): void => {
      this.#take(self, answer);
      this.#judge();
    };
    const failed = (error: unknown): void => {
      if (!(error instanceof StoreError)) throw error;
      if (error.code === 'corrupt') this.#corrupt.push(self);
      this.#close(self);
      this.#judge();
    };
    outcomeOf(() => this.#ownAnswer(), done, failed);
  }

  #ownAnswer(): Later<ReadAnswer> {
    const { replica, hints, ring } = this.#parts;
    if (this.#owners.includes(ring.self)) {
      return after(replica.readRecord(this.#place), (record) => ({ kind: 'record', record }));
    }
    const targets = this.#owners.map((owner) => ring.idBytesOf(owner));
    return after(hints.read(targets, this.#place), (record) =>
      record === undefined ? { kind: 'nothing' } : { kind: 'record', record },
    );
  }

  /** Asks as many more as are needed, given those that have not answered yet. */
  #askMore(): void {
    while (this.outcome.pending && this.#core.answered + this.#open.length < this.#core.needed) {
      if (!this.#askNext()) return;
    }
  }

  #askNext(): boolean {
    const member = this.#candidates.shift();
    if (member === undefined) return false;
    if (member === this.#parts.ring.self) {
      this.#own(member);
      return true;
    }
    const { version } = this.#core;
    if (version !== undefined) this.#ask(member, 'compare', version);
    else this.#ask(member, this.#open.length === 0 ? 'record' : 'version', emptyBytes);
    return true;
  }

  #ask(member: number, mode: ReadMode, version: Buffer): void {
    const { ring, transport } = this.#parts;
    const head = { ...readHead(this.#parts, this.#place), layout: this.#version };
    const timeoutMs = timeoutFor(this.#parts, this.#recordBytes);
    this.#open.push(member);
    transport
      .call(ring.idOf(member), peerKinds.read, encodeRead(head, mode, version), timeoutMs)
      .listen(
        (body) => {
          const answer = decodeReadAnswer(body);
          this.#take(member, answer.kind === 'same' ? { kind: 'version', version } : answer);
          this.#judge();
        },
        (error) => {
          if (isCorruptThere(error) && this.#owners.includes(member)) this.#corrupt.push(member);
          this.#close(member);
          this.#core.drop(member);
          this.#judge();
        },
      );
  }

  #take(member: number, answer: ReadAnswer): void {
    this.#close(member);
    if (answer.kind === 'record') this.#core.record(member, answer.record);
    else if (answer.kind === 'version') this.#core.heldVersion(member, answer.version);
    else if (answer.kind === 'large') {
      this.#recordBytes = Math.max(this.#recordBytes, answer.recordBytes);
      this.#core.heldVersion(member, answer.version);
    }
  }

  #judge(): void {
    if (!this.outcome.pending) return;
    const state = this.#core.state();
    if (state.kind === 'reached') {
      this.outcome.settle(state.record);
      for (const member of state.stale) this.#repair(member, state.record, nothing);
      if (this.#knowsAll) {
        for (const member of this.#corrupt) this.#repair(member, state.record, nothing);
      }
      return;
    }
    if (state.kind === 'fetch') {
      const members = state.members.filter((member) => !this.#fetched.includes(member));
      this.#fetched.push(...members);
      for (const member of members) this.#ask(member, 'whole', emptyBytes);
      return;
    }
    this.#askMore();
    if (this.#open.length > 0 || !this.outcome.pending) return;
    if (!this.#mend()) this.#fail(this.#core.complete);
  }

  /**
   * Puts right what is corrupt and asks again. Only what enough of the others hold will do, so that
   * no acknowledged write is missing from it: a record that looks sound counts.
   */
  #mend(): boolean {
    const record = this.#core.whole();
    const members = this.#corrupt.splice(0);
    if (record === undefined || members.length === 0 || !this.#knowsAll) return false;
    for (const member of members) {
      this.#open.push(member);
      this.#repair(member, record, () => {
        this.#close(member);
        if (member === this.#parts.ring.self) this.#own(member);
        else this.#ask(member, 'record', emptyBytes);
      });
    }
    return true;
  }

  /** Every acknowledged write is among the answers, or nobody is left who could know more. */
  get #knowsAll(): boolean {
    const { ring, settings } = this.#parts;
    const { w } = settings().quorum(this.#place.db);
    return this.#core.complete >= Math.min(ring.n - Math.min(w, ring.n) + 1, ring.n - 1);
  }

  /** A large record has been announced meanwhile: it has the time that it needs. */
  #expire(): void {
    const { system, settings } = this.#parts;
    const moreMs = timeoutFor(this.#parts, this.#recordBytes) - settings().timeoutMs;
    const fail = (): void => this.#fail(this.#core.complete);
    if (moreMs === 0) fail();
    else system.timers.after(moreMs, fail);
  }

  /** One more, if somebody is slow for what he usually is: in a busy ring all are. */
  #hedge(): void {
    if (!this.outcome.pending) return;
    const waitedMs = this.#parts.system.clock.monotonicMs() - this.#startedAtMs;
    const isOverdue = this.#open.some((member) => this.#parts.ring.isOverdue(member, waitedMs));
    if (isOverdue && !this.#askNext()) return;
    this.#parts.hedge.add(() => this.#hedge());
  }

  #fail(reachable: number): void {
    if (!this.outcome.pending) return;
    const { needed } = this.#core;
    if (this.#parts.ring.reading.version !== this.#version) {
      const again = new QuorumRead(this.#parts, this.#place, needed).start();
      again.listen(
        (record) => this.outcome.settle(record),
        (error) => this.outcome.fail(error),
      );
      return;
    }
    this.#parts.counts.readFailures += 1;
    this.outcome.fail(
      new RedisError(`CLUSTERDOWN need ${needed} replicas, ${reachable} reachable`),
    );
  }

  /** The same path as a write, without a dot. */
  #repair(member: number, record: Record, then: () => void): void {
    const { ring, replica, transport, counts, settings } = this.#parts;
    if (!this.#owners.includes(member) || counts.repairsUnderWay >= repairsMax) {
      then();
      return;
    }
    counts.readRepairs += 1;
    counts.repairsUnderWay += 1;
    const over = (): void => {
      counts.repairsUnderWay -= 1;
      then();
    };
    if (member === ring.self) {
      outcomeOf(() => replica.absorb(this.#place, record), over, over);
      return;
    }
    const body = encodeReplicate(writeHead(this.#parts, this.#place), 0, record);
    transport
      .call(ring.idOf(member), peerKinds.replicate, body, settings().timeoutMs)
      .listen(over, over);
  }
}

function isCorruptThere(error: unknown): boolean {
  return error instanceof PeerError && error.message === 'STORE corrupt';
}
