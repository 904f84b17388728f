import { expect } from 'chai';
import { Deferred, isLater, after as onceHere } from '../../lib/base/later.ts';

describe('later', () => {
  it('goes on at once with a value that is here', () => {
    expect(onceHere(3, (value) => value + 1)).to.equal(4);
    expect(() =>
      onceHere(3, () => {
        throw new Error('at once');
      }),
    ).to.throw('at once');
  });

  it('takes no record for a value to come, even one with a `then`', () => {
    // biome-ignore lint/suspicious/noThenProperty: that is the case.
    expect(isLater<unknown>({ then: () => 1 })).to.equal(false);
    expect(isLater<unknown>(null)).to.equal(false);
    expect(isLater(new Deferred())).to.equal(true);
    expect(isLater(Promise.resolve(1))).to.equal(true);
  });

  it('goes on in the turn in which the value comes, in the order of the listeners', () => {
    const cell = new Deferred<number>();
    const heard: string[] = [];
    for (const name of ['first', 'second', 'third']) {
      cell.listen(
        (value) => heard.push(`${name} ${value}`),
        () => heard.push('failed'),
      );
    }
    expect(cell.pending).to.equal(true);
    cell.settle(5);
    expect(heard).to.deep.equal(['first 5', 'second 5', 'third 5']);
    expect(cell.pending).to.equal(false);
    void cell.then((value) => heard.push(`late ${value}`));
    expect(heard.at(-1)).to.equal('late 5');
  });

  it('settles once: what comes afterwards changes nothing', async () => {
    const settled = new Deferred<number>();
    settled.settle(1);
    settled.settle(2);
    settled.fail(new Error('too late'));
    expect(await settled).to.equal(1);
    const failed = new Deferred<number>();
    failed.fail(new Error('first'));
    failed.settle(1);
    expect(await failed.then(undefined, String)).to.equal('Error: first');
  });

  it('follows what a listener returns, later or a promise, and hands failures on', async () => {
    const cell = new Deferred<number>();
    const inner = new Deferred<number>();
    const chained = onceHere(cell, () => inner);
    const promised = onceHere(cell, async (value) => value * 2);
    const thrown = onceHere(cell, () => {
      throw new Error('of the listener');
    });
    cell.settle(1);
    expect(isLater(chained) && (chained as Deferred<number>).pending).to.equal(true);
    inner.settle(7);
    expect(await chained).to.equal(7);
    expect(await promised).to.equal(2);
    const failure = (error: unknown): string => String(error);
    expect(await (thrown as Deferred<never>).then(undefined, failure)).to.equal(
      'Error: of the listener',
    );
  });

  it('passes a failure by those who only want the value, to the first who asks', async () => {
    const cell = new Deferred<number>();
    const end = cell.then((value) => value + 1).then((value) => value + 1);
    cell.fail(new Error('lost'));
    let caught: unknown;
    try {
      await end;
    } catch (error) {
      caught = error;
    }
    expect(caught).to.be.an('error').with.property('message', 'lost');
    expect(await end.then(undefined, () => 0)).to.equal(0);
  });
});
