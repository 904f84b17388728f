/**
 * How several agree on one value though messages get lost and nodes die: single-decree Paxos
 * (Lamport, "Paxos made simple"). What is agreed here is the next layout of the ring, one instance
 * for each version number (RELIABILITY 1.9).
 *
 *   prepare b    an acceptor promises to take part in no ballot below b, and says what it accepted
 *   accept b, v  it accepts unless it has promised more
 *   chosen       a majority has accepted v in one ballot: no other value ever is
 *
 * A proposer that hears of accepted values proposes the one of the highest ballot. Any two
 * majorities share an acceptor: so whoever gets through after v was chosen has heard of v.
 *
 * Invariants: an acceptor's state is on its disk before its answer is said; no two proposers, nor
 * one before and after a crash, use the same ballot.
 */
import { assert } from '../base/assert.ts';

/** Ordered by round, then by node. */
export interface Ballot {
  readonly round: number;
  /** Whose it is: 40 hex digits. */
  readonly node: string;
}

export interface Vote<T> {
  readonly ballot: Ballot;
  readonly value: T;
}

export interface Acceptor<T> {
  readonly promised: Ballot;
  readonly accepted: Vote<T> | undefined;
}

/** Below all others. */
export const noBallot: Ballot = { round: 0, node: '0'.repeat(40) };
export const freshAcceptor: Acceptor<never> = { promised: noBallot, accepted: undefined };

export function isAbove(a: Ballot, b: Ballot): boolean {
  return a.round === b.round ? a.node > b.node : a.round > b.round;
}

/** undefined: it has promised a higher one. */
export function promise<T>(acceptor: Acceptor<T>, ballot: Ballot): Acceptor<T> | undefined {
  if (isAbove(acceptor.promised, ballot)) return undefined;
  return { promised: ballot, accepted: acceptor.accepted };
}

/** undefined: it has promised a higher one. */
export function accept<T>(acceptor: Acceptor<T>, vote: Vote<T>): Acceptor<T> | undefined {
  if (isAbove(acceptor.promised, vote.ballot)) return undefined;
  return { promised: vote.ballot, accepted: vote };
}

export function majorityOf(acceptors: number): number {
  return Math.floor(acceptors / 2) + 1;
}

/** One ballot of one proposer, by the answers it gets. */
export class ProposerCore<T> {
  readonly ballot: Ballot;
  readonly #acceptors: number;
  readonly #yes = new Set<string>();
  readonly #no = new Set<string>();
  #phase: 'preparing' | 'accepting' | 'chosen' | 'failed' = 'preparing';
  #value: T;
  /** The highest that an acceptor has accepted already. */
  #found: Ballot = noBallot;

  constructor(acceptors: number, ballot: Ballot, wanted: T) {
    assert(isAbove(ballot, noBallot), 'a ballot is above none');
    this.ballot = ballot;
    this.#acceptors = acceptors;
    this.#value = wanted;
  }

  get phase(): 'preparing' | 'accepting' | 'chosen' | 'failed' {
    return this.#phase;
  }

  get isAccepting(): boolean {
    return this.#phase === 'accepting';
  }

  get isChosen(): boolean {
    return this.#phase === 'chosen';
  }

  /** What is proposed: final from when a majority has promised. */
  get value(): T {
    return this.#value;
  }

  promised(acceptor: string, accepted: Vote<T> | undefined): void {
    if (this.#phase !== 'preparing') return;
    if (accepted !== undefined && isAbove(accepted.ballot, this.#found)) {
      this.#found = accepted.ballot;
      this.#value = accepted.value;
    }
    this.#count(acceptor, this.#yes);
  }

  accepted(acceptor: string): void {
    if (this.#phase === 'accepting') this.#count(acceptor, this.#yes);
  }

  /** It refuses what it was last asked, or does not answer. */
  refused(acceptor: string): void {
    if (this.#phase === 'preparing' || this.#phase === 'accepting') {
      this.#count(acceptor, this.#no);
    }
  }

  #count(acceptor: string, side: Set<string>): void {
    side.add(acceptor);
    const majority = majorityOf(this.#acceptors);
    if (this.#yes.size >= majority) {
      this.#phase = this.#phase === 'preparing' ? 'accepting' : 'chosen';
      this.#yes.clear();
      this.#no.clear();
    } else if (this.#acceptors - this.#no.size < majority) this.#phase = 'failed';
  }
}
