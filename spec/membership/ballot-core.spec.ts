/** Whatever gets lost, comes twice or late, and whoever dies: at most one value is chosen. */
import { expect } from 'chai';
import fc from 'fast-check';
import {
  type Acceptor,
  accept,
  type Ballot,
  freshAcceptor,
  isAbove,
  majorityOf,
  noBallot,
  ProposerCore,
  promise,
  type Vote,
} from '../../lib/membership/ballot-core.ts';

type Core = ProposerCore<string>;

interface Message {
  readonly core: Core;
  readonly to: string;
  readonly deliver: () => void;
}

/** Nodes that are proposer and acceptor at once; acceptors' states are on disks. */
class Parliament {
  readonly nodes: readonly string[];
  readonly acceptors = new Map<string, Acceptor<string>>();
  readonly proposers = new Map<string, Core>();
  /** Who has accepted, by ballot and value. */
  readonly #accepted = new Map<string, Set<string>>();
  readonly chosen = new Set<string>();
  messages: Message[] = [];

  constructor(count: number) {
    this.nodes = Array.from({ length: count }, (_, index) => index.toString(16).repeat(40));
    for (const node of this.nodes) this.acceptors.set(node, freshAcceptor);
  }

  acceptor(node: string): Acceptor<string> {
    return this.acceptors.get(node) ?? freshAcceptor;
  }

  /** Its own promise first, as the shell does. */
  propose(node: string, value: string): void {
    const round = this.acceptor(node).promised.round + 1;
    const core: Core = new ProposerCore(this.nodes.length, { round, node }, value);
    this.proposers.set(node, core);
    this.#prepare(core, node);
    if (core.isAccepting) this.#sendAccepts(core);
    else
      for (const to of this.nodes)
        if (to !== node) this.#send(core, to, () => this.#prepare(core, to));
  }

  crash(node: string): void {
    this.proposers.delete(node);
  }

  #send(core: Core, to: string, deliver: () => void): void {
    this.messages.push({ core, to, deliver });
  }

  #prepare(core: Core, to: string): void {
    const before = this.acceptor(to);
    const next = promise(before, core.ballot);
    if (next !== undefined) this.acceptors.set(to, next);
    const answer = (): void => {
      if (next === undefined) core.refused(to);
      else core.promised(to, before.accepted);
    };
    if (to === core.ballot.node) answer();
    else this.#send(core, core.ballot.node, () => this.#step(core, answer));
  }

  /** An answer reaches the proposer, if that still is the one who asked. */
  #step(core: Core, answer: () => void): void {
    if (this.proposers.get(core.ballot.node) !== core) return;
    const { isAccepting } = core;
    answer();
    if (!isAccepting && core.isAccepting) this.#sendAccepts(core);
    if (core.isChosen) expect(this.chosen).to.include(core.value);
  }

  #sendAccepts(core: Core): void {
    const vote = { ballot: core.ballot, value: core.value };
    for (const to of this.nodes) this.#send(core, to, () => this.#accept(core, to, vote));
  }

  #accept(core: Core, to: string, vote: Vote<string>): void {
    const next = accept(this.acceptor(to), vote);
    if (next !== undefined) {
      this.acceptors.set(to, next);
      this.#noteAccepted(to, vote);
    }
    this.#send(core, core.ballot.node, () =>
      this.#step(core, () => {
        if (next === undefined) core.refused(to);
        else core.accepted(to);
      }),
    );
  }

  #noteAccepted(node: string, { ballot, value }: Vote<string>): void {
    const name = `${ballot.round} ${ballot.node} ${value}`;
    const who = this.#accepted.get(name) ?? new Set();
    this.#accepted.set(name, who.add(node));
    if (who.size >= majorityOf(this.nodes.length)) this.chosen.add(value);
    expect([...this.chosen], 'chosen').to.have.length.at.most(1);
  }

  deliver(at: number, isKept: boolean): void {
    const index = at % Math.max(1, this.messages.length);
    const message = this.messages[index];
    if (message === undefined) return;
    if (!isKept) this.messages.splice(index, 1);
    message.deliver();
  }

  lose(at: number): void {
    this.messages.splice(at % Math.max(1, this.messages.length), 1);
  }
}

