/**
 * What rumours have missed: two nodes whose digests stay different compare buckets, then tell each
 * other the entries of those that differ.
 *
 *   asker:  my 64 digests                          -> which differ, and my entries in them
 *   asker:  my entries in them that you don't have -> news
 *
 * It waits until rumours have had their time, and one at a time is enough: a node that differs from
 * all others finds that out with any of them.
 */
import type { Deferred } from '../base/later.ts';
import type { Clock } from '../runtime/ports.ts';
import type { PeerId, Transport } from '../transport/transport.ts';
import { encodeBuckets, encodeEntries, type Message, type Rumour } from './gossip-messages.ts';
import { type Entry, encodeEntry } from './member-entry.ts';
import type { MemberTable } from './member-table.ts';
import { membershipKinds } from './peer-kinds.ts';

export interface DifferencesOptions {
  /** Something is being told that may explain a difference. */
  areRumoursHot(): boolean;
  encode(entry: Entry): Buffer;
  /** What a peer answered; must not throw. undefined: it cannot be read. */
  hear(peer: PeerId, answer: Buffer): Message | undefined;
}

const settleMs = 1000;
/** With so many changes that there are always rumours, a difference waits no longer. */
const patienceMs = 10_000;
const pauseMs = 200;
const timeoutMs = 5000;

export class Differences {
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #table: MemberTable;
  readonly #options: DifferencesOptions;
  #sinceMs: number | undefined;
  #isUnderWay = false;
  #comparedAtMs = Number.NEGATIVE_INFINITY;

  constructor(transport: Transport, clock: Clock, table: MemberTable, options: DifferencesOptions) {
    this.#transport = transport;
    this.#clock = clock;
    this.#table = table;
    this.#options = options;
  }

  /** A peer said its digest, and what it told with it has been heard. */
  note(peer: PeerId, digest: Buffer): void {
    if (digest.equals(this.#table.digest)) {
      this.#sinceMs = undefined;
      return;
    }
    const nowMs = this.#clock.monotonicMs();
    this.#sinceMs ??= nowMs;
    const lastsMs = nowMs - this.#sinceMs;
    if (lastsMs < (this.#options.areRumoursHot() ? patienceMs : settleMs)) return;
    this.compare(peer);
  }

  /** At once, but not many at a time. */
  compare(peer: PeerId): void {
    const nowMs = this.#clock.monotonicMs();
    if (this.#isUnderWay || nowMs - this.#comparedAtMs < pauseMs) return;
    this.#isUnderWay = true;
    this.#comparedAtMs = nowMs;
    this.#sinceMs = undefined;
    const end = (): void => {
      this.#isUnderWay = false;
    };
    this.#call(peer, encodeBuckets(this.#table.digests)).listen((answer) => {
      const message = this.#options.hear(peer, answer);
      if (message?.kind !== 'entries' || message.buckets.length === 0) return end();
      const lacking = this.#lackedBy(message.buckets, message.rumours);
      if (lacking.length === 0) return end();
      this.#call(peer, encodeEntries([], lacking)).listen((news) => {
        this.#options.hear(peer, news);
        end();
      }, end);
    }, end);
  }

  /** To a peer that sent its digests. */
  answer(digests: Buffer): Buffer {
    const buckets = this.#table.differing(digests);
    return encodeEntries(buckets, this.#lackedBy(buckets, []));
  }

  /** All of these buckets that was not just told by the other side. */
  #lackedBy(buckets: readonly number[], told: readonly Rumour[]): readonly Buffer[] {
    const known = new Map(told.map(({ entry }) => [entry.id, entry]));
    const lacking: Buffer[] = [];
    for (const bucket of buckets) {
      for (const entry of this.#table.inBucket(bucket)) {
        const theirs = known.get(entry.id);
        if (theirs !== undefined && encodeEntry(theirs).equals(encodeEntry(entry))) continue;
        lacking.push(this.#options.encode(entry));
      }
    }
    return lacking;
  }

  #call(peer: PeerId, body: Buffer): Deferred<Buffer> {
    return this.#transport.call(peer, membershipKinds.gossip, body, timeoutMs);
  }
}
