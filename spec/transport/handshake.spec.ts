import { expect } from 'chai';
import fc from 'fast-check';
import { realSystem } from '../../lib/runtime/system.ts';
import {
  AcceptorHandshake,
  DiallerHandshake,
  type Handshake,
  type Party,
  type Refused,
  type Step,
} from '../../lib/transport/handshake.ts';
import { silentLog } from '../sim/virtual-time.ts';

const { hashes, random } = realSystem(silentLog);
const diallerId = Buffer.alloc(20, 0xd1);
const acceptorId = Buffer.alloc(20, 0xac);
const firstToken = 1_234_567_890_123;

function party(nodeId: Buffer, over: Partial<Party> = {}): Party {
  const nonce = random.bytes(16);
  return { nodeId, clusterName: 'redynamo', secret: 'secret', nonce, hashes, ...over };
}

const dialler = (over: Partial<Party> = {}) => new DiallerHandshake(party(diallerId, over));
const acceptor = (over: Partial<Party> = {}) =>
  new AcceptorHandshake(party(acceptorId, over), () => firstToken);

/** In pieces of so many bytes; the last step, and everything that was said on the way. */
function feed(to: Handshake, bytes: Buffer, pieceBytes = 1000): { step: Step; said: Buffer } {
  const said: Buffer[] = [];
  let step: Step = { kind: 'more', send: Buffer.alloc(0) };
  for (let at = 0; at < bytes.length && step.kind === 'more'; at += pieceBytes) {
    step = to.receive(bytes.subarray(at, at + pieceBytes));
    said.push(step.send);
  }
  return { step, said: Buffer.concat(said) };
}

interface Outcome {
  readonly dialled: Step;
  readonly accepted: Step;
}

function meet(a: Handshake, b: Handshake, pieceBytes = 1000): Outcome {
  const challenge = feed(b, a.opening(), pieceBytes);
  const response = feed(a, challenge.said, pieceBytes);
  const welcome = feed(b, response.said, pieceBytes);
  const last = feed(a, welcome.said, pieceBytes);
  return {
    dialled: response.step.kind === 'refused' ? response.step : last.step,
    accepted: challenge.step.kind === 'refused' ? challenge.step : welcome.step,
  };
}

function refusal(step: Step): Pick<Refused, 'by' | 'refusal'> | string {
  return step.kind === 'refused' ? { by: step.by, refusal: step.refusal } : step.kind;
}

