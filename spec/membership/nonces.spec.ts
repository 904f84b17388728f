/** Whether a process is the one that came after the process whose marker it found. */
import { expect } from 'chai';
import { Deferred } from '../../lib/base/later.ts';
import { Nonces } from '../../lib/membership/nonces.ts';
import type { Handler, PeerId, Transport } from '../../lib/transport/transport.ts';

/** Two transports of which each answers the other at once, as soon as they are `joined`. */
class Pair {
  readonly handlers = new Map<PeerId, Map<number, Handler>>();
  readonly #listeners: [PeerId, (peer: PeerId) => void][] = [];
  joined = false;

  transport(self: PeerId, other: PeerId): Transport {
    const own = new Map<number, Handler>();
    this.handlers.set(self, own);
    return {
      port: 0,
      start: async () => {},
      stop: async () => {},
      handle: (kind, handler) => own.set(kind, handler),
      dial: () => {},
      forget: () => {},
      call: (peer, kind, body) => {
        const answer = new Deferred<Buffer>();
        const handler = this.handlers.get(peer)?.get(kind);
        if (!this.joined || handler === undefined) answer.fail(new Error('unreachable'));
        else {
          const result = handler({ from: self, fromHost: '', body, ageMs: 0 });
          if (Buffer.isBuffer(result)) answer.settle(result);
        }
        return answer;
      },
      isConnected: (peer) => this.joined && peer === other,
      heard: () => 0,
      onConnected: (listener) => this.#listeners.push([self, (peer) => listener(peer, nowhere)]),
      onDisconnected: () => {},
      onOwnAddress: () => {},
    };
  }

  join(): void {
    this.joined = true;
    for (const [self, listener] of this.#listeners) listener(self === 'a' ? 'b' : 'a');
  }
}

const nowhere = { host: '', port: 0 };
const members = ['a', 'b'];
const isMember = (peer: PeerId): boolean => members.includes(peer);

describe('boot nonces', () => {
  let pair: Pair;
  let peer: Nonces;

  beforeEach(() => {
    pair = new Pair();
    peer = new Nonces(pair.transport('b', 'a'), 900, isMember);
    peer.start();
  });

  function processOfA(nonce: number): Nonces {
    return new Nonces(pair.transport('a', 'b'), nonce, isMember);
  }

  it('are remembered by a peer that knew the process before', () => {
    peer.note('a', 1);
    pair.join();
    expect(processOfA(2).remembers(1, members).pending).to.equal(false);
  });

  it('are remembered whether or not the peer has heard of the new process already', () => {
    peer.note('a', 1);
    peer.note('a', 2);
    peer.note('a', 2);
    pair.join();
    expect(processOfA(2).remembers(1, members).pending).to.equal(false);
  });

  it('are asked for when a peer comes up', () => {
    peer.note('a', 1);
    const remembered = processOfA(2).remembers(1, members);
    expect(remembered.pending).to.equal(true);
    pair.join();
    expect(remembered.pending).to.equal(false);
  });

  it('of a process that was not the last one are not confirmed', () => {
    peer.note('a', 1);
    peer.note('a', 2);
    pair.join();
    expect(processOfA(3).remembers(1, members).pending).to.equal(true);
  });

  it('are not confirmed by a peer that knows nothing', () => {
    pair.join();
    expect(processOfA(2).remembers(1, members).pending).to.equal(true);
    expect(processOfA(3).remembers(0, members).pending).to.equal(true);
  });

  it('are not told to strangers, nor noted of them', () => {
    peer.note('x', 1);
    const recall = pair.handlers.get('b')?.get(4);
    const ask = (from: PeerId, body: Buffer) => () =>
      recall?.({ from, fromHost: '', body, ageMs: 0 });
    expect(ask('x', Buffer.alloc(6))).to.throw('no member');
    expect(ask('a', Buffer.alloc(5))).to.throw('no member');
  });
});
