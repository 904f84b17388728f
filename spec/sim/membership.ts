/**
 * What the members of a healed ring know of each other (RELIABILITY 3, 1.11).
 *
 *   I12         all speak of one layout, and of no change under way
 *   membership  each shows the same members, all of them up, soon after everything healed; nobody
 *               was forgotten, and nobody got in who has no business there
 *   refuted     nobody was suspected more often than something happened to the ring
 */
import type { Nemesis } from './nemesis.ts';
import type { Status } from './people.ts';
import type { Plan } from './plan.ts';
import { isError } from './requests.ts';
import type { Referee } from './running.ts';

const agreedWithinMs = 30_000;
const lookMs = 200;

export async function checkMembership(
  referee: Referee,
  nemesis: Nemesis,
  plan: Plan,
): Promise<void> {
  const { ring, layouts, complain } = referee;
  const endMs = ring.time.nowMs + agreedWithinMs;
  let lack = await lackOf(referee, nemesis);
  while (lack !== undefined && ring.time.nowMs < endMs) {
    await ring.time.advance(lookMs);
    lack = await lackOf(referee, nemesis);
  }
  if (lack !== undefined) {
    complain('membership', `${lack}, ${agreedWithinMs} ms after everything healed`);
    return;
  }
  nemesis.operators.check();
  layouts.settle();
  await checkOwners(referee);
  if (Object.values(plan.chaos).every((value) => value === 0)) await checkRefuted(referee, nemesis);
}

async function lackOf(
  { ring, layouts }: Referee,
  { operators }: Nemesis,
): Promise<string | undefined> {
  if (operators.lack() !== undefined) return operators.lack();
  const { present } = ring;
  const expected = present.map((node) => `${ring.at(node).host} up`).join(' ');
  for (const node of present) {
    const { host, isUp, startError } = ring.at(node);
    if (!isUp) return `${host} is not up: ${startError ?? 'no error'}`;
    const status = (await ring.run(node, 'DYN.RING', 'STATUS')) as Status | string;
    if (typeof status === 'string') return `${host} answers ${status}`;
    const { version, transition, members } = status;
    const newest = layouts.newest?.version;
    if (version !== newest) return `${host} is at layout ${version}, others at ${newest}`;
    if (transition !== 0) return `${host} is between two layouts`;
    const shown = members.map(({ name, state }) => `${name} ${state}`).sort();
    if (shown.join(' ') !== expected) return `${host} sees ${shown.join(' ')}, not ${expected}`;
  }
  return undefined;
}

/** What nodes say of a key's owners is what is on their disks. */
async function checkOwners({ ring, ledger, layouts, complain }: Referee): Promise<void> {
  for (const key of ledger.keys.keys()) {
    const owners = layouts.ownersOf(key).map((node) => ring.at(node).host);
    for (const node of ring.present.filter((index) => ring.at(index).isUp)) {
      const names = (await ring.run(node, 'DYN.RING', 'OWNERS', key)) as string[];
      if (!isError(names) && names.join(' ') === owners.join(' ')) continue;
      complain('I12', `n${node + 1} names ${names} as owners of ${key}, not ${owners}`);
    }
  }
}

async function checkRefuted({ ring, complain }: Referee, { done }: Nemesis): Promise<void> {
  const struck = [...done.values()].reduce((sum, count) => sum + count, 0);
  // Faults that overlap heal piece by piece.
  const most = struck > 1 ? 2 * struck : struck;
  for (const node of ring.present) {
    const refuted = Number((await ring.info(node)).get('suspicions_refuted'));
    if (refuted > most) {
      complain('refuted', `n${node + 1} has refuted ${refuted} suspicions, of ${struck} faults`);
    }
  }
}
