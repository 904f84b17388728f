/** How nodes come to their ring: founded once, kept for ever, and refused rather than guessed. */
import { expect } from 'chai';
import { encodeIdentity, IdentityError, nodeIdBytes } from '../../lib/membership/identity.ts';
import { removeKept, removeRow } from '../../lib/membership/kept-rows.ts';
import { ringNames } from '../../lib/membership/ring-rows.ts';
import { encodeLayout } from '../../lib/ring/layout.ts';
import { realSystem } from '../../lib/runtime/system.ts';
import { metaKey } from '../../lib/storage/keys.ts';
import { sealMeta } from '../../lib/storage/meta.ts';
import { sealRow } from '../../lib/storage/row.ts';
import { keyOf } from '../contract/store-contract.ts';
import { silentLog } from '../sim/virtual-time.ts';
import { type RingState, type Site, settings, World } from './sites.ts';

const { hashes } = realSystem(silentLog);
const seeds = ['a', 'b', 'c'];

/** What all members must agree on. */
function agreed({ identity, layout }: RingState): string {
  const shared = encodeIdentity({ ...identity, nodeId: Buffer.alloc(nodeIdBytes) });
  return hashes.sha256(Buffer.concat([shared, encodeLayout(layout)])).toString('hex');
}

function expectOneRing(states: readonly RingState[]): void {
  const [first = ''] = states.map(agreed);
  for (const state of states) {
    expect(agreed(state)).to.equal(first);
    expect(state.members.map(({ id }) => id)).to.deep.equal(state.layout.members);
    expect(state.layout.members[state.self]).to.equal(state.identity.nodeId.toString('hex'));
  }
  expect(new Set(states.map(({ self }) => self)).size).to.equal(states.length);
}

describe('a node without seeds', () => {
  let world: World;
  let site: Site;

  beforeEach(() => {
    world = new World(1);
    [site] = world.sites('a') as [Site];
  });

  async function refusal(): Promise<string> {
    site.start();
    await world.time.advance(1000);
    expect(site.error).to.be.instanceOf(IdentityError);
    return String(site.error);
  }

  it('founds a ring of its own, once: a restart, even after a power cut, finds it', async () => {
    site.start();
    const [founded] = await world.settled(site);
    expect(founded?.identity).to.include(settings);
    expect(founded?.layout).to.include({ version: 1, n: 1, partitions: 64 });
    expect(founded?.members).to.have.length(1);
    for (const kind of ['process', 'power'] as const) {
      site.crash(kind);
      site.start({ settings: { clusterName: 'another' } });
      expect(await world.settled(site)).to.deep.equal([founded]);
    }
  });

  it('makes another node and another ring key in every directory', async () => {
    const [one, other] = world.sites('d', 'e') as [Site, Site];
    one.start();
    other.start();
    const states = await world.settled(one, other);
    expect(new Set(states.map(({ identity }) => identity.nodeId.toString('hex'))).size).to.equal(2);
    expect(new Set(states.map(({ identity }) => identity.ringKey.toString('hex'))).size).to.equal(
      2,
    );
  });

  it('refuses a configuration that contradicts its ring', async () => {
    site.start();
    await world.settled(site);
    site.crash('process');
    site.start({ settings: { partitions: 128 }, given: ['partitions'] });
    await world.time.advance(1000);
    expect(String(site.error)).to.match(/partitions is 128 .* founded with 64/);
  });

  it('keeps its ring when it is given seeds later: they are only more addresses', async () => {
    site.start();
    const founded = await world.settled(site);
    site.crash('process');
    site.start({ seeds, bootstrap: true });
    expect(await world.settled(site)).to.deep.equal(founded);
  });

  it('refuses to start where there are records without an identity', async () => {
    site.start();
    await world.settled(site);
    const { store } = site;
    if (store === undefined) throw new Error('no store');
    const key = keyOf('k');
    const row = sealRow(key, 1, (target, offset) => target.fill(1, offset), hashes.crc32);
    const gone = [...removeKept('identity'), ...ringNames.map(removeRow)];
    await world.time.run(store.write([{ key, row, previous: undefined }, ...gone]));
    site.crash('process');
    expect(await refusal()).to.match(/has records but no readable identity/);
  });

  it('refuses to start where both copies of its identity are damaged', async () => {
    site.start();
    await world.settled(site);
    site.crash('process');
    for (const name of ['identity', 'identity-1']) {
      site.disk.flipBit((key) => key.equals(metaKey(name)));
    }
    expect(await refusal()).to.match(/identity of this node is damaged/);
  });

  it('refuses to start where its identity is of a later version', async () => {
    site.start();
    await world.settled(site);
    const later = ['identity', 'identity-1'].map((name) =>
      sealMeta(name, Buffer.alloc(100, 9), hashes.crc32),
    );
    await world.time.run(site.store?.write(later));
    site.crash('process');
    expect(await refusal()).to.match(/has format 9, this version knows 1/);
  });
});

