import { expect } from 'chai';
import { RedisError } from '../../lib/base/errors.ts';
import { after } from '../../lib/base/later.ts';
import { largeRequestArguments } from '../../lib/commands/dispatch.ts';
import type { Coordinator } from '../../lib/coordinator/coordinator.ts';
import type { Reply } from '../../lib/protocol/reply.ts';
import { Frame, plain } from '../support/fake-ports.ts';

const count = 2 * largeRequestArguments + 100;
const keys = Array.from({ length: count }, (_, index) => `k${index}`);
const pairs = keys.flatMap((key) => [key, `${key}!`]);

const requests = {
  mset: pairs,
  msetnx: pairs,
  mget: keys,
  exists: keys,
  touch: keys,
  del: keys,
  unlink: keys,
};

function bytes(words: readonly string[]): Buffer[] {
  return words.map((word) => Buffer.from(word));
}

describe('a request with very many keys', () => {
  for (const late of [false, true]) {
    it(`is answered as a small one${late ? ', also by a disk' : ''}`, async () => {
      const frame = new Frame();
      frame.coordinator.late = late;
      const session = frame.connect();
      expect(await frame.run(session, 'mset', ...pairs)).to.equal('+OK');
      expect(await frame.run(session, 'mget', ...keys)).to.deep.equal(keys.map((key) => `${key}!`));
      expect(await frame.run(session, 'exists', ...keys, 'no')).to.equal(count);
      expect(await frame.run(session, 'msetnx', ...pairs)).to.equal(0);
      expect(await frame.run(session, 'unlink', ...keys, 'no')).to.equal(count);
      expect(await frame.run(session, 'msetnx', ...pairs)).to.equal(1);
      expect(await frame.run(session, 'touch', ...keys, 'no')).to.equal(count);
      expect(await frame.run(session, 'del', ...keys, ...keys)).to.equal(count);
    });
  }

  for (const [name, args] of Object.entries(requests)) {
    it(`does not overlap: ${name}`, () => {
      const frame = new Frame();
      const session = frame.connect();
      const overlaps = (...words: string[]) => frame.dispatcher.overlaps(session, bytes(words));
      expect(overlaps(name, ...args)).to.equal(false);
      expect(overlaps(name, 'k', 'v')).to.equal(name !== 'msetnx');
    });

    it(`lets others run in between: ${name}`, async () => {
      const frame = new Frame();
      const [session, other] = [frame.connect(), frame.connect()];
      const order: string[] = [];
      const reply = frame.run(session, name, ...args).then(() => order.push(name));
      setImmediate(() => order.push(String(frame.now(other, 'PING'))));
      await reply;
      expect(order).to.deep.equal(['+PONG', name]);
    });
  }

  it('has at most a slice of its keys in hand', async () => {
    const frame = new Frame();
    frame.coordinator.late = true;
    const reply = frame.start(frame.connect(), 'del', ...keys);
    expect(frame.coordinator.asked.length).to.equal(largeRequestArguments);
    expect(plain(await reply)).to.equal(0);
    expect(frame.coordinator.asked.length).to.equal(count);
  });

  it('keeps its bytes, which its client may overwrite meanwhile', async () => {
    const frame = new Frame();
    const session = frame.connect();
    const args = bytes(pairs);
    const reply = frame.start(session, 'mset', ...args);
    for (const argument of args) argument.fill('x');
    await reply;
    expect(await frame.run(session, 'exists', ...keys)).to.equal(count);
    expect(await frame.run(session, 'GET', keys.at(-1) ?? '')).to.equal(`${keys.at(-1)}!`);
  });

  it('is UNCERTAIN when only some of its keys were refused, in whichever slice', async () => {
    for (const refused of [keys.slice(0, 1), keys.slice(-1), keys.slice(10, -10)]) {
      const frame = new Frame();
      for (const key of refused) frame.coordinator.refuse.set(key, new RedisError('MISCONF full'));
      expect(await frame.run(frame.connect(), 'mset', ...pairs)).to.equal(
        `-UNCERTAIN ${count - refused.length} of ${count} keys written, then: MISCONF full`,
      );
    }
  });

  it('is refused as a whole when all of its keys were', async () => {
    const frame = new Frame();
    for (const key of keys) frame.coordinator.refuse.set(key, new RedisError('MISCONF full'));
    expect(await frame.run(frame.connect(), 'mset', ...pairs)).to.equal('-MISCONF full');
  });

  it('inside EXEC ends before the next command starts', async () => {
    const frame = new Frame();
    frame.coordinator.late = true;
    const session = frame.connect();
    const last = keys.at(-1) ?? '';
    frame.now(session, 'multi');
    frame.now(session, 'SET', last, 'old');
    frame.now(session, 'mset', ...pairs);
    frame.now(session, 'GET', last);
    frame.now(session, 'del', ...keys);
    frame.now(session, 'GET', last);
    const replies = await frame.run(session, 'exec');
    expect(replies).to.deep.equal(['+OK', '+OK', `${last}!`, count, null]);
  });

  for (const command of ['msetnx', 'exec']) {
    it(`holds the keys until ${command} has begun its last write`, async () => {
      const frame = new Frame();
      const session = frame.connect();
      const exclusive: Coordinator['exclusive'] = frame.coordinator.exclusive.bind(
        frame.coordinator,
      );
      let askedWhenFree = 0;
      frame.coordinator.exclusive = (db, held, body) =>
        exclusive(db, held, (inside) =>
          after(body(inside), (outcome) => {
            askedWhenFree = frame.coordinator.asked.length;
            return outcome;
          }),
        );
      if (command === 'exec') {
        frame.now(session, 'multi');
        frame.now(session, 'mset', ...pairs);
      }
      const reply: Reply = await frame.start(
        session,
        command,
        ...(command === 'exec' ? [] : pairs),
      );
      expect(plain(reply)).to.deep.equal(command === 'exec' ? ['+OK'] : 1);
      expect(askedWhenFree).to.equal(command === 'exec' ? count : 2 * count);
    });
  }
});
