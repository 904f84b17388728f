/** Random runs of the whole ring, those that failed once, and proof that they would notice. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { root } from '../support/root.ts';
import { Campaign } from './campaign.ts';
import { mutants } from './mutants.ts';
import { type Plan, planOf } from './plan.ts';
import { type Outcome, simulate } from './simulate.ts';

const smokeRuns = 24;
/** Found within few runs; `npm run sim -- --mutants` hunts them all. */
const quickMutants = ['B7', 'B11', 'B23'];

/** Plans, made small by `--shrink --json`: a seed means something else when the plans change. */
const regressions = JSON.parse(
  readFileSync(join(root, 'spec/sim/regressions.json'), 'utf8'),
) as readonly { readonly was: string; readonly plan: Plan }[];

function expectSound({ seed, failures, trace }: Outcome): void {
  const story = failures.length === 0 ? '' : trace.slice(-60).join('\n');
  expect(failures, `npm run sim -- --seed ${seed}\n${story}\n`).to.deep.equal([]);
}

describe('runs of the simulated ring', function () {
  this.timeout(60_000);

  it('keep every invariant', async () => {
    const first = 1_000_000;
    const outcomes: Outcome[] = [];
    await new Campaign({ first, runs: smokeRuns, failuresMax: 1 }).run((outcome) => {
      outcomes.push(outcome);
    });
    for (const outcome of outcomes) expectSound(outcome);
  });

  for (const { was, plan } of regressions) {
    it(`keep what once broke: ${was}`, async () => {
      expectSound(await simulate(plan));
    });
  }

  it('are the same in two processes', async () => {
    const hashes = new Set<string>();
    for (let round = 0; round < 2; round += 1) {
      const campaign = new Campaign({ first: 42, runs: 1, failuresMax: 1 });
      await campaign.run(({ hash }) => hashes.add(hash));
    }
    expect(hashes.size).to.equal(1);
    expect([...hashes]).to.not.deep.equal([(await simulate(planOf(43))).hash]);
  });

  it('can plant every mutant in the code as it is', () => {
    for (const { name, edits } of mutants) {
      for (const { file, find } of edits) {
        const source = readFileSync(join(root, file), 'utf8');
        expect(source.split(find).length, `${name} in ${file}: ${find}`).to.equal(2);
      }
    }
  });

  for (const mutant of quickMutants) {
    it(`find the mutant ${mutant}`, async () => {
      const { failed } = await new Campaign({
        first: 1,
        runs: 400,
        mutant,
        failuresMax: 1,
      }).run(() => undefined);
      expect(failed).to.be.greaterThan(0);
    });
  }
});
