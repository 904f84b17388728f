import { expect } from 'chai';
import fc from 'fast-check';
import { OutputPages } from '../../lib/protocol/resp-writer.ts';
import { type Place, ReplyQueue } from '../../lib/server/reply-queue.ts';

describe('reply queue', () => {
  it('gives the replies in the order of their requests, whatever becomes ready first', () => {
    const steps = fc.array(fc.record({ ready: fc.boolean(), fillNext: fc.nat() }), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 40_000 }), (all, bulkBytes) => {
        const queue = new ReplyQueue(new OutputPages());
        const open: { place: Place; index: number }[] = [];
        const output: Buffer[] = [];
        const reply = (index: number) => Buffer.alloc(bulkBytes, index);
        const fillOne = (choice: number) => {
          const [chosen] = open.splice(choice % open.length, 1);
          if (chosen) queue.fill(chosen.place, reply(chosen.index), 2);
          output.push(...queue.take());
        };
        all.forEach(({ ready, fillNext }, index) => {
          if (ready) queue.add(reply(index), 2);
          else open.push({ place: queue.reserve(), index });
          if (fillNext % 3 === 0 && open.length > 0) fillOne(fillNext);
        });
        while (open.length > 0) fillOne(all.length);
        output.push(...queue.take());
        const expected = all.flatMap((_, index) => [
          Buffer.from(`$${bulkBytes}\r\n`),
          reply(index),
          Buffer.from('\r\n'),
        ]);
        expect(Buffer.concat(output).equals(Buffer.concat(expected))).to.equal(true);
        expect([queue.placesCount, queue.readyBytes, queue.waitingBytes]).to.deep.equal([0, 0, 0]);
      }),
    );
  });

  it('counts what waits behind an open place apart from what may be sent', () => {
    const queue = new ReplyQueue(new OutputPages());
    queue.add('a', 2);
    const place = queue.reserve();
    queue.add('bc', 2);
    expect([queue.placesCount, queue.readyBytes, queue.waitingBytes]).to.deep.equal([1, 7, 8]);
    queue.fill(place, 1, 2);
    expect([queue.placesCount, queue.readyBytes, queue.waitingBytes]).to.deep.equal([0, 19, 0]);
  });

  it('gives what became ready in one turn as one chunk', () => {
    const queue = new ReplyQueue(new OutputPages());
    const places = Array.from({ length: 20 }, () => queue.reserve());
    for (const place of places) queue.fill(place, 'value', 2);
    expect(queue.take()).to.have.length(1);
  });
});
