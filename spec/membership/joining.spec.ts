/** How nodes get into a ring that exists, and what becomes of those that may not. */
import { expect } from 'chai';
import { nothing } from '../../lib/base/later.ts';
import { IdentityError } from '../../lib/membership/identity.ts';
import { realSystem } from '../../lib/runtime/system.ts';
import { metaKey } from '../../lib/storage/keys.ts';
import { sealRow } from '../../lib/storage/row.ts';
import { keyOf } from '../contract/store-contract.ts';
import { silentLog } from '../sim/virtual-time.ts';
import { type Site, World } from './sites.ts';

const { hashes } = realSystem(silentLog);
const seeds = ['a', 'b', 'c'];
const lostDisk =
  'CLUSTERDOWN this node has lost its data: it is a of a ring that exists; start it empty with ' +
  'seeds and --replace-node a';

describe('a node that joins', () => {
  let world: World;
  let a: Site;
  let b: Site;
  let c: Site;

  beforeEach(() => {
    world = new World(5);
    [a, b, c] = world.sites('a', 'b', 'c') as [Site, Site, Site];
  });

  /** A founder, and two that join it. */
  async function three(): Promise<void> {
    a.start();
    await world.settled(a);
    b.start({ seeds: ['a'] });
    c.start({ seeds: ['a'] });
    await world.rest(3, a, b, c);
  }

  /** Until these have taken someone in that member's place. */
  async function replaced(dead: string, ...sites: readonly Site[]): Promise<void> {
    await world.until(() =>
      sites.every((site) => site.belonging?.topology.isRemoved(dead) === true),
    );
    await world.rest(3, ...sites);
  }

  function nameOf(site: Site, id: string): string | undefined {
    return site.topology.members.find((member) => member.id === id)?.name;
  }

  it('is let in by a founder that was alone, with all that come close together', async () => {
    a.start();
    await world.settled(a);
    await world.time.advance(5000);
    b.start({ seeds: ['a'] });
    await world.time.advance(300);
    c.start({ seeds: ['a'] });
    const [state] = await world.rest(3, a, b, c);
    expect(state?.layout, 'one change').to.include({ version: 2, n: 3 });
    expect(state?.members.map(({ name }) => name).sort()).to.deep.equal(['a', 'b', 'c']);
    expect(state?.members.map(({ host }) => host).sort()).to.deep.equal(['a', 'b', 'c']);
    for (const site of [b, c])
      expect(site.ring.identity.ringKey).to.deep.equal(a.ring.identity.ringKey);
  });

  it('is let in later, whomever it asks', async () => {
    await three();
    const [d] = world.sites('d') as [Site];
    d.start({ seeds: ['c'], facts: { zone: 'z', weight: 2 } });
    const [state] = await world.rest(4, a, b, c, d);
    expect(state?.layout).to.include({ version: 3, n: 3 });
    const index = state?.layout.members.indexOf(d.id) ?? -1;
    expect([state?.layout.weights[index], state?.layout.zones[index]]).to.deep.equal([2, 'z']);
    await world.until(() => [a, b, c].every((site) => site.membership?.verdict(d.id) === 'up'));
  });

  it('is a member for good: all lose power, and it comes back without seeds', async () => {
    await three();
    const before = c.id;
    for (const site of [a, b, c]) site.crash('power');
    for (const site of [c, b, a]) site.start();
    await world.rest(3, a, b, c);
    expect(c.id).to.equal(before);
    await world.until(() => b.membership?.verdict(c.id) === 'up');
  });

  it('gets in however often it loses power on the way', async () => {
    for (let seed = 1; seed <= 8; seed += 1) {
      world = new World(seed);
      [a, b] = world.sites('a', 'b') as [Site, Site];
      a.start();
      await world.settled(a);
      b.start({ seeds: ['a'] });
      for (let fall = 0; fall < 5; fall += 1) {
        await world.time.advance(world.time.random.below(800));
        b.crash('power');
        b.start({ seeds: ['a'] });
      }
      const [state] = await world.rest(2, a, b);
      expect(state?.layout.version).to.equal(2);
    }
  });

  it('waits while a member is down that the change would have to wait for', async () => {
    await three();
    b.crash('process');
    await world.time.advance(3000);
    const [d] = world.sites('d') as [Site];
    d.start({ seeds: ['a'] });
    await world.time.advance(8000);
    expect(d.belonging).to.equal(undefined);
    expect([a, c].some((site) => site.said(/have to wait .*b is down/))).to.equal(true);
    b.start();
    await world.rest(4, a, b, c, d);
  });

  it('takes the place of a dead member whose name it has', async () => {
    await three();
    const dead = b.id;
    b.wipe();
    await world.time.advance(500);
    b.start({ seeds });
    await replaced(dead, a, b, c);
    expect(b.id).not.to.equal(dead);
    expect(nameOf(a, b.id)).to.equal('b');
    expect(b.ring.layout.members).to.include(b.id);
  });

  it('takes the place of a dead member that it is told to replace', async () => {
    await three();
    const dead = b.id;
    b.crash('power');
    const [d] = world.sites('d') as [Site];
    d.start({ seeds: ['a'], replace: 'b' });
    await world.time.advance(1000);
    expect(d.said(/not let this node in yet .*whether b is dead is not certain/)).to.equal(true);
    await replaced(dead, a, c, d);
    expect(d.ring.members.map(({ name }) => name).sort()).to.deep.equal(['a', 'c', 'd']);
  });

  it('is refused the name of a living member, and ends', async () => {
    await three();
    const [d] = world.sites('d') as [Site];
    d.start({ seeds: ['a'], facts: { name: 'b' } });
    await world.time.advance(3000);
    expect(d.error).to.be.instanceOf(IdentityError);
    expect(String(d.error)).to.match(/a living member is called b/);
    expect(a.ring.layout.version).to.equal(2);
  });

  it('is refused the place of a living member, or of one that nobody knows', async () => {
    await three();
    const [d, e] = world.sites('d', 'e') as [Site, Site];
    d.start({ seeds: ['a'], replace: 'b' });
    e.start({ seeds: ['a'], replace: 'x' });
    await world.time.advance(3000);
    expect(String(d.error)).to.match(/b is alive: it cannot be replaced/);
    expect(String(e.error)).to.match(/no member is called 'x'/);
  });

  it('is refused with a configuration that contradicts the ring', async () => {
    await three();
    const [d] = world.sites('d') as [Site];
    d.start({ seeds: ['a'], settings: { databases: 4 }, given: ['databases'] });
    await world.time.advance(3000);
    expect(String(d.error)).to.match(/databases is 4 .* founded with 16/);
    expect(a.ring.layout.version).to.equal(2);
  });

  it('is refused for ever once it was given up, and says so where it runs', async () => {
    await three();
    const dead = b.id;
    b.crash('process');
    const [d] = world.sites('d') as [Site];
    d.start({ seeds: ['a'], replace: 'b' });
    await replaced(dead, a, c, d);
    b.start();
    await world.until(() => b.refusal !== undefined);
    expect(b.refusal).to.equal('CLUSTERDOWN this node was removed from its ring: start it empty');
    expect([a, c, d].some((site) => site.said(/given up has come back/))).to.equal(true);
    expect(b.id).to.equal(dead);
    expect(a.ring.layout.members).not.to.include(dead);
  });

  it('stops with nothing left running', async () => {
    await three();
    for (const site of [a, b, c]) await site.stop();
    await world.time.advance(20_000);
    expect(world.time.eventsPending).to.equal(0);
  });
});

