import { expect } from 'chai';
import fc from 'fast-check';
import { PutCore } from '../../lib/coordinator/put-core.ts';

describe('put core', () => {
  it('is reached with W distinct nodes and never counts one node twice', () => {
    const core = new PutCore(2);
    for (let attempt = 0; attempt < 3; attempt += 1) core.attempt();
    core.held(4, 0);
    core.held(4, 1);
    expect([core.state, core.acknowledged]).to.deep.equal(['waiting', 1]);
    core.held(5, 2);
    expect([core.state, core.acknowledged]).to.deep.equal(['reached', 2]);
  });

  it('never counts an owner and the hint kept for it as two copies', () => {
    const core = new PutCore(2);
    for (let attempt = 0; attempt < 3; attempt += 1) core.attempt();
    core.held(9, 1);
    core.held(1, 1);
    expect([core.state, core.acknowledged]).to.deep.equal(['waiting', 1]);
    core.held(2, 2);
    expect(core.state).to.equal('reached');
  });

  it('is short as soon as no attempt is left that could help', () => {
    const core = new PutCore(2);
    core.attempt();
    core.attempt();
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
        const core = new PutCore(w);
        for (const _ of nodes) core.attempt();
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
