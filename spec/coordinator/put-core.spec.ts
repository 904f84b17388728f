/** When a write is held by enough nodes, in each set of owners that it goes to. */
import { expect } from 'chai';
import fc from 'fast-check';
import { PutCore } from '../../lib/coordinator/put-core.ts';

function begun(core: PutCore, attempts: number): PutCore {
  for (let attempt = 0; attempt < attempts; attempt += 1) core.attempt();
  return core;
}

describe('put core', () => {
  it('is reached with W distinct nodes and never counts one node twice', () => {
    const core = begun(new PutCore(2, [[0, 1, 2]]), 3);
    core.held(4, 0);
    core.held(4, 1);
    expect([core.state, core.acknowledged]).to.deep.equal(['waiting', 1]);
    core.held(5, 2);
    expect([core.state, core.acknowledged]).to.deep.equal(['reached', 2]);
  });

  it('never counts an owner and the hint kept for it as two copies', () => {
    const core = begun(new PutCore(2, [[0, 1, 2]]), 3);
    core.held(9, 1);
    core.held(1, 1);
    expect([core.state, core.acknowledged]).to.deep.equal(['waiting', 1]);
    core.held(2, 2);
    expect(core.state).to.equal('reached');
  });

  it('is short as soon as no attempt is left that could help', () => {
    const core = begun(new PutCore(2, [[0, 1, 2]]), 2);
    core.missed();
    expect(core.state).to.equal('waiting');
    core.held(1, 1);
    expect(core.state).to.equal('short');
    core.attempt();
    expect(core.state, 'a fallback is asked').to.equal('waiting');
    core.held(7, 2);
    expect(core.state).to.equal('reached');
  });

  it('is reached exactly if W distinct nodes hold it, whatever the order of the answers', () => {
    const answers = fc.array(fc.option(fc.nat(4), { nil: undefined }), { maxLength: 10 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), answers, (w, nodes) => {
        const core = begun(new PutCore(w, [[0, 1, 2, 3, 4]]), nodes.length);
        for (const node of nodes) {
          if (node === undefined) core.missed();
          else core.held(node, node);
        }
        const distinct = new Set(nodes.filter((node) => node !== undefined)).size;
        expect(core.state).to.equal(distinct >= w ? 'reached' : 'short');
      }),
    );
  });
});

describe('put core during a change of the layout', () => {
  it('needs W in each set', () => {
    const core = begun(
      new PutCore(2, [
        [0, 1, 2],
        [0, 3, 4],
      ]),
      5,
    );
    core.held(0, 0);
    core.held(1, 1);
    expect([core.state, core.acknowledged]).to.deep.equal(['waiting', 1]);
    core.held(2, 2);
    expect(core.state).to.equal('waiting');
    core.held(4, 4);
    expect([core.state, core.acknowledged]).to.deep.equal(['reached', 2]);
  });

  it('counts an owner of both in each, and a hint where its owner counts', () => {
    const core = begun(
      new PutCore(2, [
        [0, 1, 2],
        [1, 2, 3],
      ]),
      4,
    );
    core.held(9, 2);
    core.held(9, 3);
    expect([core.state, core.acknowledged], 'one node').to.deep.equal(['waiting', 1]);
    core.held(8, 3);
    expect([core.state, core.acknowledged], 'of no owner of both').to.deep.equal(['waiting', 1]);
    core.held(1, 1);
    expect([core.state, core.acknowledged]).to.deep.equal(['reached', 2]);
  });

  it('counts the copies so far in a set that is added later', () => {
    const core = begun(new PutCore(2, [[0, 1, 2]]), 2);
    core.held(0, 0);
    core.held(1, 1);
    expect(core.state).to.equal('reached');
    core.add([1, 2, 3]);
    expect([core.state, core.acknowledged], 'nobody is asked').to.deep.equal(['short', 1]);
    core.attempt();
    expect(core.state).to.equal('waiting');
    core.held(3, 3);
    expect([core.state, core.acknowledged]).to.deep.equal(['reached', 2]);
  });

  it('needs all of a set that is smaller than W', () => {
    const core = begun(new PutCore(2, [[0], [0, 1]]), 2);
    core.held(1, 1);
    expect(core.state).to.equal('waiting');
    core.held(0, 0);
    expect(core.state).to.equal('reached');
    expect(begun(new PutCore(2, [[0]]), 0).state).to.equal('short');
  });

  it('is reached exactly if distinct nodes hold W distinct shares in each set', () => {
    const anySet = fc.uniqueArray(fc.nat(5), { minLength: 1, maxLength: 3 });
    const anyCopy = fc.tuple(fc.nat(7), fc.nat(5));
    const any = fc.record({
      w: fc.integer({ min: 1, max: 3 }),
      sets: fc.array(anySet, { minLength: 1, maxLength: 2 }),
      added: fc.option(anySet, { nil: undefined }),
      addedAt: fc.nat(8),
      copies: fc.array(anyCopy, { maxLength: 8 }),
    });
    fc.assert(
      fc.property(any, ({ w, sets, added, addedAt, copies }) => {
        const core = begun(new PutCore(w, sets), copies.length);
        for (const [at, [member, owner]] of copies.entries()) {
          if (at === addedAt && added !== undefined) core.add(added);
          core.held(member, owner);
        }
        const isAdded = added !== undefined && addedAt < copies.length;
        const all = isAdded ? [...sets, added] : sets;
        const isHeld = all.every((owners) => {
          const [holders, shares] = [new Set<number>(), new Set<number>()];
          for (const [member, owner] of copies) {
            if (!owners.includes(owner) || holders.has(member) || shares.has(owner)) continue;
            holders.add(member);
            shares.add(owner);
          }
          return shares.size >= Math.min(w, owners.length);
        });
        expect(core.state).to.equal(isHeld ? 'reached' : 'short');
      }),
    );
  });
});
