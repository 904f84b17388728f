import { expect } from 'chai';
import fc from 'fast-check';
import { merge, type Record } from '../../lib/causal/record.ts';
import { GetCore } from '../../lib/coordinator/get-core.ts';
import { versionOf } from '../../lib/coordinator/peer-messages.ts';
import { closeRecord } from '../causal/arbitraries.ts';

const replicas = (count: number) => fc.array(closeRecord(), { minLength: count, maxLength: count });

const versioned = (record: Record): Buffer => versionOf(record, (bytes) => bytes);

describe('get core', () => {
  it('answers the merge of R records, whatever mix of records and versions they come as', () => {
    fc.assert(
      fc.property(
        replicas(3),
        fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }),
        (held, whole) => {
          const core = new GetCore(3, versioned);
          for (const [member, record] of held.entries()) {
            if (whole[member]) core.record(member, record);
            else core.heldVersion(member, versioned(record));
          }
          let state = core.state();
          for (let round = 0; state.kind === 'fetch'; round += 1) {
            expect(round, 'one fetch is enough').to.be.below(1);
            for (const member of state.members) {
              const record = held[member];
              if (record !== undefined) core.record(member, record);
            }
            state = core.state();
          }
          if (state.kind !== 'reached') throw new Error(state.kind);
          const all = held.reduce(merge);
          expect(versioned(state.record)).to.deep.equal(versioned(all));
          const stale = held.flatMap((record, member) =>
            versioned(record).equals(versioned(all)) ? [] : [member],
          );
          expect([...state.stale].sort()).to.deep.equal(stale);
        },
      ),
    );
  });

  it('waits for R distinct members and no longer counts one that was dropped', () => {
    fc.assert(
      fc.property(replicas(2), ([a, b]) => {
        if (a === undefined || b === undefined) return;
        const core = new GetCore(2, versioned);
        core.record(1, a);
        core.record(1, a);
        expect(core.state().kind).to.equal('waiting');
        core.record(2, b);
        expect(core.state().kind).to.equal('reached');
        core.drop(2);
        expect(core.state().kind).to.equal('waiting');
      }),
    );
  });
});
