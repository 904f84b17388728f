/** What a node remembers of its ring, whatever becomes of its rows. */
import { expect } from 'chai';
import fc from 'fast-check';
import { CodecError } from '../../lib/base/byte-reader.ts';
import { type Identity, IdentityError } from '../../lib/membership/identity.ts';
import {
  decodeRing,
  encodeRing,
  forgetRing,
  type Memory,
  nextBootEpoch,
  type RingTable,
  readMemory,
  rememberAlone,
  rememberMembers,
  rememberNode,
  rememberRing,
} from '../../lib/membership/ring-rows.ts';
import { firstLayout } from '../../lib/ring/claim.ts';
import { sealMeta } from '../../lib/storage/meta.ts';
import { alike, memberId } from '../ring/arbitraries.ts';
import { VirtualTime } from '../sim/virtual-time.ts';
import { settings } from './sites.ts';
import { Disk } from './stores.ts';

const nodeId = Buffer.from(memberId(0), 'hex');
const identity: Identity = { ...settings, nodeId, ringKey: Buffer.alloc(32, 7) };

/** So many members, of which the first `among` are in the layout. */
function tableOf(count: number, version = 1, among = count): RingTable {
  const layout = { ...firstLayout(alike(among), 16, 3), version };
  const members = alike(count)
    .map(({ id }, index) => ({
      id,
      name: `n${index}`,
      host: 'somewhere',
      port: 7000,
      peerPort: 17_000,
      zone: '',
      weight: 1,
    }))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
  return { layouts: [layout], reading: version, pending: [], members };
}

const tables: fc.Arbitrary<RingTable> = fc
  .record({
    among: fc.integer({ min: 1, max: 5 }),
    beside: fc.nat(3),
    version: fc.integer({ min: 1, max: 1e6 }),
    changing: fc.boolean(),
    readsNew: fc.boolean(),
    pending: fc.uniqueArray(fc.nat(15)),
  })
  .map(({ among, beside, version, changing, readsNew, pending }) => {
    const table = tableOf(among + beside, version, among);
    const next = tableOf(among + beside, version + 1, among + beside).layouts;
    const layouts = changing ? [...table.layouts, ...next] : table.layouts;
    const reading = changing && readsNew ? version + 1 : version;
    return { ...table, layouts, reading, pending: pending.sort((a, b) => a - b) };
  });

describe('a table of the ring', () => {
  it('survives its encoding', () => {
    fc.assert(
      fc.property(tables, (table) => {
        expect(decodeRing(encodeRing(table))).to.deep.equal(table);
      }),
    );
  });

  it('is refused or read, whatever its bytes are', () => {
    fc.assert(
      fc.property(tables, fc.nat(), fc.nat(255), fc.boolean(), (table, at, byte, isCut) => {
        const bytes = encodeRing(table);
        bytes[at % bytes.length] = byte;
        const given = isCut ? bytes.subarray(0, at % bytes.length) : bytes;
        try {
          decodeRing(given);
        } catch (error) {
          expect(error).to.be.instanceOf(CodecError);
        }
      }),
    );
  });

  it('is refused where it contradicts itself', () => {
    const one = tableOf(2);
    const far = tableOf(2, 3).layouts;
    for (const wrong of [
      { ...one, layouts: [] },
      { ...one, layouts: [...one.layouts, ...far] },
      { ...one, reading: 2 },
      { ...one, pending: [16] },
      { ...one, pending: [2, 1] },
      { ...one, members: [...one.members].reverse() },
      { ...one, members: one.members.slice(1) },
    ]) {
      expect(() => encodeRing(wrong)).to.throw('a table is sound before it is stored');
    }
  });
});