describe('a founder that has lost its disk', () => {
  let world: World;
  let a: Site;
  let b: Site;
  let c: Site;

  beforeEach(async () => {
    world = new World(6);
    [a, b, c] = world.sites('a', 'b', 'c') as [Site, Site, Site];
    a.start({ facts: { host: 'a' } });
    await world.settled(a);
    b.start({ seeds: ['a'] });
    c.start({ seeds: ['a'] });
    await world.rest(3, a, b, c);
  });

  it('founds another ring, is told so, and refuses everything', async () => {
    a.wipe();
    a.start({ facts: { host: 'a' } });
    await world.until(() => a.refusal !== undefined);
    expect(a.refusal).to.equal(lostDisk);
    expect(a.membership?.standing.refusal?.of).to.equal('everything');
    expect(b.refusal).to.equal(undefined);
    expect(b.ring.layout.members).to.have.length(3);
  });

  it('comes back into its ring as another node where it is told to', async () => {
    const dead = a.id;
    a.wipe();
    a.start({ seeds: ['b'], replace: 'a' });
    await world.until(() => [b, c].every(({ topology }) => topology.isRemoved(dead)));
    const [state] = await world.rest(3, a, b, c);
    expect(state?.layout.removed).to.deep.equal([dead]);
    expect(a.refusal).to.equal(undefined);
  });

  it('is not taken for one where it was never alone in the ring it has', async () => {
    const [d, e] = world.sites('d', 'e') as [Site, Site];
    a.wipe();
    d.start();
    e.start({ seeds: ['d'] });
    await world.rest(2, d, e);
    d.crash('process');
    d.start({ seeds: ['b'] });
    await world.time.advance(10_000);
    expect([d.refusal, e.refusal]).to.deep.equal([undefined, undefined]);
    expect(d.said(/a node of another ring is where a peer should be/)).to.equal(true);
  });
});

