import { expect } from 'chai';
import { Deferred } from '../../lib/base/later.ts';
import { Throttle } from '../../lib/coordinator/throttle.ts';

describe('throttle', () => {
  it('begins no more than it may, and the rest in their order', async () => {
    const throttle = new Throttle(2);
    const begun: string[] = [];
    const work = new Map(['a', 'b', 'c', 'd'].map((name) => [name, new Deferred<string>()]));
    const answers = [...work].map(([name, answer]) =>
      throttle.run(() => {
        begun.push(name);
        return answer;
      }),
    );
    expect([begun, throttle.isFull]).to.deep.equal([['a', 'b'], true]);
    work.get('b')?.settle('of b');
    expect(begun).to.deep.equal(['a', 'b', 'c']);
    work.get('a')?.fail(new Error('a failed'));
    expect(begun).to.deep.equal(['a', 'b', 'c', 'd']);
    for (const answer of work.values()) answer.settle('later');
    expect(throttle.isFull).to.equal(false);
    expect(await Promise.allSettled(answers)).to.deep.include({
      status: 'fulfilled',
      value: 'of b',
    });
  });

  it('goes on after one that answers at once or throws', async () => {
    const throttle = new Throttle(1);
    expect(await throttle.run(() => 'at once')).to.equal('at once');
    const thrown = throttle.run<string>(() => {
      throw new Error('thrown');
    });
    expect(await Promise.resolve(thrown).catch(String)).to.equal('Error: thrown');
    expect(await throttle.run(() => 'next')).to.equal('next');
  });
});