/** What happens, with weights. */
const events = fc.oneof(
  { weight: 20, arbitrary: fc.record({ what: fc.constant('deliver' as const), at: fc.nat(999) }) },
  { weight: 3, arbitrary: fc.record({ what: fc.constant('repeat' as const), at: fc.nat(999) }) },
  { weight: 3, arbitrary: fc.record({ what: fc.constant('lose' as const), at: fc.nat(999) }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('propose' as const), at: fc.nat(999) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('crash' as const), at: fc.nat(999) }) },
);

const ballots: fc.Arbitrary<Ballot> = fc.record({
  round: fc.integer({ min: 1, max: 4 }),
  node: fc.constantFrom('a'.repeat(40), 'b'.repeat(40), 'c'.repeat(40)),
});

describe('the core of a ballot', () => {
  it('has at most one value chosen, by any interleaving', () => {
    let decisions = 0;
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5 }),
        fc.array(events, { minLength: 100, maxLength: 400, size: 'max' }),
        (count, happenings) => {
          const parliament = new Parliament(count);
          for (const [index, { what, at }] of happenings.entries()) {
            const node = parliament.nodes[at % count] ?? '';
            if (what === 'deliver') parliament.deliver(at, false);
            else if (what === 'repeat') parliament.deliver(at, true);
            else if (what === 'lose') parliament.lose(at);
            else if (what === 'crash') parliament.crash(node);
            else parliament.propose(node, `value ${index}`);
          }
          decisions += parliament.chosen.size;
        },
      ),
      { numRuns: 1000 },
    );
    expect(decisions).to.be.above(200);
  });

  it('comes to what was chosen, or to a decision, once nothing is in its way', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5 }),
        fc.array(events, { maxLength: 150, size: 'max' }),
        (count, happenings) => {
          const parliament = new Parliament(count);
          for (const [index, { what, at }] of happenings.entries()) {
            if (what === 'propose')
              parliament.propose(parliament.nodes[at % count] ?? '', `${index}`);
            else if (what === 'lose') parliament.lose(at);
            else parliament.deliver(at, false);
          }
          parliament.messages = [];
          const [proposer = ''] = parliament.nodes;
          for (
            let ballot = 0;
            ballot < 20 && !parliament.proposers.get(proposer)?.isChosen;
            ballot += 1
          ) {
            parliament.propose(proposer, 'the last');
            while (parliament.messages.length > 0) parliament.deliver(0, false);
          }
          expect(parliament.proposers.get(proposer)?.isChosen).to.equal(true);
          expect([...parliament.chosen]).to.deep.equal([parliament.proposers.get(proposer)?.value]);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('orders ballots totally, above none', () => {
    fc.assert(
      fc.property(ballots, ballots, (a, b) => {
        const isSame = a.round === b.round && a.node === b.node;
        expect([isAbove(a, b), isAbove(b, a), isSame].filter(Boolean)).to.have.length(1);
        expect(isAbove(a, noBallot)).to.equal(true);
      }),
    );
  });

  it('takes an acceptance for a promise as well', () => {
    const [low, high] = [1, 2].map((round) => ({ round, node: 'a'.repeat(40) })) as [
      Ballot,
      Ballot,
    ];
    const acceptor = accept<string>(freshAcceptor, { ballot: high, value: 'high' });
    expect(acceptor?.promised).to.deep.equal(high);
    expect(accept(acceptor ?? freshAcceptor, { ballot: low, value: 'low' })).to.equal(undefined);
    expect(promise(acceptor ?? freshAcceptor, low)).to.equal(undefined);
  });

  it('counts each acceptor once', () => {
    const core = new ProposerCore(5, { round: 1, node: 'a'.repeat(40) }, 'wanted');
    for (const acceptor of ['a', 'a', 'b', 'b']) core.promised(acceptor, undefined);
    expect(core.isAccepting).to.equal(false);
    for (const acceptor of ['d', 'd', 'd']) core.refused(acceptor);
    expect(core.phase).to.equal('preparing');
    core.promised('c', undefined);
    expect(core.isAccepting).to.equal(true);
  });

  it('fails as soon as no majority can agree', () => {
    const core = new ProposerCore(4, { round: 1, node: 'a'.repeat(40) }, 'wanted');
    core.refused('a');
    expect(core.phase).to.equal('preparing');
    core.refused('b');
    expect(core.phase).to.equal('failed');
    core.promised('c', undefined);
    core.promised('d', undefined);
    core.promised('b', undefined);
    expect(core.phase).to.equal('failed');
  });
});
