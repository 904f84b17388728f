/** Clients stay connected while the node behind them becomes another one. */
import { expect } from 'chai';
import { Deferred } from '../../lib/base/later.ts';
import { TurningDispatch } from '../../lib/commands/turning-dispatch.ts';
import { Frame, plain } from '../support/fake-ports.ts';

const loading = '-LOADING Redis is loading the dataset in memory';

describe('a dispatch that turns to another node', () => {
  it('passes everything on, to whichever node is there', async () => {
    const [first, second] = [new Frame(), new Frame()];
    const session = first.connect();
    const turning = new TurningDispatch(first.dispatcher);
    const run = async (line: string): Promise<unknown> =>
      plain(
        await turning.execute(
          session,
          line.split(' ').map((word) => Buffer.from(word)),
        ),
      );
    expect(await run('set a 1')).to.equal('+OK');
    expect(turning.overlaps(session, [Buffer.from('get'), Buffer.from('a')])).to.equal(true);
    const next = new Deferred<{ readonly dispatch: Frame['dispatcher'] }>();
    const turned = turning.turnTo(Promise.resolve(next));
    expect(await run('get a'), 'between two nodes').to.equal(loading);
    expect(turning.overlaps(session, [Buffer.from('get'), Buffer.from('a')])).to.equal(false);
    const node = { dispatch: second.dispatcher, name: 'second' };
    next.settle(node);
    expect(await turned).to.equal(node);
    expect(await run('get a')).to.equal(null);
    expect(await run('set a 2')).to.equal('+OK');
    expect(first.now(session, 'get a')).to.equal('1');
  });

  it('goes on refusing where the next node cannot start', async () => {
    const frame = new Frame();
    const turning = new TurningDispatch(frame.dispatcher);
    const error = new Error('it cannot');
    const turned = await turning.turnTo(Promise.reject(error)).catch((caught: unknown) => caught);
    expect(turned).to.equal(error);
    const reply = await turning.execute(frame.connect(), [Buffer.from('ping')]);
    expect(plain(reply)).to.equal(loading);
  });
});
