/**
 * Is that member there? One after the other of a shuffled list is asked directly, and if it does
 * not answer, through up to three others, so that a broken link alone accuses nobody (SWIM: Das,
 * Gupta, Motivala 2002). Those who are down are asked too, for ever, whenever chance picks one: a
 * healed split would never be noticed otherwise (RELIABILITY B25).
 *
 *   direct: 400 ms --silent--> 3 relays: 600 ms, each with 400 ms of its own --nobody--> silent
 *
 * Helpers say nay when they fail as well; a helper that says nothing at all makes this node doubt
 * itself. So does a tick or an end that comes late: such a probe has found out nothing.
 *
 *   relay  the id (20) -> u8 1 it answered, 0 it did not
 */
import { RedisError } from '../base/errors.ts';
import { Deferred } from '../base/later.ts';
import type { System, Timer } from '../runtime/ports.ts';
import { PeerError, type PeerId, type Transport } from '../transport/transport.ts';
import type { Awareness } from './awareness-core.ts';
import { idBytes } from './member-entry.ts';
import type { MemberTable } from './member-table.ts';
import { membershipKinds } from './peer-kinds.ts';

export interface ProbesOptions {
  readonly self: PeerId;
  readonly periodMs: number;
  isMember(peer: PeerId): boolean;
  /** What to ask it with. */
  news(peer: PeerId): Buffer;
  /** What it answered; must not throw. */
  hear(peer: PeerId, answer: Buffer): void;
  /** Neither this node nor a helper got an answer. */
  silent(peer: PeerId): void;
}

/** Doubled a few times it is still below what routing takes for a failure. */
const answerMs = 400;
const relayMs = 600;
/** From the first question to the verdict. */
export const verdictMs = answerMs + relayMs;
const helpersMax = 3;
/** Tries at random before fewer members than wanted are taken. */
const triesPerPick = 4;

export class Probes {
  readonly #transport: Transport;
  readonly #system: System;
  readonly #table: MemberTable;
  readonly #awareness: Awareness;
  readonly #options: ProbesOptions;
  readonly #underWay = new Set<PeerId>();
  /** Whose turn it is, from the end. */
  #turns: PeerId[] = [];
  #timer: Timer | undefined;
  #tickedAtMs = 0;
  #ticks = 0;

  constructor(
    transport: Transport,
    system: System,
    { table, awareness }: { readonly table: MemberTable; readonly awareness: Awareness },
    options: ProbesOptions,
  ) {
    this.#transport = transport;
    this.#system = system;
    this.#table = table;
    this.#awareness = awareness;
    this.#options = options;
  }

  start(): void {
    this.#transport.handle(membershipKinds.relay, ({ from, body }) => this.#relay(from, body));
    this.#tickedAtMs = this.#nowMs;
    this.#timer = this.#system.timers.every(this.#options.periodMs, () => this.#tick());
  }

  stop(): void {
    this.#timer?.cancel();
  }

  /** Members that are there and linked, at random, fewer if there are not many. */
  pick(count: number, besides?: PeerId): readonly PeerId[] {
    const { ids } = this.#table;
    const picked = new Set<PeerId>();
    for (let tries = count * triesPerPick; tries > 0 && picked.size < count; tries -= 1) {
      const id = ids[this.#system.random.below(ids.length)];
      if (id !== undefined && id !== besides && this.#canHelp(id)) picked.add(id);
    }
    return [...picked];
  }

  /** Now, beside the turns. */
  probe(peer: PeerId): void {
    if (this.#underWay.has(peer) || peer === this.#options.self) return;
    this.#underWay.add(peer);
    const timeoutMs = answerMs * this.#awareness.factor;
    const dueAtMs = this.#nowMs + timeoutMs;
    this.#ask(peer, timeoutMs).listen(
      () => {
        this.#underWay.delete(peer);
        this.#awareness.change(-1);
      },
      () => this.#askHelpers(peer, dueAtMs),
    );
  }

  #tick(): void {
    const nowMs = this.#nowMs;
    this.#awareness.noticeLate(this.#tickedAtMs + this.#options.periodMs, nowMs);
    this.#tickedAtMs = nowMs;
    this.#ticks += 1;
    if (this.#ticks % this.#awareness.factor !== 0) return;
    const next = this.#nextTurn();
    if (next !== undefined) this.probe(next);
    const { ids } = this.#table;
    const chosen = ids[this.#system.random.below(ids.length)];
    if (chosen !== undefined && this.#table.get(chosen)?.state === 'down') this.probe(chosen);
  }

  /** Through all who are there, in an order that is drawn anew each time round. */
  #nextTurn(): PeerId | undefined {
    for (let tries = this.#table.ids.length; tries > 0; tries -= 1) {
      if (this.#turns.length === 0) this.#shuffle();
      const id = this.#turns.pop();
      if (id !== undefined && this.#table.isPresent(id)) return id;
    }
    return undefined;
  }

  #shuffle(): void {
    const turns = this.#table.ids.filter((id) => id !== this.#options.self);
    for (let at = turns.length - 1; at > 0; at -= 1) {
      const other = this.#system.random.below(at + 1);
      [turns[at], turns[other]] = [turns[other] as PeerId, turns[at] as PeerId];
    }
    this.#turns = turns;
  }

  /** Settles once it has answered, whatever it says; fails if it did not. */
  #ask(peer: PeerId, timeoutMs: number): Deferred<void> {
    const { news, hear } = this.#options;
    const outcome = new Deferred<void>();
    this.#transport.call(peer, membershipKinds.gossip, news(peer), timeoutMs).listen(
      (answer) => {
        hear(peer, answer);
        outcome.settle();
      },
      (error) => {
        if (error instanceof PeerError && error.code === 'refused') outcome.settle();
        else outcome.fail(error);
      },
    );
    return outcome;
  }

  #askHelpers(peer: PeerId, dueAtMs: number): void {
    if (this.#awareness.noticeLate(dueAtMs, this.#nowMs)) {
      this.#underWay.delete(peer);
      return;
    }
    const timeoutMs = relayMs * this.#awareness.factor;
    const endsAtMs = this.#nowMs + timeoutMs;
    const helpers = this.pick(helpersMax, peer);
    let [left, unheard, isThere] = [helpers.length, 0, false];
    const body = Buffer.from(peer, 'hex');
    const end = (): void => {
      if (left > 0) return;
      this.#underWay.delete(peer);
      if (this.#awareness.noticeLate(endsAtMs, this.#nowMs)) return;
      this.#awareness.change(unheard);
      if (!isThere) this.#options.silent(peer);
    };
    end();
    for (const helper of helpers) {
      this.#transport.call(helper, membershipKinds.relay, body, timeoutMs).listen(
        (answer) => {
          left -= 1;
          isThere ||= answer[0] === 1;
          end();
        },
        () => {
          left -= 1;
          unheard += 1;
          end();
        },
      );
    }
  }

  #relay(from: PeerId, body: Buffer): Deferred<Buffer> {
    if (!this.#options.isMember(from) || body.length !== idBytes) {
      throw new RedisError('ERR you are no member of this ring');
    }
    return this.#ask(body.toString('hex'), answerMs).then(
      () => Buffer.of(1),
      () => Buffer.of(0),
    );
  }

  #canHelp(id: PeerId): boolean {
    if (id === this.#options.self || !this.#transport.isConnected(id)) return false;
    return this.#table.isPresent(id);
  }

  get #nowMs(): number {
    return this.#system.clock.monotonicMs();
  }
}
