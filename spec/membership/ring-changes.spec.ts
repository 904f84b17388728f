/** What operators change in a ring: agreed by its members, one change at a time. */
import { expect } from 'chai';
import type { RingChanges } from '../../lib/membership/ring-changes.ts';
import { encodeLayout } from '../../lib/ring/layout.ts';
import { type Site, World } from './sites.ts';

const inProgress = 'ERR another change is in progress';

describe('a change of the ring', () => {
  let world: World;
  let a: Site;
  let b: Site;
  let c: Site;
  let d: Site;

  beforeEach(() => open(11));

  async function open(seed: number): Promise<void> {
    world = new World(seed);
    [a, b, c, d] = world.sites('a', 'b', 'c', 'd') as [Site, Site, Site, Site];
    a.start();
    await world.settled(a);
    for (const site of [b, c]) site.start({ seeds: ['a'] });
    await world.rest(3, a, b, c);
    await world.until(() => [a, b, c].every((site) => downOf(site).length === 0));
  }

  function downOf(site: Site): readonly string[] {
    const { members } = site.topology.newest;
    return members.filter((id) => site.membership?.verdict(id) !== 'up');
  }

  function changesOf(site: Site): RingChanges {
    if (site.membership === undefined) throw new Error(`${site.host} is no member`);
    return site.membership.changes;
  }

  /** `OK`, or the text of the refusal. */
  function outcomeOf(change: PromiseLike<void>): Promise<string> {
    return Promise.resolve(change).then(
      () => 'OK',
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );
  }

  function run(change: PromiseLike<void>): Promise<string> {
    return world.time.run(outcomeOf(change));
  }

  function weightOf(site: Site, name: string): number | undefined {
    const { layout, members } = site.ring;
    return layout.weights[members.findIndex((member) => member.name === name)];
  }

  async function gossipedDown(id: string, ...sites: readonly Site[]): Promise<void> {
    await world.until(() => sites.every(({ membership }) => membership?.gossiped(id) === 'down'));
  }

  function expectOneLayout(...sites: readonly Site[]): void {
    const texts = sites.map(({ ring }) => encodeLayout(ring.layout).toString('hex'));
    expect(new Set(texts).size).to.equal(1);
  }

  it('is agreed at any node, by name or by id, and goes on at all', async () => {
    expect(await run(changesOf(b).weight('c', 3))).to.equal('OK');
    await world.rest(3, a, b, c);
    for (const site of [a, b, c]) expect(weightOf(site, 'c')).to.equal(3);
    expect(await run(changesOf(c).weight(a.id, 2))).to.equal('OK');
    await world.rest(3, a, b, c);
    for (const site of [a, b, c]) expect(weightOf(site, 'a')).to.equal(2);
    expect(a.ring.layout.version).to.equal(4);
    expectOneLayout(a, b, c);
  });

  it('wins alone where two operators want different ones at the same moment', async () => {
    for (let seed = 20; seed < 30; seed += 1) {
      await open(seed);
      const outcomes = await world.time.run(
        Promise.all([
          outcomeOf(changesOf(a).weight('b', 2)),
          outcomeOf(changesOf(c).weight('b', 3)),
        ]),
      );
      expect([...outcomes].sort(), `seed ${seed}`).to.deep.equal([inProgress, 'OK']);
      await world.rest(3, a, b, c);
      expectOneLayout(a, b, c);
      expect(weightOf(b, 'b')).to.equal(outcomes[0] === 'OK' ? 2 : 3);
    }
  });

  it('is refused while another one is under way, whoever asks', async () => {
    d.start({ seeds: ['a'], fills: false });
    await world.until(() => a.topology.isChanging && d.belonging !== undefined);
    await world.time.advance(1000);
    for (const site of [a, b, c, d]) {
      expect(await run(changesOf(site).weight('b', 2))).to.equal(inProgress);
    }
    expect(await run(changesOf(a).leave('b'))).to.equal(inProgress);
    d.crash('process');
    d.start();
    await world.rest(4, a, b, c, d);
    expect(await run(changesOf(d).weight('b', 2))).to.equal('OK');
  });

  it('is refused while a member is down that it would wait for, by its name', async () => {
    b.crash('process');
    await world.time.advance(1500);
    const text = 'CLUSTERDOWN b is down: start, replace or remove it first';
    expect(await run(changesOf(a).weight('c', 2))).to.equal(text);
    expect(await run(changesOf(c).leave('a'))).to.equal(text);
    expect(a.ring.layout.version).to.equal(2);
    b.start();
    await world.until(() => [a, c].every((site) => downOf(site).length === 0));
    expect(await run(changesOf(a).weight('c', 2))).to.equal('OK');
  });

  it('lets a member leave, which is none any more and may come back', async () => {
    expect(await run(changesOf(b).leave('c'))).to.equal('OK');
    await world.rest(2, a, b, c);
    expect(a.topology.isActive(c.id)).to.equal(false);
    expect(a.topology.isRemoved(c.id)).to.equal(false);
    expect(a.ring.layout).to.include({ version: 3, n: 2 });
    c.membership?.left();
    expect(c.refusal).to.equal(
      'CLUSTERDOWN this node has left its ring: start it empty to join again',
    );
    await world.until(() => [a, b].every(({ topology }) => !topology.isKnown(c.id)));
    c.wipe();
    c.start({ seeds: ['a'] });
    await world.rest(3, a, b, c);
  });

  it('never lets the last member leave', async () => {
    for (const site of [b, c]) {
      expect(await run(changesOf(a).leave(site.host))).to.equal('OK');
      await world.until(() => !a.topology.isChanging);
    }
    expect(a.topology.isAlone).to.equal(true);
    expect(await run(changesOf(a).leave('a'))).to.match(/^ERR the last member/);
  });

  it('gives up a dead member, never a living one', async () => {
    const dead = c.id;
    const alive = 'ERR c is alive: let it leave, or stop it first';
    expect(await run(changesOf(a).remove('c', false))).to.equal(alive);
    expect(await run(changesOf(a).remove('c', true))).to.equal(alive);
    expect(await run(changesOf(a).remove('a', true))).to.match(/^ERR a is alive/);
    c.crash('process');
    await gossipedDown(dead, a, b);
    expect(await run(changesOf(b).remove('c', false))).to.equal('OK');
    await world.rest(2, a, b);
    expect(a.topology.isRemoved(dead)).to.equal(true);
    c.start();
    await world.until(() => c.refusal !== undefined);
    expect(c.refusal).to.match(/^CLUSTERDOWN this node was removed from its ring/);
  });

  it('without a majority is refused, and made only with FORCE', async () => {
    const dead = [b.id, c.id];
    for (const site of [b, c]) site.crash('power');
    for (const id of dead) await gossipedDown(id, a);
    const refusal = await run(changesOf(a).remove('b', false));
    expect(refusal).to.equal('CLUSTERDOWN need 2 of 3 members to agree, 1 reachable');
    expect(a.ring.layout.version).to.equal(2);
    expect(await run(changesOf(a).remove('b', true))).to.equal('OK');
    expect(a.topology.isRemoved(dead[0] ?? '')).to.equal(true);
    expect(a.said(/a member is removed without a majority/)).to.equal(true);
  });

  it('may give up who died in the middle of another one, which then comes to nothing', async () => {
    d.start({ seeds: ['a'], fills: false });
    await world.until(() => [a, b, c, d].every(({ belonging }) => belonging?.topology.isChanging));
    const { id } = d;
    d.crash('power');
    expect(await run(changesOf(b).weight('b', 2))).to.equal('ERR another change is in progress');
    await gossipedDown(id, a, b, c);
    const waits = await run(changesOf(b).weight('b', 2));
    expect(waits).to.equal('CLUSTERDOWN d is down: start, replace or remove it first');
    expect(await run(changesOf(b).remove('d', false))).to.equal('OK');
    await world.rest(3, a, b, c);
    expect(a.topology.isRemoved(id)).to.equal(true);
    expectOneLayout(a, b, c);
  });

  it('gives up several dead members one after the other', async () => {
    const [e] = world.sites('e') as [Site];
    for (const site of [d, e]) site.start({ seeds: ['a'] });
    await world.rest(5, a, b, c, d, e);
    const dead = [d.id, c.id];
    for (const site of [d, c]) site.crash('power');
    for (const id of dead) await gossipedDown(id, a, b);
    for (const id of dead) expect(await run(changesOf(a).remove(id, false))).to.equal('OK');
    await world.until(() => !a.topology.isChanging && !b.topology.isChanging);
    expect(a.ring.layout.members).to.have.length(3);
    expectOneLayout(a, b);
  });

  it('is refused of whom nobody knows', async () => {
    const text = "ERR no member is called 'x'";
    expect(await run(changesOf(a).weight('x', 2))).to.equal(text);
    expect(await run(changesOf(a).leave('x'))).to.equal(text);
    expect(await run(changesOf(a).remove('x', true))).to.equal(text);
    expect(() => changesOf(a).plan({ kind: 'leave', node: 'x' })).to.throw(text);
  });

  it('can be looked at before: what would move, and nothing does', async () => {
    const before = a.ring;
    const joining = changesOf(a).plan({ kind: 'join', name: 'd', weight: 1, zone: '' });
    expect(joining.moves).to.be.within(joining.lowerBound, joining.lowerBound * 1.05);
    expect(joining.transfers).to.have.length(joining.moves);
    expect(joining.moves).to.equal((64 * 3) / 4);
    const leaving = changesOf(a).plan({ kind: 'leave', node: 'c' });
    expect(leaving.moves, 'N is capped by two members').to.equal(0);
    expect(changesOf(b).plan({ kind: 'remove', node: 'c' }).moves).to.equal(0);
    expect(() => changesOf(a).plan({ kind: 'join', name: 'd', weight: 0, zone: '' })).to.throw(
      'ERR',
    );
    await world.time.advance(5000);
    expect(a.ring).to.deep.equal(before);
  });

  it('waits for nobody when it lets in a node while another one joins: that comes next', async () => {
    d.start({ seeds: ['a'], fills: false });
    await world.until(() => a.topology.isChanging && d.belonging !== undefined);
    const [e] = world.sites('e') as [Site];
    e.start({ seeds: ['b'] });
    await world.time.advance(5000);
    expect(e.belonging).to.equal(undefined);
    d.crash('process');
    d.start();
    await world.rest(5, a, b, c, d, e);
    expect(a.ring.layout.version).to.equal(4);
  });

  it('that was forced on both sides of a split is one too many: each side says so', async () => {
    d.start({ seeds: ['a'] });
    await world.rest(4, a, b, c, d);
    await world.until(() => [a, b, c, d].every((site) => downOf(site).length === 0));
    for (const here of [a, b]) {
      for (const there of [c, d]) {
        world.network.cut(here.host, there.host);
        world.network.cut(there.host, here.host);
      }
    }
    for (const site of [a, b]) await gossipedDown(c.id, site);
    for (const site of [c, d]) await gossipedDown(a.id, site);
    expect(await run(changesOf(b).remove('c', true))).to.equal('OK');
    expect(await run(changesOf(d).remove('a', true))).to.equal('OK');
    await world.time.advance(2000);
    const versions = [b, d].map((site) => site.ring.layout.version);
    expect(versions).to.deep.equal([4, 4]);
    world.network.mendAll();
    const conflict = (site: Site, other: Site): boolean =>
      site.membership?.exchange.conflictsWith(other.id) === true;
    await world.until(() => conflict(b, d) && conflict(d, b));
    expect(b.said(/another layout of this version/)).to.equal(true);
    expect(b.membership?.exchange.hasConflict).to.equal(true);
    await world.time.advance(10_000);
    expect(b.topology.isRemoved(c.id)).to.equal(true);
    expect(d.topology.isRemoved(a.id)).to.equal(true);
    expect([b.topology.isRemoved(a.id), d.topology.isRemoved(c.id)]).to.deep.equal([false, false]);
  });
});

