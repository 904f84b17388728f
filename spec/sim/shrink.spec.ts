import { expect } from 'chai';
import { noChaos } from './chaos-transport.ts';
import { type Plan, planOf } from './plan.ts';
import { shrink, spaceTimeTable } from './shrink.ts';

/** Fails if operations 3 and 17 and some crash are there, otherwise without a crash. */
function judge({ operations, actions }: Plan): Promise<{ readonly failures: readonly string[] }> {
  const has = (id: number): boolean => operations.some((operation) => operation.id === id);
  const crashes = actions.some(({ fault }) => fault.kind === 'crash');
  const failure = !has(3) || !has(17) ? [] : crashes ? ['I1: lost'] : ['I22: silent'];
  return Promise.resolve({ failures: failure });
}

function planWithCrash(): Plan {
  for (let seed = 1; ; seed += 1) {
    const plan = planOf(seed);
    const crashes = plan.actions.filter(({ fault }) => fault.kind === 'crash');
    if (crashes.length > 0 && plan.operations.length > 20) return plan;
  }
}

describe('shrink', () => {
  it('leaves what the same invariant needs to fail, and nothing else', async () => {
    const small = await shrink(planWithCrash(), judge);
    expect(small?.plan.operations.map(({ id }) => id)).to.deep.equal([3, 17]);
    expect(small?.plan.actions.map(({ fault }) => fault.kind)).to.deep.equal(['crash']);
    expect(small?.plan.chaos).to.equal(noChaos);
  });

  it('has nothing to do where nothing fails', async () => {
    expect(await shrink({ ...planWithCrash(), operations: [] }, judge)).to.equal(undefined);
  });

  it('shows each operation below its node, and faults among them', async () => {
    const small = await shrink(planWithCrash(), judge);
    if (small === undefined) throw new Error('it fails');
    const lines = spaceTimeTable(small.plan).split('\n');
    expect(lines[0]).to.match(/ms {2}n1 .*n2/);
    expect(lines.length).to.equal(4);
    expect(lines.join('\n')).to.match(/#17/).and.to.match(/CRASH/);
  });
});