describe('the handshake of peers', () => {
  it('tells both who the other is, and the dialler the first token, however it is split', () => {
    for (const pieceBytes of [1, 2, 7, 50, 1000]) {
      const { dialled, accepted } = meet(dialler(), acceptor(), pieceBytes);
      expect(dialled).to.deep.include({ kind: 'done', peerId: acceptorId, token: firstToken });
      expect(accepted).to.deep.include({ kind: 'done', peerId: diallerId });
    }
  });

  it('works without a secret on both sides', () => {
    const { dialled, accepted } = meet(dialler({ secret: '' }), acceptor({ secret: '' }));
    expect([dialled.kind, accepted.kind]).to.deep.equal(['done', 'done']);
  });

  it('refuses another secret, or one where there should be none; both learn why', () => {
    for (const [ours, theirs] of [
      ['one', 'two'],
      ['', 'two'],
      ['one', ''],
    ] as const) {
      const { dialled, accepted } = meet(dialler({ secret: ours }), acceptor({ secret: theirs }));
      expect(refusal(dialled)).to.deep.equal({ by: 'us', refusal: 'secret' });
      expect(refusal(accepted)).to.deep.equal({ by: 'peer', refusal: 'secret' });
    }
  });

  it('refuses another cluster-name before it says who it is or proves anything', () => {
    const strange = dialler({ clusterName: 'other' });
    const { step, said } = feed(acceptor(), strange.opening());
    expect(step).to.deep.include({ kind: 'refused', refusal: 'cluster', theirs: 'other' });
    expect(said).to.have.length(6);
    expect(refusal(feed(strange, said).step)).to.deep.equal({ by: 'peer', refusal: 'cluster' });
  });

  it('refuses another version; both learn why', () => {
    const hello = dialler().opening();
    hello[4] = 9;
    const { step, said } = feed(acceptor(), hello);
    expect(step).to.deep.include({ kind: 'refused', refusal: 'version', theirs: '9' });
    const answer = Buffer.from(said);
    expect(refusal(feed(dialler(), answer).step)).to.deep.equal({ by: 'peer', refusal: 'version' });
    answer[4] = 9;
    expect(refusal(feed(dialler(), answer).step)).to.deep.equal({ by: 'us', refusal: 'version' });
  });

  it('knows strangers by their first byte, and says nothing to them', () => {
    for (const text of ['G', 'PING\r\n', '*1\r\n$4\r\nPING\r\n', '\x16\x03\x01', 'RDYM']) {
      for (const side of [dialler(), acceptor()]) {
        const { step, said } = feed(side, Buffer.from(text, 'latin1'));
        expect(refusal(step)).to.deep.equal({ by: 'us', refusal: 'stranger' });
        expect(said).to.have.length(0);
      }
    }
  });

  it('refuses bytes beyond a message', () => {
    const hello = Buffer.concat([dialler().opening(), Buffer.from('x')]);
    expect(refusal(feed(acceptor(), hello).step)).to.deep.include({ refusal: 'stranger' });
  });

  it('refuses the proofs of another session', () => {
    const old = { dialler: dialler(), acceptor: acceptor() };
    const oldChallenge = feed(old.acceptor, old.dialler.opening()).said;
    const oldResponse = feed(old.dialler, oldChallenge).said;
    const fresh = acceptor();
    feed(fresh, old.dialler.opening());
    expect(refusal(feed(fresh, oldResponse).step)).to.deep.equal({ by: 'us', refusal: 'secret' });
    const replayed = feed(dialler(), oldChallenge).step;
    expect(refusal(replayed)).to.deep.equal({ by: 'us', refusal: 'secret' });
  });

  it('refuses its own proof sent back, with its own nonce and its own id', () => {
    const target = acceptor();
    const probe = dialler().opening();
    const challenge = feed(target, probe).said;
    const ownProof = challenge.subarray(challenge.length - 32);
    const reflected = Buffer.concat([Buffer.from([0]), ownProof]);
    expect(refusal(feed(target, reflected).step)).to.deep.include({ refusal: 'secret' });
    const victim = dialler();
    const hello = victim.opening();
    const nonceAndId = hello.subarray(5, 41);
    const mirror = Buffer.concat([
      hello.subarray(0, 5),
      Buffer.from([0]),
      nonceAndId,
      Buffer.alloc(32),
    ]);
    expect(refusal(feed(victim, mirror).step)).to.deep.include({ by: 'us', refusal: 'secret' });
  });

  it('refuses as soon as one bit of what was said has changed on the way', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('challenge', 'response'),
        fc.nat(),
        fc.integer({ min: 0, max: 7 }),
        (which, at, bit) => {
          const [near, far] = [dialler(), acceptor()];
          const flip = (bytes: Buffer, is: string): Buffer => {
            const changed = Buffer.from(bytes);
            const index = at % changed.length;
            if (is === which) changed[index] = (changed[index] ?? 0) ^ (1 << bit);
            return changed;
          };
          const challenge = flip(feed(far, near.opening()).said, 'challenge');
          const response = feed(near, challenge);
          if (which === 'challenge') expect(response.step.kind).to.equal('refused');
          else expect(feed(far, flip(response.said, which)).step.kind).to.equal('refused');
        },
      ),
      { numRuns: 300 },
    );
  });

  it('never throws, and never ends well, on bytes of a stranger', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (bytes, polite) => {
        const hello = polite ? [dialler().opening()] : [];
        const { step } = feed(acceptor(), Buffer.concat([...hello, bytes]), 40);
        expect(step.kind).to.not.equal('done');
      }),
    );
  });
});