describe('a directory that was copied', () => {
  it('stops writes where its copies run, until one of them is alone again', async () => {
    for (let seed = 1; seed <= 5; seed += 1) {
      const world = new World(seed);
      const [a, b, c, copy] = world.sites('a', 'b', 'c', 'copy') as [Site, Site, Site, Site];
      a.start();
      await world.settled(a);
      for (const site of [b, c]) site.start({ seeds: ['a'] });
      await world.rest(3, a, b, c);
      const { id } = c;
      c.crash('process');
      copy.disk.copyOf(c.disk);
      c.start();
      await world.until(() => b.membership?.verdict(id) === 'up');
      copy.start();
      await world.until(() => c.refusal !== undefined && copy.refusal !== undefined);
      for (const site of [c, copy]) {
        expect(site.membership?.standing.refusal?.of).to.equal('writes');
        expect(site.refusal).to.match(/^CLUSTERDOWN two processes run as this node/);
      }
      expect([a.refusal, b.refusal]).to.deep.equal([undefined, undefined]);
      await copy.stop();
      c.crash('power');
      c.start();
      await world.rest(3, a, b, c);
      await world.time.advance(20_000);
      expect(c.refusal).to.equal(undefined);
      expect([a, b].map((site) => site.membership?.verdict(c.id))).to.deep.equal(['up', 'up']);
    }
  });
});
