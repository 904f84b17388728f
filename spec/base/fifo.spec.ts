import { expect } from 'chai';
import fc from 'fast-check';
import { Fifo } from '../../lib/base/fifo.ts';

describe('fifo', () => {
  it('gives everything back in the order in which it came, whatever comes between', () => {
    const steps = fc.array(fc.option(fc.nat(), { nil: undefined }));
    fc.assert(
      fc.property(steps, (pushes) => {
        const fifo = new Fifo<number>();
        const model: number[] = [];
        for (const item of pushes) {
          if (item === undefined) expect(fifo.shift()).to.equal(model.shift());
          else {
            fifo.push(item);
            model.push(item);
          }
          expect(fifo.length).to.equal(model.length);
        }
        while (model.length > 0) expect(fifo.shift()).to.equal(model.shift());
        expect(fifo.shift()).to.equal(undefined);
      }),
    );
  });
});
