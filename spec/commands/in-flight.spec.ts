/**
 * The order of a connection's commands over a ring, where ways differ in speed: a coordinator whose
 * reads, overwrites and changes each go in a line of their own, against one that is done at once.
 */
import { expect } from 'chai';
import fc from 'fast-check';
import { Deferred, isLater, type Later } from '../../lib/base/later.ts';
import type { Way } from '../../lib/commands/in-flight.ts';
import type { Session } from '../../lib/commands/session.ts';
import type { Reply } from '../../lib/protocol/reply.ts';
import { Frame, plain } from '../support/fake-ports.ts';

function words(line: string): Buffer[] {
  return line.split(' ').map((word) => Buffer.from(word));
}

/** As a connection does: starts what may start, waits for all earlier replies where it may not. */
async function pipeline(frame: Frame, session: Session, lines: readonly string[]) {
  const replies: Later<Reply>[] = [];
  for (const line of lines) {
    if (!frame.dispatcher.overlaps(session, words(line))) await Promise.all(replies);
    const reply = frame.start(session, line);
    replies.push(frame.dispatcher.overlaps(session, words(line)) ? reply : await reply);
  }
  return (await Promise.all(replies)).map(plain);
}

/** Each way is a line; how many turns the next operation takes comes from `turns`. */
function lines(turns: readonly number[]): (way: Way) => PromiseLike<void> {
  const ends = new Map<Way, Promise<void>>();
  let next = 0;
  return (way) => {
    const count = turns[next % turns.length] ?? 0;
    next += 1;
    const end = (ends.get(way) ?? Promise.resolve()).then(async () => {
      for (let turn = 0; turn < count; turn += 1) await new Promise(setImmediate);
    });
    ends.set(way, end);
    return end;
  };
}

const key = fc.constantFrom('a', 'b', 'c');
const two = fc.tuple(key, key);
const command = fc.oneof(
  key.map((k) => `GET ${k}`),
  fc.tuple(key, fc.nat(99)).map(([k, value]) => `SET ${k} ${value}`),
  key.map((k) => `SET ${k} 7 EX 100`),
  key.map((k) => `INCR ${k}`),
  key.map((k) => `SET ${k} 5 NX`),
  key.map((k) => `SET ${k} 6 get`),
  key.map((k) => `SETEX ${k} 100 1`),
  key.map((k) => `GETEX ${k}`),
  key.map((k) => `GETEX ${k} PERSIST`),
  key.map((k) => `TTL ${k}`),
  two.map(([k, l]) => `MGET ${k} ${l}`),
  two.map(([k, l]) => `MSET ${k} 1 ${l} 2`),
  two.map(([k, l]) => `DEL ${k} ${l}`),
  two.map(([k, l]) => `RENAME ${k} ${l}`),
  two.map(([k, l]) => `MSETNX ${k} 3 ${l} 4`),
);

describe('commands of one connection over a ring', () => {
  it('answer as if they had run one after another', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(command, { minLength: 2, maxLength: 12 }),
        fc.array(fc.nat(4), { minLength: 1, maxLength: 20 }),
        fc.boolean(),
        async (dialogue, turns, batched) => {
          const script = batched ? ['MULTI', ...dialogue, 'EXEC'] : dialogue;
          const expected = new Frame({ n: 3 });
          const alone = expected.connect();
          const answers: unknown[] = [];
          for (const line of script) answers.push(await expected.run(alone, line));

          const frame = new Frame({ n: 3 });
          frame.coordinator.lag = lines(turns);
          expect(await pipeline(frame, frame.connect(), script)).to.deep.equal(answers);
        },
      ),
      { numRuns: 150 },
    );
  });

  const pairs: readonly (readonly [first: string, second: string, together: boolean])[] = [
    ['GET k', 'GET k', true],
    ['GET k', 'SET k v', false],
    ['GET k', 'SET other v', true],
    ['SET k v', 'GET k', false],
    ['SET k v', 'SET k w PX 5', true],
    ['SET k v', 'SET k w XX', false],
    ['SET k v', 'SET k w keepttl', false],
    ['SETEX k 1 v', 'PSETEX k 1 v', true],
    ['SET k v', 'INCR k', false],
    ['INCR k', 'APPEND k x', true],
    ['INCR k', 'DEL other k', true],
    ['INCR k', 'GETEX k', false],
    ['GET k', 'GETEX k', true],
    ['MSET a 1 k 2', 'MSET k 1 b 2', true],
    ['MSET a 1 k 2', 'MGET x k', false],
    ['MSET k v k w', 'GET v', true],
    ['DYN.DEL k ctx', 'DEL k', false],
    ['DYN.DEL k ctx', 'DYN.PUT k ctx v', true],
    ['SET k v', 'DYN.GET k LOCAL', false],
    ['GET k', 'OBJECT ENCODING k', true],
    ['SET k v', 'MEMORY USAGE k', false],
    ['SET k v', 'PING', true],
    ['GET k', 'RENAME a b', false],
  ];
  for (const [first, second, together] of pairs) {
    const title = together ? 'may be in flight with' : 'is not overtaken by';
    it(`'${first}' ${title} '${second}'`, async () => {
      const frame = new Frame({ n: 3 });
      const session = frame.connect();
      const gate = new Deferred<void>();
      frame.coordinator.lag = () => gate;
      const context = frame.ports.contexts.seal(0, Buffer.from('k'), [{ actor: 1, stamp: 1 }]);
      const reply = frame.start(session, first.replace('ctx', context));
      expect(isLater(reply)).to.equal(true);
      expect(frame.dispatcher.overlaps(session, words(second))).to.equal(together);
      gate.settle();
      await reply;
      expect(frame.dispatcher.overlaps(session, words(second))).to.equal(!/^RENAME/.test(second));
    });
  }

  it('wait for one that CLIENT PAUSE holds up', async () => {
    const frame = new Frame({ n: 3 });
    const [session, other] = [frame.connect(), frame.connect()];
    expect(frame.now(other, 'client pause 100 write')).to.equal('+OK');
    const reply = frame.start(session, 'SET k v');
    expect(frame.dispatcher.overlaps(session, words('GET k'))).to.equal(false);
    expect(frame.dispatcher.overlaps(other, words('GET k'))).to.equal(true);
    await frame.time.advance(100);
    await reply;
    expect(frame.dispatcher.overlaps(session, words('GET k'))).to.equal(true);
  });

  it('keep no table where there is one member', async () => {
    const frame = new Frame();
    const session = frame.connect();
    frame.coordinator.late = true;
    const reply = frame.start(session, 'SET k v');
    expect(frame.dispatcher.overlaps(session, words('GET k'))).to.equal(true);
    await reply;
    expect([session.inFlight, session.written]).to.deep.equal([undefined, undefined]);
  });
});