describe('an empty node that is told to join', () => {
  let world: World;
  let a: Site;
  let b: Site;

  beforeEach(async () => {
    world = new World(7);
    [a, b] = world.sites('a', 'b') as [Site, Site];
    for (const site of [a, b]) site.start();
    await world.settled(a, b);
    await world.time.advance(1000);
  });

  function join(site: Site, address: string): Promise<string> {
    return world.time.run(site.joinAnother(address));
  }

  function hasRow(site: Site, name: string): boolean {
    return site.disk.rows.has(metaKey(name).toString('latin1'));
  }

  it('forgets its ring once it is accepted, and is a member when it starts again', async () => {
    const id = b.id;
    const oldKey = b.ring.identity.ringKey;
    expect(await join(b, 'a')).to.equal('OK');
    for (const row of ['identity', 'identity-1', 'ring-0', 'ring-1']) {
      expect(hasRow(b, row), row).to.equal(false);
    }
    await b.stop();
    b.start();
    await world.rest(2, a, b);
    expect(b.id, 'the same node').to.equal(id);
    expect(b.ring.identity.ringKey).to.deep.equal(a.ring.identity.ringKey);
    expect(b.ring.identity.ringKey).not.to.deep.equal(oldKey);
    for (const kind of ['power', 'process'] as const) {
      b.crash(kind);
      b.start();
      await world.rest(2, a, b);
    }
  });

  it('gets in after a power cut at any moment, or is what it was', async () => {
    for (let seed = 1; seed <= 10; seed += 1) {
      world = new World(seed);
      [a, b] = world.sites('a', 'b') as [Site, Site];
      for (const site of [a, b]) site.start();
      await world.settled(a, b);
      const key = b.ring.identity.ringKey;
      let isOver = false;
      b.joinAnother('a').then(() => {
        isOver = true;
      }, nothing);
      await world.time.advance(world.time.random.below(60));
      b.crash('power');
      b.start();
      await world.time.advance(15_000);
      const isIn = b.ring.identity.ringKey.equals(a.ring.identity.ringKey);
      if (isOver) expect(isIn, `seed ${seed}`).to.equal(true);
      if (isIn) await world.rest(2, a, b);
      else expect(b.ring.identity.ringKey).to.deep.equal(key);
    }
  });

  it('is refused if it holds a record', async () => {
    const key = keyOf('k');
    const row = sealRow(key, 1, (target, offset) => target.fill(1, offset), hashes.crc32);
    await world.time.run(b.store?.write([{ key, row, previous: undefined }]));
    expect(await join(b, 'a')).to.equal('ERR node is not empty');
    expect(hasRow(b, 'identity')).to.equal(true);
  });

  it('is refused if it is one of several members', async () => {
    const [c] = world.sites('c') as [Site];
    c.start({ seeds: ['b'] });
    await world.rest(2, b, c);
    expect(await join(b, 'a')).to.equal('ERR this node is a member of a ring already');
    expect(await join(c, 'a')).to.equal('ERR this node is a member of a ring already');
  });

  it('is refused where nobody is, or itself', async () => {
    expect(await join(b, 'x')).to.equal('ERR no node of this cluster-name at x:17000');
    expect(await join(b, '127.0.0.1')).to.equal('ERR 127.0.0.1:17000 is this node');
    expect(await join(b, 'b')).to.match(/^ERR /);
    expect(hasRow(b, 'identity')).to.equal(true);
  });

  it('is told why the ring refuses it, and keeps its own', async () => {
    b.crash('process');
    b.start({ settings: { partitions: 64 }, given: ['partitions'], facts: { name: 'a' } });
    await world.settled(b);
    await world.time.advance(1000);
    expect(await join(b, 'a')).to.equal('ERR a living member is called a');
    expect(hasRow(b, 'identity')).to.equal(true);
    expect(b.topology.isAlone).to.equal(true);
  });
});
