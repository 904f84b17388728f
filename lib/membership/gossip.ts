/**
 * What the members know of each other, for operators and for the view of the cluster: who is there,
 * where, and since which start. It never changes what a node owns, and routes no request (that is
 * `peer-health.ts`). SWIM with Lifeguard (RELIABILITY 1.11), over the links there are:
 *
 *   a probe every 500 ms carries the digest of all entries, and its answer as well; at rest that is
 *   all.  A changed entry is a rumour: told at once to three others every 200 ms, and with probes,
 *   until all have heard it.  Digests that stay different have their differences exchanged.
 *
 *   alive --silent--> suspect --no word from it--> down --its word, one incarnation up--> alive
 *
 * Invariant: only a node itself raises its incarnation, and only upward, so that what it says last
 * outranks everything said of it before. Whoever talks to a member that he takes for dead tells it
 * so in the same message, and its answer refutes.
 */
import { CodecError } from '../base/byte-reader.ts';
import { RedisError } from '../base/errors.ts';
import { nothing } from '../base/later.ts';
import type { System, Timer } from '../runtime/ports.ts';
import type { PeerId, Request, Transport } from '../transport/transport.ts';
import { Awareness, graceMs } from './awareness-core.ts';
import { Differences } from './differences.ts';
import {
  decodeMessage,
  encodeNews,
  encodeRumour,
  type Message,
  type Rumour,
} from './gossip-messages.ts';
import { type Entry, mergeEntries, unionOf } from './member-entry.ts';
import type { MemberFacts } from './member-facts.ts';
import { MemberTable } from './member-table.ts';
import { membershipKinds } from './peer-kinds.ts';
import { Probes, verdictMs } from './probes.ts';
import { Spreading } from './spreading.ts';
import { Suspicions } from './suspicions.ts';

export interface GossipOptions {
  /** Alive, with the incarnation of this start. */
  readonly self: Entry;
  /** From the disk. */
  readonly known: readonly Entry[];
  /** To be stored. */
  rememberIncarnation(incarnation: number): void;
  /** Of the layouts, 8 bytes. */
  fingerprint(): Buffer;
  layoutsDiffer(peer: PeerId): void;
  /** Also of this node's own. undefined: it was not known. */
  changed(entry: Entry, before: Entry | undefined): void;
  /** Others are refused. */
  isMember(peer: PeerId): boolean;
}

export const probePeriodMs = 500;
/** News of those who left may be so old. */
const leftMs = 72 * 3_600_000;
const sweepPeriodMs = 3_600_000;

export class Gossip {
  readonly #transport: Transport;
  readonly #system: System;
  readonly #options: GossipOptions;
  readonly #table = new MemberTable();
  readonly #spreading: Spreading;
  readonly #awareness: Awareness;
  readonly #suspicions: Suspicions;
  readonly #probes: Probes;
  readonly #differences: Differences;
  /** Since when those are alive again who were not: links to them may still be missing. */
  readonly #backSinceMs = new Map<PeerId, number>();
  /** What this process says of itself; a twin may say something else. */
  #facts: MemberFacts;
  #refuted = 0;
  #isRunning = false;
  #sweeper: Timer | undefined;

