/** A process that runs the seeds it is sent and sends back what came of them. */
import type { Report } from './campaign.ts';
import { planOf } from './plan.ts';
import { simulate } from './simulate.ts';

process.on('message', (seed: number) => {
  simulate(planOf(seed)).then(
    (outcome) => {
      const report: Report = { ...outcome, counts: [...outcome.counts] };
      process.send?.(report);
    },
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
