/** What the clients of a load were promised, asked for again. */
import { type RingProcess, until } from '../support/ring-process.ts';
import { contentOf } from '../support/steady-load.ts';

const keysAtOnce = 200;

/** Asked through all nodes in turn; a read that is refused is repeated, and not a loss. */
export async function lostOf(ring: RingProcess, keys: readonly string[]): Promise<string[]> {
  const lost: string[] = [];
  for (let at = 0; at < keys.length; at += keysAtOnce) {
    const some = keys.slice(at, at + keysAtOnce);
    const { client } = ring.node((at / keysAtOnce) % ring.nodes.length);
    let found: (string | null)[] = [];
    await until('the reads are answered', async () => {
      found = await client.mget(some);
      return true;
    });
    for (const [index, key] of some.entries()) {
      if (found[index] !== contentOf(key)) lost.push(`${key} is ${found[index]}`);
    }
  }
  return lost;
}
