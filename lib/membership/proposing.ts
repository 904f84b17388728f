/**
 * One proposer, from a wish to what is decided: ballot after ballot until one gets through
 * (`ballot-core.ts`), some other node has brought a decision about, or it gives up.
 *
 *   others want something too     later again, after a random while, with a higher ballot
 *   a member lacks the layout     it is told of it, and asked again
 *   a majority cannot be reached  refused at once
 *   a change is in progress       refused at once
 *
 * Refused means that it has certainly not happened. Once some member may have accepted the wish,
 * whoever finds it there may complete it: then a failure is UNCERTAIN (DESIGN 2.5).
 *
 * Invariant: this node's own promise is on its disk before a ballot is said to anybody. So no
 * ballot is used twice, however often the node crashes.
 */
import { assert } from '../base/assert.ts';
import { RedisError, StoreError } from '../base/errors.ts';
import { Deferred, type Later, outcomeOf } from '../base/later.ts';
import type { System, Timer } from '../runtime/ports.ts';
import { PeerError, type PeerId, type Transport } from '../transport/transport.ts';
import { majorityOf, ProposerCore } from './ballot-core.ts';
import {
  type BallotAnswer,
  type BallotRequest,
  decodeAnswer,
  encodeRequest,
  type Proposal,
} from './ballot-messages.ts';
import { membershipKinds } from './peer-kinds.ts';

export const changeInProgress = 'ERR another change is in progress';
export const noMember = 'ERR you are no member of this ring';

export interface ProposingOptions {
  readonly self: PeerId;
  /** All who vote, this node among them. */
  readonly acceptors: readonly PeerId[];
  /** What this node has heard to be decided; throws a RedisError if it is not known any more. */
  decision(): Proposal | undefined;
  /** The highest round that this node has promised. */
  promisedRound(): number;
  /** What this node itself answers; on the disk when it is said. */
  vote(request: BallotRequest): Later<BallotAnswer>;
  behind(peer: PeerId): void;
  ahead(peer: PeerId): void;
}

/** How one ballot went. */
interface Tally {
  /** Whoever answered anything. */
  readonly reachable: Set<PeerId>;
  /** Who will not take part for now, and why. */
  readonly refused: Map<PeerId, string>;
  isSomebodyOlder: boolean;
}

export const answerTimeoutMs = 1000;
const giveUpMs = 10_000;
const pauseMinMs = 20;
const pauseMaxMs = 1000;

export class Proposing {
  readonly #transport: Transport;
  readonly #system: System;
  readonly #wanted: Proposal;
  readonly #options: ProposingOptions;
  #roundSeen = 0;
  /** Some member may have accepted what is wanted. */
  #isSaid = false;
  #isStopped = false;
  #pause: { readonly over: Deferred<void>; readonly timer: Timer } | undefined;

  constructor(transport: Transport, system: System, wanted: Proposal, options: ProposingOptions) {
    this.#transport = transport;
    this.#system = system;
    this.#wanted = wanted;
    this.#options = options;
  }

