/**
 * How the members of a ring agree on its next layout, so that two operators on two sides of a
 * split cannot make two different ones (RELIABILITY 1.9). There is one ballot for each version
 * number: the members of version v vote on v+1, a majority decides. Requests never wait for it.
 *
 * What a member has promised and accepted is on its disk before it says so, and stays there when
 * the layout is decided: a member that has forgotten the decision still does not vote against it.
 * Whoever has accepted a proposal and hears of no decision completes it itself, so that a proposer
 * that dies in between leaves nothing undecided.
 */
import { assert } from '../base/assert.ts';
import { RedisError } from '../base/errors.ts';
import { after, Deferred, type Later, nothing } from '../base/later.ts';
import { encodeLayout, type Layout } from '../ring/layout.ts';
import type { System, Timer } from '../runtime/ports.ts';
import type { Store } from '../storage/store.ts';
import type { PeerId, Transport } from '../transport/transport.ts';
import { type Acceptor, accept, freshAcceptor, promise } from './ballot-core.ts';
import {
  type BallotAnswer,
  type BallotRequest,
  type BallotState,
  decodeRequest,
  decodeState,
  encodeAnswer,
  encodeRequest,
  encodeState,
  type Proposal,
} from './ballot-messages.ts';
import { readKept, sealKept, writeSynced } from './kept-rows.ts';
import { membershipKinds } from './peer-kinds.ts';
import { answerTimeoutMs, changeInProgress, noMember, Proposing } from './proposing.ts';
import { ballotRow } from './ring-rows.ts';

export interface BallotsOptions {
  readonly self: PeerId;
  /** The newest layout; `busy` while two are active. */
  current(): { readonly layout: Layout; readonly busy: boolean };
  /** This is decided for the next version. Settles when it is on the disk; may be told twice. */
  decided(proposal: Proposal): Later<void>;
  /** A peer knows newer layouts than this node. */
  behind(peer: PeerId): void;
  /** A peer lacks our newest layout. */
  ahead(peer: PeerId): void;
}

const finishAfterMs = 5000;
/** So that not all who have accepted the same begin to complete it at once. */
const finishSpreadMs = 2000;

export class Ballots {
  readonly #store: Store;
  readonly #transport: Transport;
  readonly #system: System;
  readonly #options: BallotsOptions;
  /** What this node has promised and accepted; the disk has it, or soon will. */
  #state: BallotState = { version: 0, ...freshAcceptor };
  #decided: Proposal | undefined;
  #proposing: Proposing | undefined;
  #finishTimer: Timer | undefined;
  #isRunning = false;

  constructor(store: Store, transport: Transport, system: System, options: BallotsOptions) {
    this.#store = store;
    this.#transport = transport;
    this.#system = system;
    this.#options = options;
  }

