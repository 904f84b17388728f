import { expect } from 'chai';
import { Deferred } from '../../lib/base/later.ts';
import { KeyQueue } from '../../lib/replica/key-queue.ts';

describe('key queue', () => {
  it('runs a step at once while its key is free', () => {
    const queue = new KeyQueue();
    expect(queue.run('a', () => 1)).to.equal(1);
    expect(queue.idle).to.equal(true);
  });

  it('keeps the order of a key around a step that waits, and lets other keys pass', async () => {
    const queue = new KeyQueue();
    const order: string[] = [];
    const disk = new Deferred<string>();
    const first = queue.run('a', () => disk.then((text) => order.push(text)));
    const second = queue.run('a', () => order.push('second'));
    const other = queue.run('b', () => order.push('other key'));
    const third = queue.run('a', () => order.push('third'));
    expect(order).to.deep.equal(['other key']);
    disk.settle('first');
    await Promise.all([first, second, third, other]);
    expect(order).to.deep.equal(['other key', 'first', 'second', 'third']);
    expect(queue.idle).to.equal(true);
  });

  it('loses no increment when 100 of them wait for the disk', async () => {
    const queue = new KeyQueue();
    let stored = 0;
    const read = (): Promise<number> => Promise.resolve(stored);
    const increment = (): PromiseLike<void> =>
      read().then((value) => {
        stored = value + 1;
      });
    await Promise.all(Array.from({ length: 100 }, () => queue.run('a', increment)));
    expect(stored).to.equal(100);
  });

  it('gives the key on when a step fails or throws', async () => {
    const queue = new KeyQueue();
    const disk = new Deferred<void>();
    const failed = queue.run('a', () => disk);
    const thrown = queue.run('a', () => {
      throw new Error('thrown');
    });
    const fine = queue.run('a', () => 'fine');
    disk.fail(new Error('failed'));
    const outcomes = await Promise.allSettled([failed, thrown, fine]);
    expect(outcomes.map(({ status }) => status)).to.deep.equal([
      'rejected',
      'rejected',
      'fulfilled',
    ]);
    expect(queue.idle).to.equal(true);
  });

  it('gets through a long line of steps without running out of stack', async () => {
    const queue = new KeyQueue();
    const disk = new Deferred<void>();
    const steps = 100_000;
    let count = 0;
    const held = queue.run('a', () => disk);
    const last = Array.from({ length: steps }, () => queue.run('a', () => ++count)).at(-1);
    disk.settle();
    await held;
    expect(await last).to.equal(steps);
  });

  it('says when it is idle', async () => {
    const queue = new KeyQueue();
    const disk = new Deferred<void>();
    let told = 0;
    const tell = (): void => {
      told += 1;
    };
    queue.onIdle(tell);
    expect(told).to.equal(1);
    const held = queue.run('a', () => disk);
    queue.onIdle(tell);
    expect(told).to.equal(1);
    disk.settle();
    expect(told).to.equal(2);
    await held;
  });

  it('is settled once every step has run that was there before, not later ones', async () => {
    const queue = new KeyQueue();
    expect(queue.settled()).to.equal(undefined);
    const [a, b, late] = [new Deferred<void>(), new Deferred<void>(), new Deferred<void>()];
    const order: string[] = [];
    const steps = [
      queue.run('a', () => a),
      queue.run('a', () => b.then(() => order.push('second of a'))),
      queue.run('b', () => b),
    ];
    const settled = queue.settled();
    const marked = Promise.resolve(settled).then(() => order.push('settled'));
    steps.push(queue.run('a', () => late));
    a.settle();
    await new Promise(setImmediate);
    expect(order).to.deep.equal([]);
    b.settle();
    await marked;
    expect(order).to.deep.equal(['second of a', 'settled']);
    expect(queue.idle).to.equal(false);
    late.settle();
    await Promise.all(steps);
    expect(queue.idle).to.equal(true);
  });

  it('is settled also where a step fails', async () => {
    const queue = new KeyQueue();
    const disk = new Deferred<void>();
    const held = Promise.resolve(queue.run('a', () => disk)).catch(() => 'failed');
    const settled = queue.settled();
    disk.fail(new Error('failed'));
    await settled;
    expect(await held).to.equal('failed');
  });
});
