/**
 * One write on its way to its N owners (Dynamo 4.5, 4.6). It goes to all of them at once; W durable
 * answers from distinct nodes are enough for the client, the rest finish behind it. The share of an
 * owner that is down, refuses or stays silent goes to the next fallback as a hint that names it,
 * which counts toward W (sloppy quorum). Without a fallback, and always under `quorum-strict`, this
 * node keeps a courtesy hint instead, which never counts.
 *
 * While a layout is being changed the owners are those of both, and W hold it in each (RELIABILITY
 * 1.9). A write that was under way when this node heard of the next layout, or to whom a replica
 * said so, goes to the new owners too before it is done.
 *
 * Nothing here draws a dot or decides a value: what is sent is the record that the coordinating
 * replica made, and sending it twice changes nothing.
 */
import { RedisError } from '../base/errors.ts';
import { Deferred, nothing, outcomeOf } from '../base/later.ts';
import type { Record } from '../causal/record.ts';
import type { Place } from '../replica/place.ts';
import { timeoutFor } from './deadlines.ts';
import { isStale, writeHead } from './heads.ts';
import type { Parts } from './parts.ts';
import { peerKinds } from './peer-kinds.ts';
import {
  decodeHeld,
  decodeReplicate,
  encodeHint,
  encodeReplicate,
  replicateFlags,
} from './peer-messages.ts';
import { PutCore } from './put-core.ts';

export interface ReplicationNeeds {
  readonly w: number;
  /** Whether replicas say if they hold a winner that the write has not seen. */
  readonly examine: boolean;
  /** Whose share this node's own commit is: its own, or as a fallback that of an owner. */
  readonly ownShare: number;
}

interface Refusal {
  readonly error: unknown;
  readonly member: number;
  /** What the request was stamped with. */
  readonly version: number;
}

export class Replication {
  /**
   * The records of replicas that hold a winner which the write has not seen (asked for with
   * `examine`). Fails with `-UNCERTAIN`, because something was sent.
   */
  readonly outcome = new Deferred<readonly Record[]>();
  readonly #parts: Parts;
  readonly #place: Place;
  readonly #core: PutCore;
  readonly #flags: number;
  /** The request, and so the record, in bytes of its own. */
  #body: Buffer;
  /** Of the newest layout whose owners it goes to. */
  #version: number;
  #owners: readonly number[];
  readonly #unseen: Record[] = [];
  /** Owners that have not answered yet. */
  #silent: readonly number[];
  /** Owners whose share has gone elsewhere. */
  readonly #standsIn: number[] = [];
  /** Fallbacks that were asked. */
  readonly #fallbacks: number[] = [];
  #hintCounted = false;
  /** Whose share this node's own commit is. */
  readonly #ownShare: number;
  readonly #startedAtMs: number;

  /** `record` is borrowed for the turn. */
  constructor(parts: Parts, place: Place, record: Record, needs: ReplicationNeeds) {
    this.#parts = parts;
    this.#ownShare = needs.ownShare;
    this.#place = place;
    const sets = parts.ring.ownerSets(place.slot);
    this.#core = new PutCore(needs.w, sets);
    this.#version = parts.ring.version;
    this.#flags = needs.examine ? replicateFlags.examine : 0;
    this.#body = encodeReplicate(writeHead(parts, place), this.#flags, record);
    this.#owners = allOf(sets);
    this.#silent = this.#owners;
    this.#startedAtMs = parts.system.clock.monotonicMs();
  }

