import { expect } from 'chai';
import { isLater, type Later } from '../../lib/base/later.ts';
import type { Session } from '../../lib/commands/session.ts';
import type { Reply } from '../../lib/protocol/reply.ts';
import { SimNode } from '../sim/sim-node.ts';

/** Hands the request over and uses its buffers again at once, as the server does a turn later. */
function execute(node: SimNode, session: Session, ...words: readonly string[]): Later<Reply> {
  const args = words.map((word) => Buffer.from(word));
  const answer = node.execute(session, args);
  for (const arg of args) arg.fill('#');
  return answer;
}

describe('borrowed bytes', () => {
  it('are copied by whoever does not use them in the turn of the call', async () => {
    for (let seed = 1; seed <= 12; seed += 1) {
      // The simulated disk answers some reads at once and some later; the seed says which.
      const node = await new SimNode(seed).start();
      for (const key of ['plain', 'appended', 'put', 'read']) await node.run('SET', key, 'old');
      node.crash('process');
      await node.start();

      const batch = node.session();
      const answers = [
        execute(node, node.session(), 'SET', 'plain', 'new'),
        execute(node, node.session(), 'APPEND', 'appended', '+new'),
        execute(node, node.session(), 'DYN.PUT', 'put', '', 'new'),
        execute(node, node.session(), 'GET', 'read'),
        execute(node, batch, 'MULTI'),
        execute(node, batch, 'SET', 'in-batch', 'new'),
        execute(node, batch, 'EXEC'),
        // The batch holds the gate until it has read: these wait before it.
        execute(node, node.session(), 'SET', 'behind', 'new'),
        execute(node, node.session(), 'DYN.PUT', 'put behind', '', 'new'),
        execute(node, node.session(), 'GET', 'read'),
      ];
      await node.time.run(Promise.all(answers.filter(isLater)));
      expect(String(await answers.at(-1))).to.equal('old');

      const keys = ['plain', 'appended', 'put', 'in-batch', 'behind', 'put behind'];
      const expected = ['new', 'old+new', 'new', 'new', 'new', 'new'];
      expect(await node.run('MGET', ...keys), `seed ${seed}`).to.deep.equal(expected);
    }
  });
});