describe('the founding of a ring of several', () => {
  let world: World;
  let a: Site;
  let b: Site;
  let c: Site;

  beforeEach(() => {
    world = new World(7);
    [a, b, c] = world.sites('a', 'b', 'c') as [Site, Site, Site];
  });

  async function found(): Promise<readonly RingState[]> {
    a.start({ seeds, bootstrap: true });
    b.start({ seeds });
    c.start({ seeds });
    return world.settled(a, b, c);
  }

  it('makes one ring of three empty nodes', async () => {
    const states = await found();
    expectOneRing(states);
    expect(states[0]?.layout).to.include({ version: 1, n: 3, partitions: 64 });
    expect(states[0]?.members.map(({ name }) => name).sort()).to.deep.equal(['a', 'b', 'c']);
    expect(states[0]?.members.map(({ host }) => host).sort()).to.deep.equal(['a', 'b', 'c']);
    expect(a.said(/^founded a ring/)).to.equal(true);
    expect(a.said(/^a member has taken the ring .*"b"/)).to.equal(true);
  });

  it('is remembered: after all have lost power the ring forms again without seeds', async () => {
    const before = await found();
    for (const site of [a, b, c]) site.crash('power');
    for (const site of [c, b, a]) site.start();
    const after = await world.settled(a, b, c);
    expectOneRing(after);
    expect(after.map(agreed)).to.deep.equal(before.map(agreed));
    await world.time.advance(1000);
    for (const site of [a, b, c]) {
      for (const { id } of site.ring.members) {
        if (id !== site.id) expect(site.transport?.isConnected(id)).to.equal(true);
      }
    }
  });

  it('opens for business at once when it is known, even if all others are down', async () => {
    await found();
    for (const site of [a, b, c]) site.crash('process');
    b.start({ seeds });
    const [state] = await world.settled(b);
    expect(state?.members).to.have.length(3);
  });

  it('waits for a seed that is late, and says so', async () => {
    a.start({ seeds, bootstrap: true });
    b.start({ seeds });
    await world.time.advance(25_000);
    expect(a.belonging).to.equal(undefined);
    expect(a.log.filter((line) => line.startsWith('waiting'))).to.have.length(3);
    expect(a.said(/^waiting .*"c:17000: no answer"\]/)).to.equal(true);
    expect(b.said(/^waiting .*"a:17000: to found"/)).to.equal(true);
    c.start({ seeds });
    expectOneRing(await world.settled(a, b, c));
  });

  it('does not happen without a founder', async () => {
    for (const site of [a, b, c]) site.start({ seeds });
    await world.time.advance(15_000);
    for (const site of [a, b, c]) {
      expect(site.belonging).to.equal(undefined);
      expect(site.said(/^waiting .*empty too, no bootstrap/)).to.equal(true);
    }
  });

  it('is done by the smallest id where several would', async () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const other = new World(seed);
      const sites = other.sites('a', 'b', 'c');
      for (const site of sites) site.start({ seeds, bootstrap: true });
      expectOneRing(await other.settled(...sites));
      const founders = sites.filter((site) => site.said(/^founded a ring/));
      expect(founders.map(({ id }) => id)).to.deep.equal([sites.map(({ id }) => id).sort()[0]]);
    }
  });

  it('takes in who is seeded by two addresses once', async () => {
    const both = [...seeds, 'b:17000'];
    a.start({ seeds: both, bootstrap: true });
    b.start({ seeds: ['a'] });
    c.start({ seeds: ['a'] });
    expectOneRing(await world.settled(a, b, c));
  });

  it('makes a ring of one member whose only seed is itself', async () => {
    a.start({ seeds: ['a'], bootstrap: true });
    const before = await world.settled(a);
    expect(before[0]?.members).to.have.length(1);
    a.crash('power');
    a.start({ seeds: ['a'], bootstrap: true });
    const after = await world.settled(a);
    expect(after.map(agreed)).to.deep.equal(before.map(agreed));
  });

  it('begins anew when the founder dies before its decision', async () => {
    a.start({ seeds, bootstrap: true });
    b.start({ seeds });
    await world.time.advance(2000);
    a.crash('power');
    c.start({ seeds });
    await world.time.advance(2000);
    a.start({ seeds, bootstrap: true });
    expectOneRing(await world.settled(a, b, c));
  });

  it('makes one ring whenever the founder or a member loses power', async () => {
    for (let seed = 1; seed <= 60; seed += 1) {
      const other = new World(seed);
      const sites = other.sites('a', 'b', 'c');
      const victim = sites[seed % 3];
      const options = (site: Site) => ({ seeds, bootstrap: site.host === 'a' });
      for (const site of sites) site.start(options(site));
      for (let fall = 0; fall < 4; fall += 1) {
        await other.time.advance(other.time.random.below(40));
        victim?.crash('power');
        victim?.start(options(victim));
      }
      expectOneRing(await other.settled(...sites));
    }
  });

  it('is carried on by any member when the founder dies after its decision', async () => {
    a.start({ seeds, bootstrap: true });
    b.start({ seeds });
    c.start({ seeds });
    while (!a.said(/^founded a ring/)) await world.time.advance(0.01);
    c.crash('power');
    await world.settled(b);
    a.crash('power');
    c.start({ seeds });
    expectOneRing(await world.settled(b, c));
    expect(b.said(/^a member has taken the ring .*"c"/)).to.equal(true);
  });

  it('hands the ring again to a member that comes back empty under its id', async () => {
    const before = await found();
    const gone = [...removeKept('identity'), ...ringNames.map(removeRow)];
    await world.time.run(c.store?.write(gone));
    await world.time.run(c.store?.sync());
    c.crash('process');
    a.crash('process');
    c.start({ seeds });
    const after = await world.settled(c);
    expect(after.map(agreed)).to.deep.equal(before.slice(2).map(agreed));
    expect(b.said(/^a member has taken the ring .*"c"/)).to.equal(true);
  });

  it('waits for a member whose configuration contradicts, and both logs say so', async () => {
    a.start({ seeds, bootstrap: true });
    b.start({ seeds });
    c.start({ seeds, settings: { partitions: 128 }, given: ['partitions'] });
    await world.settled(a, b);
    await world.time.advance(5000);
    expect(c.belonging).to.equal(undefined);
    const contradiction = /partitions is 128 in the configuration/;
    expect(c.said(contradiction)).to.equal(true);
    expect(a.log.filter((line) => contradiction.test(line))).to.have.length(1);
    c.crash('process');
    c.start({ seeds });
    expectOneRing(await world.settled(a, b, c));
  });

  it('takes N, partitions and databases from the founder', async () => {
    a.start({ seeds, bootstrap: true, settings: { n: 2, partitions: 16, databases: 4 } });
    b.start({ seeds });
    c.start({ seeds });
    const states = await world.settled(a, b, c);
    expectOneRing(states);
    expect(states[2]?.identity).to.include({ n: 2, partitions: 16, databases: 4 });
  });

  it('spreads by the weights and zones that members announce', async () => {
    a.start({ seeds, bootstrap: true, facts: { weight: 3, zone: 'x' }, settings: { n: 1 } });
    b.start({ seeds, facts: { zone: 'y' } });
    c.start({ seeds, facts: { zone: 'y' } });
    const [state] = await world.settled(a, b, c);
    const owned = [...(state?.layout.owners ?? [])].filter((owner) => owner === state?.self);
    expect(owned.length).to.be.within(38, 39);
  });

  it('follows a member that has moved', async () => {
    await found();
    c.crash('process');
    const moved = { peerPort: 17_999, facts: { port: 7999 } };
    c.start(moved);
    await world.time.advance(3000);
    for (const site of [a, b]) {
      const member = site.ring.members.find(({ id }) => id === c.id);
      expect(member).to.include({ peerPort: 17_999, port: 7999, host: 'c' });
      expect(site.transport?.isConnected(c.id)).to.equal(true);
    }
    a.crash('process');
    a.start();
    const [state] = await world.settled(a);
    expect(state?.members.find(({ id }) => id === c.id)).to.include({ peerPort: 17_999 });
  });

  it('keeps zone and weight as they were, and says so', async () => {
    await found();
    b.crash('process');
    b.start({ facts: { weight: 5 } });
    const [state] = await world.settled(b);
    expect(state?.members[state.self]?.weight).to.equal(1);
    expect(b.said(/^weight belongs to the layout/)).to.equal(true);
  });

  it('refuses to start where the layout is lost', async () => {
    await found();
    b.crash('process');
    for (const name of ringNames) b.disk.flipBit((key) => key.equals(metaKey(name)));
    b.start();
    await world.time.advance(1000);
    expect(String(b.error)).to.match(/ring of this node is damaged/);
    await world.time.run(c.store?.write(ringNames.map(removeRow)));
    await world.time.run(c.store?.sync());
    c.crash('process');
    c.start();
    await world.time.advance(1000);
    expect(String(c.error)).to.match(/layout of the ring is missing/);
  });

  it('lets a node that is no longer given seeds have a ring of its own, as another node', async () => {
    b.start({ seeds });
    await world.time.advance(2000);
    b.crash('power');
    b.start();
    const [alone] = await world.settled(b);
    expect(alone?.members).to.have.length(1);
    b.crash('power');
    b.start();
    expect(await world.settled(b)).to.deep.equal([alone]);
  });

  it('stops with nothing left running', async () => {
    await found();
    for (const site of [a, b, c]) await site.stop();
    await world.time.advance(20_000);
    expect(world.time.eventsPending).to.equal(0);
  });
});