  constructor(transport: Transport, system: System, options: GossipOptions) {
    this.#transport = transport;
    this.#system = system;
    this.#options = options;
    this.#facts = options.self.facts;
    this.#awareness = new Awareness(this.#nowMs);
    const self = options.self.id;
    this.#suspicions = new Suspicions(system, this.#awareness, {
      periodMs: probePeriodMs,
      presentCount: () => this.#table.presentCount,
      expired: (id) => this.#giveUp(id),
    });
    const { isMember } = options;
    this.#probes = new Probes(
      transport,
      system,
      { table: this.#table, awareness: this.#awareness },
      {
        self,
        periodMs: probePeriodMs,
        isMember,
        news: (peer) => this.#news(peer),
        hear: (peer, answer) => void this.#heard(peer, answer),
        silent: (peer) => this.#suspect(peer),
      },
    );
    this.#spreading = new Spreading(system, {
      membersCount: () => this.#table.ids.length,
      pick: (count) => this.#probes.pick(count),
      send: (peer, timeoutMs) => this.#send(peer, timeoutMs),
    });
    this.#differences = new Differences(transport, system.clock, this.#table, {
      areRumoursHot: () => this.#spreading.isHot,
      encode: (entry) => this.#encode(entry),
      hear: (peer, answer) => this.#heard(peer, answer),
    });
    this.#table.put(options.self, this.#nowMs);
    for (const entry of options.known) if (entry.id !== self) this.#table.put(entry, this.#nowMs);
  }

  get refuted(): number {
    return this.#refuted;
  }

  start(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#transport.handle(membershipKinds.gossip, (request) => this.#answer(request));
    this.#transport.onConnected((peer) => this.#met(peer));
    this.#spreading.start();
    this.#probes.start();
    this.#sweeper = this.#system.timers.every(sweepPeriodMs, () => {
      this.#table.forgetLeft(this.#nowMs - leftMs);
    });
    this.#tell(this.#own);
    const past = this.#options.known.find(({ id }) => id === this.#own.id);
    if (past !== undefined) this.learn(past);
    for (const { id, state, incarnation } of this.#options.known) {
      if (state === 'suspect') this.#suspicions.accuse(id, incarnation, [this.#own.id]);
    }
  }

  stop(): void {
    this.#isRunning = false;
    this.#probes.stop();
    this.#suspicions.stop();
    this.#sweeper?.cancel();
    this.#spreading.stop();
  }

  entry(id: PeerId): Entry | undefined {
    return this.#table.get(id);
  }

  entries(): Iterable<Entry> {
    return this.#table.entries();
  }

  /** From elsewhere, e.g. of a new member; told to all if it is news. */
  learn(entry: Entry): void {
    this.#merge({ entry, accusers: [] }, this.#own.id);
  }

  /** This node has changed. */
  say(change: Partial<Pick<Entry, 'facts' | 'twins'>>): void {
    this.#claim(this.#own.incarnation, change);
  }

  /** For good: it refutes nothing any more. Others forget it after 72 hours. */
  leave(): void {
    if (this.#own.state !== 'left') this.#put({ ...this.#own, state: 'left' });
  }

  /** Routing has lost it: it is probed out of turn, here as by the others who lost it. */
  suspectNow(id: PeerId): void {
    if (this.#isRunning && this.#table.isPresent(id)) this.#probes.probe(id);
  }

  get #own(): Entry {
    return this.#table.get(this.#options.self.id) ?? this.#options.self;
  }

  get #nowMs(): number {
    return this.#system.clock.monotonicMs();
  }

  /* What comes in. */

  #answer({ from, body }: Request): Buffer {
    if (!this.#isRunning) throw new RedisError('ERR this node is stopping');
    if (!this.#options.isMember(from)) throw new RedisError('ERR you are no member of this ring');
    const message = decodeMessage(body);
    if (message.kind === 'buckets') return this.#differences.answer(message.digests);
    this.#hear(from, message);
    return this.#news(from);
  }

  /** An answer; undefined if it cannot be read. */
  #heard(peer: PeerId, answer: Buffer): Message | undefined {
    if (!this.#isRunning) return undefined;
    try {
      const message = decodeMessage(answer);
      this.#hear(peer, message);
      return message;
    } catch (error) {
      if (!(error instanceof CodecError)) throw error;
      this.#system.log.warning('a member says what this node cannot read', { peer, error });
      return undefined;
    }
  }

  #hear(from: PeerId, message: Message): void {
    if (message.kind === 'buckets') return;
    if (message.kind === 'entries') {
      for (const rumour of message.rumours) this.#merge(doubted(rumour), from);
      return;
    }
    // Views of what is borrowed: before anybody else gets a turn.
    for (const rumour of message.rumours) this.#merge(rumour, from);
    this.#differences.note(from, message.digest);
    if (!message.fingerprint.equals(this.#options.fingerprint())) this.#options.layoutsDiffer(from);
  }

  /** Who tells of a suspect without an accuser is one. */
  #merge({ entry, accusers }: Rumour, from: PeerId): void {
    const { id } = entry;
    if (id === this.#own.id) {
      this.#hearOfSelf(entry);
      return;
    }
    const known = this.#table.get(id);
    if (known === undefined && entry.state === 'left') return;
    const merged = known === undefined ? entry : mergeEntries(known, entry);
    const isAccused =
      merged.state === 'suspect' &&
      entry.state === 'suspect' &&
      merged.incarnation === entry.incarnation &&
      this.#suspicions.accuse(id, entry.incarnation, accusers.length > 0 ? accusers : [from]);
    if (merged !== known) this.#put(merged);
    else if (isAccused) this.#tell(merged);
  }

  /**
   * What is said of an earlier process of this node matters only by its incarnation. Where two
   * processes run under this id and both know it, neither outranks the other's `alive` any more.
   */
  #hearOfSelf(heard: Entry): void {
    const own = this.#own;
    if (heard.incarnation < own.incarnation || own.state === 'left') return;
    const isTold = heard.twins.includes(own.nonce);
    const twins = isTold ? unionOf(own.twins, heard.twins) : own.twins;
    if (heard.state !== 'alive') {
      this.#refuted += 1;
      this.#awareness.change(1);
      this.#claim(heard.incarnation, { twins });
    } else if (twins.length > 0) {
      const merged = mergeEntries(own, { ...heard, twins });
      if (merged !== own) this.#put(merged);
    } else if (heard.incarnation > own.incarnation || heard.nonce !== own.nonce) {
      this.#claim(heard.incarnation, {});
    }
  }

  /** A link to it is there, perhaps again. */
  #met(peer: PeerId): void {
    if (!this.#isRunning || !this.#options.isMember(peer)) return;
    if (this.#table.get(peer)?.state !== 'alive') this.#probes.probe(peer);
    this.#differences.compare(peer);
  }

  /* What follows from it. */

  /** Outranks everything up to this incarnation. */
  #claim(outranked: number, change: Partial<Pick<Entry, 'facts' | 'twins'>>): void {
    this.#facts = change.facts ?? this.#facts;
    const [facts, { nonce }] = [this.#facts, this.#options.self];
    const incarnation = Math.max(outranked, this.#own.incarnation) + 1;
    this.#options.rememberIncarnation(incarnation);
    this.#put({ ...this.#own, ...change, facts, nonce, incarnation, state: 'alive' });
  }

  /** This node found it silent itself. */
  #suspect(id: PeerId): void {
    const known = this.#table.get(id);
    const nowMs = this.#nowMs;
    if (known === undefined || !this.#isRunning || !this.#table.isPresent(id)) return;
    if (!this.#awareness.isTrusted(nowMs)) return;
    const backSinceMs = this.#backSinceMs.get(id) ?? Number.NEGATIVE_INFINITY;
    if (nowMs - backSinceMs < graceMs && !this.#transport.isConnected(id)) return;
    // A probe that began before it was back has found out nothing.
    if (nowMs - backSinceMs < verdictMs * this.#awareness.factor) return;
    this.#merge({ entry: { ...known, state: 'suspect' }, accusers: [this.#own.id] }, this.#own.id);
  }

  #giveUp(id: PeerId): void {
    const known = this.#table.get(id);
    if (known?.state === 'suspect') this.#put({ ...known, state: 'down' });
  }

  #put(entry: Entry): void {
    const { id, state } = entry;
    const before = this.#table.get(id);
    this.#table.put(entry, this.#nowMs);
    if (state !== 'suspect') this.#suspicions.clear(id);
    if (state !== 'alive') this.#backSinceMs.delete(id);
    else if (before?.state !== 'alive') {
      this.#backSinceMs.set(id, this.#nowMs);
    }
    this.#tell(entry);
    this.#options.changed(entry, before);
  }

  /* What goes out. */

  #tell(entry: Entry): void {
    this.#spreading.tell(entry.id, this.#encode(entry));
  }

  #send(peer: PeerId, timeoutMs: number): void {
    this.#transport
      .call(peer, membershipKinds.gossip, this.#news(peer), timeoutMs)
      .listen((answer) => void this.#heard(peer, answer), nothing);
  }

  /** An accused one hears of it first of all, so that it can refute at once. */
  #news(to: PeerId): Buffer {
    const entry = this.#table.get(to);
    const accusation = entry === undefined || entry.state === 'alive' ? [] : [this.#encode(entry)];
    const told = this.#spreading.take();
    return encodeNews(this.#table.digest, this.#options.fingerprint(), [...accusation, ...told]);
  }

  #encode(entry: Entry): Buffer {
    const accusers = entry.state === 'suspect' ? this.#suspicions.accusersOf(entry.id) : [];
    return encodeRumour({ entry, accusers });
  }
}

/** A death that this node only reads of is to be confirmed: the dead may have come back since. */
function doubted({ entry, accusers }: Rumour): Rumour {
  if (entry.state !== 'down') return { entry, accusers };
  return { entry: { ...entry, state: 'suspect' }, accusers: [] };
}