  /** Before `start`. Throws an IdentityError if what was promised cannot be read. */
  async restore(): Promise<void> {
    const state = await readKept(this.#store, ballotRow, decodeState, this.#system);
    if (state !== undefined) this.#state = state;
  }

  start(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#transport.handle(membershipKinds.ballot, ({ from, body }) => this.#hear(from, body));
    this.#finishLater();
  }

  stop(): void {
    this.#isRunning = false;
    this.#finishTimer?.cancel();
    this.#proposing?.stop();
  }

  /**
   * What is decided for the version after the newest: possibly somebody else's, by its id; it is
   * adopted by then. Fails with a RedisError: CLUSTERDOWN or ERR where nothing has happened,
   * UNCERTAIN where it still may.
   */
  propose(proposal: Proposal): Deferred<Proposal> {
    const outcome = new Deferred<Proposal>();
    const { layout, busy } = this.#options.current();
    const isLate = proposal.layout.version !== layout.version + 1;
    if (busy || isLate || this.#proposing !== undefined || !this.#isRunning) {
      outcome.fail(new RedisError(changeInProgress));
    } else if (!layout.members.includes(this.#options.self)) {
      outcome.fail(new RedisError('ERR this node is no member of the ring'));
    } else {
      this.#agree(proposal, layout.members).then(
        (decided) => outcome.settle(decided),
        (error: unknown) => outcome.fail(error),
      );
    }
    return outcome;
  }

  async #agree(wanted: Proposal, acceptors: readonly PeerId[]): Promise<Proposal> {
    const { self } = this.#options;
    const proposing = new Proposing(this.#transport, this.#system, wanted, {
      self,
      acceptors,
      decision: () => this.#decisionOf(wanted),
      promisedRound: () => this.#acceptorOf(wanted.layout.version).promised.round,
      vote: (request) => this.#vote(self, request),
      behind: (peer) => this.#options.behind(peer),
      ahead: (peer) => this.#options.ahead(peer),
    });
    this.#proposing = proposing;
    try {
      const decided = await proposing.run();
      this.#tell(decided, acceptors);
      await this.#adopt(decided);
      return decided;
    } finally {
      this.#proposing = undefined;
    }
  }

  /** Best effort: who does not hear it sees in pings that there is something newer. */
  #tell(decided: Proposal, before: readonly PeerId[]): void {
    const { version, members } = decided.layout;
    const body = encodeRequest({ kind: 'decided', version, proposal: decided });
    for (const peer of new Set([...before, ...members])) {
      if (peer === this.#options.self) continue;
      this.#transport
        .call(peer, membershipKinds.ballot, body, answerTimeoutMs)
        .listen(nothing, nothing);
    }
  }

  #hear(from: PeerId, body: Buffer): Later<Buffer> {
    const { layout } = this.#options.current();
    if (!layout.members.includes(from)) throw new RedisError(noMember);
    if (!this.#isRunning) throw new RedisError('ERR this node takes no part in ballots');
    const request = decodeRequest(body);
    if (request.kind !== 'decided') return after(this.#vote(from, request), encodeAnswer);
    if (request.version > layout.version + 1) this.#options.behind(from);
    return after(this.#adopt(request.proposal), () =>
      encodeAnswer({ kind: 'yes', accepted: undefined }),
    );
  }

  /** What comes next; what is older has been adopted, before what is newer something is missing. */
  #adopt(decided: Proposal): Later<void> {
    if (decided.layout.version !== this.#options.current().layout.version + 1) return undefined;
    this.#decided = decided;
    return this.#options.decided(decided);
  }

  /** This node as an acceptor. */
  #vote(from: PeerId, request: BallotRequest): Later<BallotAnswer> {
    const { version } = request;
    const { layout, busy } = this.#options.current();
    if (version > layout.version + 1) {
      this.#options.behind(from);
      return { kind: 'older' };
    }
    if (version <= layout.version || version < this.#state.version) {
      if (version <= layout.version) this.#options.ahead(from);
      return { kind: 'newer' };
    }
    if (busy) throw new RedisError(changeInProgress);
    return this.#answer(request);
  }

  #answer(request: BallotRequest): Later<BallotAnswer> {
    assert(request.kind !== 'decided', 'a decision needs no vote');
    const { version } = request;
    const acceptor = this.#acceptorOf(version);
    const isPrepare = request.kind === 'prepare';
    const next = isPrepare ? promise(acceptor, request.ballot) : accept(acceptor, request.vote);
    if (next === undefined) return { kind: 'no', round: acceptor.promised.round };
    this.#state = { version, ...next };
    if (!isPrepare) this.#finishLater();
    const accepted = isPrepare ? acceptor.accepted : undefined;
    const rows = sealKept(ballotRow, encodeState(this.#state), this.#system);
    return writeSynced(this.#store, rows).then(() => ({ kind: 'yes', accepted }));
  }

  #acceptorOf(version: number): Acceptor<Proposal> {
    return this.#state.version === version ? this.#state : freshAcceptor;
  }

  /** Throws a RedisError if another change has been made, and it is not known which. */
  #decisionOf(wanted: Proposal): Proposal | undefined {
    const { version } = wanted.layout;
    if (this.#decided?.layout.version === version) return this.#decided;
    const { layout } = this.#options.current();
    if (layout.version < version) return undefined;
    if (encodeLayout(layout).equals(encodeLayout(wanted.layout))) return wanted;
    throw new RedisError(changeInProgress);
  }

  /** What is accepted and not decided. */
  #open(): Proposal | undefined {
    const { version, accepted } = this.#state;
    const isOpen = version === this.#options.current().layout.version + 1;
    return isOpen ? accepted?.value : undefined;
  }

  #finishLater(): void {
    if (!this.#isRunning || this.#finishTimer !== undefined || this.#open() === undefined) return;
    const { timers, random, log } = this.#system;
    this.#finishTimer = timers.after(finishAfterMs + random.below(finishSpreadMs), () => {
      this.#finishTimer = undefined;
      const open = this.#open();
      if (open === undefined) return;
      log.notice('completes a change of the ring', { version: open.layout.version });
      const again = (): void => this.#finishLater();
      this.propose(open).listen(again, again);
    });
  }
}