  /** The value of the write in memory of its own. */
  get record(): Record {
    return decodeReplicate(this.#body).record;
  }

  /** Sends to every other owner. */
  start(): void {
    const { ring, hedge } = this.#parts;
    const ownShare = this.#ownShare;
    this.#core.attempt();
    if (ownShare !== ring.self) {
      this.#fallbacks.push(ring.self);
      this.#standsIn.push(ownShare);
      this.#hintCounted = true;
    }
    this.#silent = this.#silent.filter((owner) => owner !== ownShare);
    for (const owner of this.#silent) {
      if (ring.isDown(owner)) this.#standIn(owner);
      else this.#replicate(owner);
    }
    hedge.add(() => this.#lookAgain());
  }

  /** This node's own commit, which is one of the W. */
  ownHeld(): void {
    this.#held(this.#parts.ring.self, this.#ownShare);
  }

  ownMissed(): void {
    this.#missed();
  }

  #replicate(owner: number): void {
    const { ring, transport } = this.#parts;
    const version = this.#version;
    this.#core.attempt();
    const timeoutMs = timeoutFor(this.#parts, this.#body.length);
    transport.call(ring.idOf(owner), peerKinds.replicate, this.#body, timeoutMs).listen(
      (answer) => {
        this.#silent = this.#silent.filter((other) => other !== owner);
        if (answer[0] !== 0 && this.outcome.pending) {
          const unseen = decodeHeld(Buffer.from(answer));
          if (unseen !== undefined) this.#unseen.push(unseen);
        }
        this.#held(owner, owner);
      },
      (error) => {
        const giveUp = (): void => {
          this.#silent = this.#silent.filter((other) => other !== owner);
          this.#standIn(owner);
        };
        this.#again({ error, member: owner, version }, () => this.#replicate(owner), giveUp);
      },
    );
    if (ring.verdict(owner) === 'suspect') this.#standIn(owner);
  }

  /** Somebody else keeps the owner's share; with nobody to do so, a slow owner is waited for. */
  #standIn(owner: number): void {
    if (this.#standsIn.includes(owner)) return;
    const mayAnswer = this.#silent.includes(owner) && !this.#parts.ring.isDown(owner);
    if (mayAnswer && this.#nextFallback() === undefined) return;
    this.#standsIn.push(owner);
    this.#hint(owner);
  }

  #hint(owner: number): void {
    const { ring, transport, hints } = this.#parts;
    const fallback = this.#nextFallback();
    const target = ring.idBytesOf(owner);
    if (fallback === undefined) {
      const keep = () => hints.keep(target, this.#place, this.record, 'courtesy');
      outcomeOf(keep, nothing, nothing);
      return;
    }
    const version = ring.version;
    this.#fallbacks.push(fallback);
    this.#core.attempt();
    const body = encodeHint(writeHead(this.#parts, this.#place), target, this.record);
    const timeoutMs = timeoutFor(this.#parts, body.length);
    transport.call(ring.idOf(fallback), peerKinds.hint, body, timeoutMs).listen(
      () => {
        this.#hintCounted ||= this.outcome.pending;
        this.#held(fallback, owner);
      },
      (error) => {
        const hint = (): void => this.#hint(owner);
        this.#again({ error, member: fallback, version }, hint, hint);
      },
    );
  }

  /** Who goes by a newer layout is asked again once this node does too. */
  #again(refusal: Refusal, again: () => void, giveUp: () => void): void {
    const { error, member, version } = refusal;
    const goOn = (): void => {
      const { ring } = this.#parts;
      if (ring.version > this.#version) this.#extend();
      if (ring.version > version) again();
      else giveUp();
      this.#missed();
    };
    if (isStale(error)) outcomeOf(() => this.#parts.catchUp(member), goOn, goOn);
    else {
      giveUp();
      this.#missed();
    }
  }

  /** To the owners of the newest layout, too. */
  #extend(): void {
    const { ring } = this.#parts;
    const { record } = this;
    this.#version = ring.version;
    this.#body = encodeReplicate(writeHead(this.#parts, this.#place), this.#flags, record);
    for (const owners of ring.ownerSets(this.#place.slot)) {
      this.#core.add(owners);
      const others = owners.filter((owner) => !this.#owners.includes(owner));
      this.#owners = [...this.#owners, ...others];
      this.#silent = [...this.#silent, ...others];
      for (const owner of others) {
        if (ring.isDown(owner)) this.#standIn(owner);
        else this.#replicate(owner);
      }
    }
  }

  /** A coordinator that is a fallback itself is one of those asked already. */
  #nextFallback(): number | undefined {
    const { ring, settings } = this.#parts;
    if (settings().strict) return undefined;
    return ring
      .fallbacksOf(this.#place.slot)
      .find((member) => !this.#fallbacks.includes(member) && ring.verdict(member) === 'up');
  }

  /** Who is slow for what he usually is need not be waited for. */
  #lookAgain(): void {
    if (!this.outcome.pending) return;
    const { ring, hedge, system } = this.#parts;
    const waitedMs = system.clock.monotonicMs() - this.#startedAtMs;
    for (const owner of this.#silent) if (ring.isOverdue(owner, waitedMs)) this.#standIn(owner);
    hedge.add(() => this.#lookAgain());
  }

  /** The time is over; what is under way goes on. */
  expire(): void {
    if (this.outcome.pending) this.#fail();
  }

  #held(member: number, owner: number): void {
    this.#core.held(member, owner);
    this.#judge();
  }

  #missed(): void {
    this.#core.missed();
    this.#judge();
  }

  #judge(): void {
    if (!this.outcome.pending || this.#core.state === 'waiting') return;
    if (this.#parts.ring.version > this.#version) this.#extend();
    const { state } = this.#core;
    if (state === 'short') this.#fail();
    else if (state === 'reached') {
      if (this.#hintCounted) this.#parts.counts.writesSloppy += 1;
      this.outcome.settle(this.#unseen);
    }
  }

  /** What is known of the write so far, for a client that can't be told more. */
  get uncertainty(): RedisError {
    const { acknowledged, needed } = this.#core;
    return new RedisError(`UNCERTAIN acknowledged by ${acknowledged} of ${needed} replicas`);
  }

  #fail(): void {
    this.#parts.counts.writesUncertain += 1;
    this.outcome.fail(this.uncertainty);
  }
}

function allOf(sets: readonly (readonly number[])[]): readonly number[] {
  const [first = [], ...others] = sets;
  return others.length === 0 ? first : [...new Set(sets.flat())];
}