describe('what a node remembers', () => {
  let disk: Disk;

  beforeEach(async () => {
    disk = new Disk(new VirtualTime(3));
    await disk.open();
    await read();
  });

  function read(): Promise<Memory> {
    return disk.time.run(readMemory(disk.store, disk.system));
  }

  async function remember(ring: RingTable): Promise<void> {
    await disk.time.run(rememberNode(disk.store, nodeId, disk.system));
    await disk.time.run(rememberRing(disk.store, { identity, ring }, disk.system));
  }

  async function refusal(): Promise<string> {
    try {
      await read();
    } catch (error) {
      expect(error).to.be.instanceOf(IdentityError);
      return String(error);
    }
    throw new Error('it was read');
  }

  it('is nothing at first', async () => {
    expect(await read()).to.deep.equal({
      nodeId: undefined,
      identity: undefined,
      ring: undefined,
      joining: undefined,
    });
  });

  it('is the newest table, through any number of changes and power cuts', async () => {
    for (let version = 1; version <= 5; version += 1) {
      await remember(tableOf(3, version));
      await disk.restart('power');
      const memory = await read();
      expect(memory).to.deep.include({ nodeId, identity, ring: tableOf(3, version) });
    }
    expect(disk.log).to.deep.equal([]);
  });

  it('is the last of several tables that were written in one turn', async () => {
    const written = [1, 2, 3, 4].map((version) => {
      const ring = tableOf(3, version);
      return version % 2 === 0
        ? rememberMembers(disk.store, ring, disk.system)
        : rememberRing(disk.store, { identity, ring }, disk.system);
    });
    for (const one of written) await disk.time.run(one);
    await disk.restart('process');
    expect((await read()).ring).to.deep.equal(tableOf(3, 4));
  });

  it('is the other table where one is damaged, and the log says so', async () => {
    for (const [bad, version] of [
      ['ring-1', 1],
      ['ring-0', 2],
    ] as const) {
      disk = new Disk(new VirtualTime(3));
      await disk.open();
      await read();
      await remember(tableOf(3, 1));
      await remember(tableOf(3, 2));
      disk.crash('process');
      disk.flip(bad);
      await disk.open();
      const memory = await read();
      expect(memory.ring).to.deep.equal(tableOf(3, version));
      expect(disk.log.filter((line) => line.includes(bad))).to.have.length(1);
      await remember(tableOf(3, 3));
      await disk.restart('process');
      expect(await read()).to.deep.include({ ring: tableOf(3, 3) });
    }
  });

  it('is there twice from the beginning', async () => {
    for (const bad of ['ring-0', 'ring-1']) {
      disk = new Disk(new VirtualTime(3));
      await disk.open();
      await read();
      await remember(tableOf(3, 1));
      disk.crash('process');
      disk.flip(bad);
      await disk.open();
      expect((await read()).ring).to.deep.equal(tableOf(3, 1));
    }
  });

  it('is refused where both tables are damaged', async () => {
    await remember(tableOf(3, 1));
    await remember(tableOf(3, 2));
    disk.crash('process');
    disk.flip('ring-0');
    disk.flip('ring-1');
    await disk.open();
    expect(await refusal()).to.match(/the ring of this node is damaged: restore the data dir/);
  });

  it('is refused where the tables are gone, also of a ring of one', async () => {
    await disk.time.run(rememberAlone(disk.store, { identity, ring: tableOf(1) }, disk.system));
    await disk.restart('power');
    expect(await read()).to.deep.include({ nodeId, identity, ring: tableOf(1) });
    disk.crash('process');
    disk.drop('ring-0');
    disk.drop('ring-1');
    await disk.open();
    expect(await refusal()).to.match(/layout of the ring is missing: restore/);
  });

  it('is refused where a table is of a later version', async () => {
    await remember(tableOf(3, 1));
    const later = sealMeta('ring-0', Buffer.alloc(100, 9), disk.system.hashes.crc32);
    await disk.time.run(disk.store.write([later]));
    expect(await refusal()).to.match(/ring of this node has format 9, this version knows 2/);
  });

  it('is an identity without a table in a directory of the first version', async () => {
    await remember(tableOf(3, 1));
    disk.crash('process');
    for (const name of ['node', 'ring-0', 'ring-1', 'identity-1']) disk.drop(name);
    await disk.open();
    expect(await read()).to.deep.include({ nodeId: undefined, identity, ring: undefined });
  });

  it('loses nothing with one copy of the identity', async () => {
    for (const bad of ['identity', 'identity-1']) {
      await remember(tableOf(3, 1));
      disk.crash('process');
      disk.flip(bad);
      await disk.open();
      expect(await read()).to.deep.include({ identity });
      expect(disk.log.filter((line) => line.includes('copies'))).to.have.length(1);
      disk.log.length = 0;
    }
  });

  it('is refused where both copies of the identity are damaged', async () => {
    await remember(tableOf(3, 1));
    disk.crash('process');
    disk.flip('identity');
    disk.flip('identity-1');
    await disk.open();
    expect(await refusal()).to.match(/identity of this node is damaged: restore/);
  });

  it('of a ring that it left is nothing but its own id and where to join', async () => {
    await remember(tableOf(3, 1));
    await remember(tableOf(3, 2));
    await disk.time.run(forgetRing(disk.store, 'b:17000', disk.system));
    await disk.restart('power');
    const forgotten = { nodeId, identity: undefined, ring: undefined, joining: 'b:17000' };
    expect(await read()).to.deep.include(forgotten);
    await remember(tableOf(3, 9));
    await disk.restart('power');
    const joined = { identity, ring: tableOf(3, 9), joining: undefined };
    expect(await read()).to.deep.include(joined);
  });

  it('never writes a table over one that it has not read', async () => {
    const unread = new Disk(new VirtualTime(4));
    await unread.open();
    expect(() => rememberMembers(unread.store, tableOf(1), unread.system)).to.throw('are read');
  });

  it('counts its starts', async () => {
    for (let start = 1; start <= 3; start += 1) {
      expect(await disk.time.run(nextBootEpoch(disk.store, disk.system))).to.equal(start);
      await disk.restart('power');
    }
    disk.crash('process');
    disk.flip('incarnation');
    await disk.open();
    expect(await disk.time.run(nextBootEpoch(disk.store, disk.system))).to.equal(4);
  });
});