  /** What is decided for that version, be it wanted or not. Fails with a RedisError. */
  async run(): Promise<Proposal> {
    const { clock } = this.#system;
    const untilMs = clock.monotonicMs() + giveUpMs;
    for (let ballots = 1; ; ballots += 1) {
      const heard = this.#options.decision();
      if (heard !== undefined) return heard;
      const tally: Tally = { reachable: new Set(), refused: new Map(), isSomebodyOlder: false };
      const chosen = await this.#ballot(tally);
      if (chosen !== undefined) return chosen;
      const mayAgree = tally.reachable.size - tally.refused.size;
      const isHopeless = mayAgree < this.#majority || tally.refused.has(this.#options.self);
      const isOver = clock.monotonicMs() >= untilMs || (isHopeless && !this.#isSaid);
      if (isOver || this.#isStopped) throw this.#failure(tally);
      await this.#rest(ballots);
    }
  }

  stop(): void {
    this.#isStopped = true;
    this.#pause?.timer.cancel();
    this.#pause?.over.settle();
  }

  get #majority(): number {
    return majorityOf(this.#options.acceptors.length);
  }

  async #ballot(tally: Tally): Promise<Proposal | undefined> {
    const { self, acceptors } = this.#options;
    const { version } = this.#wanted.layout;
    const round = Math.max(this.#roundSeen, this.#options.promisedRound()) + 1;
    const core = new ProposerCore(acceptors.length, { round, node: self }, this.#wanted);
    const { ballot } = core;
    const others = acceptors.filter((id) => id !== self);
    const prepare = { kind: 'prepare', version, ballot } as const;
    if (!(await this.#ask([self], core, prepare, tally))) return undefined;
    await this.#ask(others, core, prepare, tally);
    if (!core.isAccepting) return undefined;
    this.#isSaid ||= core.value.id.equals(this.#wanted.id);
    const vote = { ballot, value: core.value };
    await this.#ask(acceptors, core, { kind: 'accept', version, vote }, tally);
    return core.isChosen ? core.value : undefined;
  }

  /** Settles when a majority has agreed or all have answered; whether all of them agreed. */
  #ask(
    acceptors: readonly PeerId[],
    core: ProposerCore<Proposal>,
    request: BallotRequest,
    tally: Tally,
  ): Deferred<boolean> {
    const { phase } = core;
    const done = new Deferred<boolean>();
    const body = encodeRequest(request);
    let left = acceptors.length;
    let isUnanimous = true;
    const hear = (acceptor: PeerId, answer: BallotAnswer | undefined): void => {
      left -= 1;
      if (core.phase === phase) {
        if (answer?.kind !== 'yes') core.refused(acceptor);
        else if (phase === 'preparing') core.promised(acceptor, answer.accepted);
        else core.accepted(acceptor);
      }
      isUnanimous &&= answer?.kind === 'yes';
      const hasMajority = core.phase !== phase && core.phase !== 'failed';
      if (hasMajority || left === 0) done.settle(isUnanimous);
    };
    for (const acceptor of acceptors) {
      outcomeOf(
        () => this.#request(acceptor, request, body),
        (answer) => hear(acceptor, this.#note(acceptor, answer, tally)),
        (error) => hear(acceptor, this.#noteError(acceptor, error, tally)),
      );
    }
    if (left === 0) done.settle(isUnanimous);
    return done;
  }

  #request(acceptor: PeerId, request: BallotRequest, body: Buffer): Later<BallotAnswer> {
    if (acceptor === this.#options.self) return this.#options.vote(request);
    return this.#transport
      .call(acceptor, membershipKinds.ballot, body, answerTimeoutMs)
      .then(decodeAnswer);
  }

  #note(acceptor: PeerId, answer: BallotAnswer, tally: Tally): BallotAnswer {
    tally.reachable.add(acceptor);
    if (answer.kind === 'no') this.#roundSeen = Math.max(this.#roundSeen, answer.round);
    else if (answer.kind === 'newer') this.#options.behind(acceptor);
    else if (answer.kind === 'older') this.#noteOlder(acceptor, tally);
    return answer;
  }

  #noteError(acceptor: PeerId, error: unknown, tally: Tally): undefined {
    if (error instanceof PeerError && error.code !== 'refused') return;
    tally.reachable.add(acceptor);
    const text = textOf(error);
    // It may know only a layout before this node came.
    if (text === noMember) this.#noteOlder(acceptor, tally);
    else tally.refused.set(acceptor, text);
  }

  #noteOlder(acceptor: PeerId, tally: Tally): void {
    tally.isSomebodyOlder = true;
    this.#options.ahead(acceptor);
  }

  #rest(ballots: number): Deferred<void> {
    assert(this.#pause === undefined, 'one ballot after the other');
    const { timers, random } = this.#system;
    const over = new Deferred<void>();
    const rangeMs = Math.min(pauseMaxMs, pauseMinMs * 2 ** ballots);
    const timer = timers.after(pauseMinMs + random.below(rangeMs), () => over.settle());
    this.#pause = { over, timer };
    return over.then(() => {
      this.#pause = undefined;
    });
  }

  #failure({ reachable, refused, isSomebodyOlder }: Tally): RedisError {
    const need = `need ${this.#majority} of ${this.#options.acceptors.length} members to agree`;
    const [refusal] = refused.values();
    const reason =
      reachable.size < this.#majority
        ? `CLUSTERDOWN ${need}, ${reachable.size} reachable`
        : isSomebodyOlder
          ? `CLUSTERDOWN ${need}, some have not heard of the present layout`
          : (refusal ?? changeInProgress);
    if (!this.#isSaid) return new RedisError(reason);
    return new RedisError(`UNCERTAIN the change may still come about: ${reason}`);
  }
}

/** As the transport says it of a peer's. */
function textOf(error: unknown): string {
  if (error instanceof StoreError) return `STORE ${error.code}`;
  return error instanceof Error ? error.message : String(error);
}
