/** The members of a ring agree on its next layout, whatever happens to them meanwhile. */
import { expect } from 'chai';
import { nothing } from '../../lib/base/later.ts';
import { IdentityError } from '../../lib/membership/identity.ts';
import { Parliament, proposalOf, type Voter, type Parliament as World } from './voters.ts';

const lost = 'ERR another change is in progress';
/** What a node knows of its ring. */
const memory = ['node', 'identity', 'identity-1', 'ring-0', 'ring-1'];

describe('a ballot on the next layout', () => {
  let world: World;

  async function open(count: number, seed = 1): Promise<readonly Voter[]> {
    world = new Parliament(seed, count);
    await world.open();
    return world.voters;
  }

  function versions(): readonly number[] {
    return world.voters.map(({ layout }) => layout.version);
  }

  function weights(): readonly (number | undefined)[] {
    return world.voters.map(({ layout }) => layout.weights[0]);
  }

  function expectOneOutcome(): void {
    for (const [version, texts] of world.adopted) {
      expect(texts.size, `layouts of version ${version}`).to.equal(1);
    }
  }

  for (const count of [1, 2, 3, 5]) {
    it(`is won by the only proposal among ${count}, and all hear of it`, async () => {
      const voters = await open(count);
      for (const [index, voter] of voters.entries()) {
        const outcome = voter.propose(proposalOf(voter.layout, 10 + index));
        expect(await world.time.run(outcome)).to.equal('OK');
        expect(voter.layout.version).to.equal(2 + index);
        await world.time.advance(50);
        expect(new Set(versions())).to.deep.equal(new Set([2 + index]));
        expect(new Set(weights())).to.deep.equal(new Set([10 + index]));
      }
    });
  }

  it('has one outcome where two propose at the same moment', async () => {
    let contested = 0;
    for (let seed = 1; seed <= 30; seed += 1) {
      const [a, b] = (await open(3, seed)) as readonly [Voter, Voter];
      const outcomes = Promise.all([
        a.propose(proposalOf(a.layout, 10)),
        b.propose(proposalOf(b.layout, 20)),
      ]);
      const [first, second] = await world.time.run(outcomes);
      await world.time.advance(50);
      expect(new Set(versions())).to.deep.equal(new Set([2]));
      expectOneOutcome();
      expect([first, second].filter((text) => text === 'OK')).to.have.length(1);
      expect(first === 'OK' ? 10 : 20).to.equal(a.layout.weights[0]);
      expect(first === 'OK' ? second : first).to.be.oneOf(['other', lost]);
      if (first === 'other' || second === 'other') contested += 1;
    }
    expect(contested).to.be.above(0);
  });

  it('is one at a time at a node', async () => {
    const [a] = (await open(3)) as readonly [Voter];
    const first = a.propose(proposalOf(a.layout, 10));
    expect(await world.time.run(a.propose(proposalOf(a.layout, 20)))).to.equal(lost);
    expect(await world.time.run(first)).to.equal('OK');
  });

  it('is refused while two layouts are active, here or at the others', async () => {
    const [a, b, c] = (await open(3)) as readonly [Voter, Voter, Voter];
    a.isBusy = true;
    expect(await world.time.run(a.propose(proposalOf(a.layout, 10)))).to.equal(lost);
    expect(await world.time.run(b.propose(proposalOf(b.layout, 10)))).to.equal('OK');
    await world.time.advance(1000);
    b.isBusy = true;
    expect(await world.time.run(c.propose(proposalOf(c.layout, 11)))).to.equal(lost);
    expect(versions()).to.deep.equal([2, 2, 2]);
  });

  it('is refused without a majority, at once, and has not happened', async () => {
    const [a, b, c] = (await open(3)) as readonly [Voter, Voter, Voter];
    b.crash('process');
    c.crash('process');
    await world.time.advance(1000);
    const before = world.time.nowMs;
    const text = 'CLUSTERDOWN need 2 of 3 members to agree, 1 reachable';
    expect(await world.time.run(a.propose(proposalOf(a.layout, 10)))).to.equal(text);
    expect(world.time.nowMs - before).to.be.below(1500);
    await b.start();
    await c.start();
    await world.time.advance(20_000);
    expect(versions()).to.deep.equal([1, 1, 1]);
  });

  it('goes on in one half of a split, and never in the other', async () => {
    const [a, b, c, d, e] = (await open(5)) as readonly Voter[] as [
      Voter,
      Voter,
      Voter,
      Voter,
      Voter,
    ];
    world.split([a, b], [c, d, e]);
    const minority = a.propose(proposalOf(a.layout, 10));
    const majority = e.propose(proposalOf(e.layout, 20));
    expect(await world.time.run(majority)).to.equal('OK');
    const text = 'CLUSTERDOWN need 3 of 5 members to agree, 2 reachable';
    expect(await world.time.run(minority)).to.equal(text);
    await world.time.advance(20_000);
    expect(versions()).to.deep.equal([1, 1, 2, 2, 2]);
    world.network.mendAll();
    await world.time.advance(60_000);
    expect(await world.time.run(a.propose(proposalOf(a.layout, 30)))).to.equal(lost);
    await world.meet();
    expect(versions()).to.deep.equal([2, 2, 2, 2, 2]);
    expectOneOutcome();
  });

  it('brings up to date who has not heard of the layout before', async () => {
    const [a, b, c] = (await open(3)) as readonly [Voter, Voter, Voter];
    c.crash('process');
    expect(await world.time.run(a.propose(proposalOf(a.layout, 10)))).to.equal('OK');
    await world.time.advance(100);
    await c.start();
    b.crash('process');
    await world.time.advance(3000);
    expect(c.layout.version).to.equal(1);
    expect(await world.time.run(a.propose(proposalOf(a.layout, 20)))).to.equal('OK');
    expect(a.ahead).to.include(c.id);
    expect(c.behind).to.include(a.id);
    await world.time.advance(100);
    expect(c.layout.version).to.equal(3);
  });

  it('is refused where a majority lacks the present layout and does not learn it', async () => {
    const [a, b, c] = (await open(3)) as readonly [Voter, Voter, Voter];
    c.crash('process');
    expect(await world.time.run(a.propose(proposalOf(a.layout, 10)))).to.equal('OK');
    c.learns = false;
    await c.start();
    b.crash('process');
    await world.time.advance(3000);
    const text = await world.time.run(a.propose(proposalOf(a.layout, 20)));
    expect(text).to.match(/^CLUSTERDOWN need 2 of 3 .* have not heard of the present layout/);
  });

  it('is for members only', async () => {
    const [a, b] = (await open(3)) as readonly [Voter, Voter];
    b.layout = { ...b.layout, version: 9 };
    for (const voter of world.voters) {
      const without = { ...voter.layout, version: 9 };
      voter.layout = voter === a ? without : { ...without, members: without.members.slice(1) };
    }
    expect(world.voters.map(({ id }) => id).sort()[0]).to.equal(a.id);
    expect(await world.time.run(a.propose(proposalOf(a.layout, 10)))).to.match(/^CLUSTERDOWN/);
    a.layout = b.layout;
    const text = 'ERR this node is no member of the ring';
    expect(await world.time.run(a.propose(proposalOf(a.layout, 10)))).to.equal(text);
  });

  it('is completed by whoever accepted, when the proposer dies before it says so', async () => {
    let completed = 0;
    for (let seed = 1; seed <= 20; seed += 1) {
      const [a, b, c] = (await open(3, seed)) as readonly [Voter, Voter, Voter];
      const outcome = a.propose(proposalOf(a.layout, 10));
      await world.time.advance(world.time.random.below(20));
      a.crash('power');
      await world.time.advance(20_000);
      expect(b.layout.version).to.equal(c.layout.version);
      if (b.layout.version === 2) completed += 1;
      await a.start();
      await world.time.advance(20_000);
      const other = await world.time.run(b.propose(proposalOf(b.layout, 30)));
      expect(other).to.equal('OK');
      await world.time.advance(50);
      expect(new Set(versions()).size).to.equal(1);
      expectOneOutcome();
      expect(outcome).to.be.a('promise');
    }
    expect(completed).to.be.within(1, 19);
  });

  it('is uncertain where some may have accepted and no majority is left', async () => {
    let uncertain = 0;
    for (let seed = 1; seed <= 30; seed += 1) {
      const [a, b, c] = (await open(3, seed)) as readonly [Voter, Voter, Voter];
      const outcome = a.propose(proposalOf(a.layout, 10));
      await world.time.advance(world.time.random.below(12));
      b.crash('power');
      c.crash('power');
      const text = await world.time.run(outcome);
      if (text.startsWith('UNCERTAIN')) uncertain += 1;
      await b.start();
      await c.start();
      await world.time.advance(30_000);
      const isThere = versions().every((version) => version === 2);
      expect(new Set(versions()).size, text).to.equal(1);
      if (text === 'OK' || text.startsWith('UNCERTAIN')) expect(isThere, text).to.equal(true);
      else expect(isThere, text).to.equal(false);
    }
    expect(uncertain).to.be.above(0);
  });

  it('is remembered by who has voted, though it forgot the decision', async () => {
    const [a, b, c] = (await open(3)) as readonly [Voter, Voter, Voter];
    c.crash('process');
    expect(await world.time.run(a.propose(proposalOf(a.layout, 10)))).to.equal('OK');
    await world.time.advance(100);
    a.crash('process');
    b.crash('process');
    for (const row of memory) b.disk.drop(row);
    await b.start();
    await c.start();
    await world.time.advance(3000);
    expect([b.layout.version, c.layout.version]).to.deep.equal([1, 1]);
    expect(await world.time.run(c.propose(proposalOf(c.layout, 20)))).to.equal('other');
    expect(c.layout.weights[0]).to.equal(10);
  });

  it('is not held again by who has voted on a later one, though it forgot both', async () => {
    const [a, b, c] = (await open(3)) as readonly [Voter, Voter, Voter];
    c.crash('process');
    for (const weight of [10, 20]) {
      expect(await world.time.run(a.propose(proposalOf(a.layout, weight)))).to.equal('OK');
      await world.time.advance(100);
    }
    a.crash('process');
    b.crash('process');
    for (const row of memory) b.disk.drop(row);
    await b.start();
    await c.start();
    await world.time.advance(3000);
    expect([b.layout.version, c.layout.version]).to.deep.equal([1, 1]);
    const text = await world.time.run(c.propose(proposalOf(c.layout, 30)));
    expect(text).to.equal(lost);
    expect(c.behind).to.include(b.id);
    expectOneOutcome();
  });

  it('is never voted in by a node that cannot read what it promised', async () => {
    const [a] = (await open(3)) as readonly [Voter];
    expect(await world.time.run(a.propose(proposalOf(a.layout, 10)))).to.equal('OK');
    await world.time.advance(50);
    a.crash('process');
    a.disk.flip('ballot');
    await a.start();
    expect(a.disk.log.join()).to.match(/one of two copies is damaged.*ballot/);
    a.crash('process');
    a.disk.flip('ballot');
    a.disk.flip('ballot-1');
    let error: unknown;
    try {
      await a.start();
    } catch (caught) {
      error = caught;
    }
    expect(error).to.be.instanceOf(IdentityError);
    expect(String(error)).to.match(/ballot of this node is damaged/);
  });

  it('has one outcome in any storm of proposals, splits and power cuts', async () => {
    let decisions = 0;
    for (let seed = 1; seed <= 40; seed += 1) {
      const count = 2 + (seed % 4);
      const voters = await open(count, seed);
      const { random } = world.time;
      const pick = (): Voter => world.voter(random.below(count));
      const outcomes: { readonly weight: number; text: string }[] = [];
      const wish = (voter: Voter, weight: number): void => {
        const outcome = { weight, text: 'open' };
        const { life } = voter;
        outcomes.push(outcome);
        voter.propose(proposalOf(voter.layout, weight)).then((text) => {
          if (voter.life === life) outcome.text = text;
        }, nothing);
      };
      for (let event = 1; event <= 25; event += 1) {
        const voter = pick();
        const dice = random.below(10);
        if (dice < 5 && voter.isUp) wish(voter, 100 + event);
        else if (dice < 7 && voter.isUp) voter.crash(dice === 5 ? 'power' : 'process');
        else if (dice === 7) world.split([voter, pick()]);
        else if (dice === 8) world.network.mendAll();
        else for (const other of voters) if (!other.isUp) await other.start();
        const shortMs = random.below(12);
        await world.time.advance(random.below(4) > 0 ? shortMs : random.below(8000));
        expectOneOutcome();
      }
      world.network.mendAll();
      for (const voter of voters) if (!voter.isUp) await voter.start();
      await world.time.advance(60_000);
      await world.meet();
      expect(new Set(versions()).size, `seed ${seed}: ${versions()}`).to.equal(1);
      expectOneOutcome();
      for (const { weight, text } of outcomes) {
        const isAdopted = world.weights.has(weight);
        if (text === 'OK') expect(isAdopted, `seed ${seed}: ${weight} ${text}`).to.equal(true);
        else if (text !== 'open' && !text.startsWith('UNCERTAIN')) {
          expect(isAdopted, `seed ${seed}: ${weight} ${text}`).to.equal(false);
        }
      }
      const last = world.voter(0);
      expect(await world.time.run(last.propose(proposalOf(last.layout, 99)))).to.equal('OK');
      decisions += world.adopted.size;
    }
    expect(decisions).to.be.above(100);
  });

  it('stops with nothing left running', async () => {
    const [a] = (await open(3)) as readonly [Voter];
    const outcome = a.propose(proposalOf(a.layout, 10));
    for (const voter of world.voters) voter.ballots?.stop();
    for (const voter of world.voters) await world.time.run(voter.transport?.stop());
    expect(await world.time.run(outcome)).to.match(/^(CLUSTERDOWN|ERR|UNCERTAIN)/);
    for (const voter of world.voters) await world.time.run(voter.disk.store.close());
    await world.time.advance(20_000);
    expect(world.time.eventsPending).to.equal(0);
  });
});
