/** What a `Transport` must do over each kind of `Sockets`. */
import { expect } from 'chai';
import { RedisError, StoreError } from '../../lib/base/errors.ts';
import { Deferred } from '../../lib/base/later.ts';
import { type Frame, FrameReader, FrameWriter } from '../../lib/protocol/peer-frames.ts';
import type { Log, System } from '../../lib/runtime/ports.ts';
import {
  AcceptorHandshake,
  DiallerHandshake,
  handshakeVersion,
} from '../../lib/transport/handshake.ts';
import { PeerTransport, type PeerTransportOptions } from '../../lib/transport/peer-transport.ts';
import type { Listener, Socket, Sockets } from '../../lib/transport/sockets.ts';
import { type PeerAddress, PeerError, type PeerId } from '../../lib/transport/transport.ts';

export interface Machine {
  readonly host: string;
  readonly binds: readonly string[];
  readonly sockets: Sockets;
  readonly system: System;
}

export interface TransportRig {
  machine(index: number): Machine;
  /** Awaits, and lets time pass where it is simulated. */
  run<T>(work: PromiseLike<T> | T): Promise<T>;
  end(): Promise<void>;
}

const mega = 1024 * 1024;
export const secret = 'a secret of all of them';

/** Keeps what was logged, and tells who waits for a line. */
export class LogBook implements Log {
  readonly lines: string[] = [];
  #waiting: { readonly pattern: RegExp; readonly done: Deferred<string> }[] = [];

  debug(message: string, fields?: object): void {
    this.#add('debug', message, fields);
  }
  verbose(message: string, fields?: object): void {
    this.#add('verbose', message, fields);
  }
  notice(message: string, fields?: object): void {
    this.#add('notice', message, fields);
  }
  warning(message: string, fields?: object): void {
    this.#add('warning', message, fields);
  }

  get warnings(): readonly string[] {
    return this.lines.filter((line) => line.startsWith('warning'));
  }

  /** The next line like this. */
  line(pattern: RegExp): Deferred<string> {
    const done = new Deferred<string>();
    this.#waiting.push({ pattern, done });
    return done;
  }

  #add(level: string, message: string, fields: object = {}): void {
    const line = `${level} ${message} ${JSON.stringify(fields)}`;
    this.lines.push(line);
    for (const { pattern, done } of this.#waiting) if (pattern.test(line)) done.settle(line);
  }
}

export class Node {
  readonly machine: Machine;
  readonly log = new LogBook();
  readonly id: Buffer;
  readonly transport: PeerTransport;

  constructor(machine: Machine, options: Partial<PeerTransportOptions> = {}, system?: System) {
    this.machine = machine;
    this.id = machine.system.random.bytes(20);
    const over = { ...(system ?? machine.system), log: this.log };
    this.transport = new PeerTransport(machine.sockets, over, {
      clusterName: 'ring',
      secret,
      binds: machine.binds,
      port: 0,
      frameBytesMax: 32 * mega,
      ...options,
    });
    this.transport.handle(1, ({ body }) => Buffer.from(body));
  }

  get peerId(): PeerId {
    return this.id.toString('hex');
  }

  get address(): PeerAddress {
    return { host: this.machine.host, port: this.transport.port };
  }

  /** Once it is so. */
  connected(to: Node): PromiseLike<void> {
    return this.event(to, 'onConnected', () => this.transport.isConnected(to.peerId));
  }

  disconnected(from: Node): PromiseLike<void> {
    return this.event(from, 'onDisconnected', () => !this.transport.isConnected(from.peerId));
  }

  event(
    other: Node,
    name: 'onConnected' | 'onDisconnected',
    isSo: () => boolean,
  ): PromiseLike<void> {
    const done = new Deferred<void>();
    if (isSo()) done.settle();
    this.transport[name]((peer) => {
      if (peer === other.peerId) done.settle();
    });
    return done;
  }

  async ask(other: Node, text: string, kind = 1, timeoutMs = 5000): Promise<string> {
    const answer = await this.transport.call(other.peerId, kind, Buffer.from(text), timeoutMs);
    return answer.toString();
  }

  /** How a call ends that fails. */
  async failure(other: Node, kind: number, timeoutMs = 5000): Promise<string> {
    return failureOf(this.transport.call(other.peerId, kind, Buffer.alloc(0), timeoutMs));
  }
}

export async function failureOf(call: PromiseLike<Buffer>): Promise<string> {
  try {
    return `answered ${await call}`;
  } catch (error) {
    if (!(error instanceof PeerError)) throw error;
    return error.code === 'refused' ? error.message : error.code;
  }
}

/** What a connection hears until the other side ends it. */
export function stranger(
  from: Machine,
  address: PeerAddress,
  says: readonly Buffer[],
): Deferred<Buffer> {
  const heard: Buffer[] = [];
  const done = new Deferred<Buffer>();
  const socket = from.sockets.connect(address, {
    onOpen: () => socket.write(says),
    onBytes: (bytes) => void heard.push(Buffer.from(bytes)),
    onClose: () => done.settle(Buffer.concat(heard)),
  });
  return done;
}

function frameOf(kind: number, token: number, text: string): Buffer {
  const writer = new FrameWriter();
  writer.write(kind, 1, token, Buffer.from(text));
  return Buffer.concat(writer.take());
}

/** Accepts with a right handshake, and says `bytes` a moment later. */
async function acceptByHand(machine: Machine, bytes: Buffer): Promise<Listener> {
  const { random, hashes, timers } = machine.system;
  const nodeId = random.bytes(20);
  return machine.sockets.listen({ host: machine.host, port: 0 }, (socket) => {
    const party = { nodeId, clusterName: 'ring', secret, nonce: random.bytes(16), hashes };
    const handshake = new AcceptorHandshake(party, () => 1);
    return {
      onOpen: () => undefined,
      onBytes: (chunk) => {
        const step = handshake.receive(chunk);
        socket.write([step.send]);
        if (step.kind === 'done') timers.after(20, () => socket.write([bytes]));
      },
      onClose: () => undefined,
    };
  });
}

/** A peer made by hand: a right handshake, then whatever frames a spec wants. */
class HandMade {
  readonly ready = new Deferred<Socket>();
  readonly closed = new Deferred<string>();
  readonly #reader = new FrameReader(mega);
  readonly #answers: ((frame: Frame) => void)[] = [];

  constructor(from: Machine, to: Node) {
    const { random, hashes } = from.system;
    const nodeId = random.bytes(20);
    const nonce = random.bytes(16);
    const party = { nodeId, clusterName: 'ring', secret, nonce, hashes };
    const handshake = new DiallerHandshake(party);
    const socket = from.sockets.connect(to.address, {
      onOpen: () => socket.write([handshake.opening()]),
      onBytes: (bytes) => {
        if (!this.ready.pending) this.#read(bytes);
        else {
          const step = handshake.receive(bytes);
          if (step.kind === 'done') this.ready.settle(socket);
          else socket.write([step.send]);
        }
      },
      onClose: (reason) => {
        this.ready.fail(new Error(reason));
        this.closed.settle(reason);
      },
    });
  }

  async ask(kind: number, token: number): Promise<string> {
    const socket = await this.ready;
    const answer = new Promise<string>((resolve) => {
      this.#answers.push(({ body }) => resolve(body.toString()));
    });
    socket.write([frameOf(kind, token, 'by hand')]);
    return answer;
  }

  /** How the other side ends it after these bytes. */
  async provoke(bytes: Buffer): Promise<string> {
    (await this.ready).write([bytes]);
    return this.closed;
  }

  async end(): Promise<void> {
    (await this.ready).destroy();
  }

  #read(bytes: Buffer): void {
    this.#reader.push(bytes);
    for (let frame = this.#reader.next(); frame !== undefined; frame = this.#reader.next()) {
      this.#answers.shift()?.(frame);
    }
  }
}

export function transportContract(name: string, make: () => Promise<TransportRig>): void {
  describe(`a transport over ${name}`, () => {
    let rig: TransportRig;
    let nodes: Node[];

    function node(
      index: number,
      options: Partial<PeerTransportOptions> = {},
      system?: System,
    ): Node {
      const made = new Node(rig.machine(index), options, system);
      nodes.push(made);
      return made;
    }

    async function start(index: number, options?: Partial<PeerTransportOptions>): Promise<Node> {
      const made = node(index, options);
      await rig.run(made.transport.start(made.id));
      return made;
    }

    /** Two, of which the first has dialled the second. */
    async function pair(): Promise<readonly [Node, Node]> {
      const [a, b] = [await start(0), await start(1)];
      a.transport.dial(b.address);
      await rig.run(a.connected(b));
      return [a, b];
    }

    beforeEach(async () => {
      rig = await make();
      nodes = [];
    });
    afterEach(async () => {
      for (const { transport } of nodes) await rig.run(transport.stop());
      await rig.end();
    });

    it('tells the port it listens on, and refuses one that is taken in one line', async () => {
      const a = await start(0);
      expect(a.transport.port).to.be.above(0);
      const other = node(0, { port: a.transport.port });
      const failure = await rig.run(
        other.transport.start(other.id).then(
          () => 'started',
          (error: unknown) => (error instanceof Error ? `${error.name}: ${error.message}` : ''),
        ),
      );
      expect(failure).to.match(/^ListenError: cannot listen on .*:\d+: the port is in use$/);
    });

    it('stops as often as it is told to', async () => {
      const [a] = await pair();
      await rig.run(a.transport.stop());
      await rig.run(a.transport.stop());
      expect(a.transport.isConnected(nodes[1]?.peerId ?? '')).to.equal(false);
    });

    it('brings answers to their calls, whatever order they are ready in', async () => {
      const [a, b] = await pair();
      const waiting: Deferred<Buffer>[] = [];
      b.transport.handle(2, () => {
        const answer = new Deferred<Buffer>();
        waiting.push(answer);
        return answer;
      });
      b.transport.handle(3, async ({ body }) => Buffer.from(`promised ${body}`));
      const late = [a.ask(b, '', 2), a.ask(b, '', 2)];
      expect(await rig.run(a.ask(b, 'now'))).to.equal('now');
      expect(await rig.run(a.ask(b, 'me', 3))).to.equal('promised me');
      waiting[1]?.settle(Buffer.from('second'));
      waiting[0]?.settle(Buffer.from('first'));
      expect(await rig.run(Promise.all(late))).to.deep.equal(['first', 'second']);
    });

    it('keeps the order of the requests of one link, of all sizes, many in one turn', async () => {
      const [a, b] = await pair();
      const seen: number[] = [];
      b.transport.handle(2, ({ body, from }) => {
        expect(from).to.equal(a.peerId);
        seen.push(body.readUInt32BE(0));
        return Buffer.alloc(0);
      });
      const calls: Deferred<Buffer>[] = [];
      for (let count = 0; count < 2000; count += 1) {
        const body = Buffer.alloc(count % 100 === 0 ? 50_000 : 4 + (count % 50));
        body.writeUInt32BE(count);
        calls.push(a.transport.call(b.peerId, 2, body, 10_000));
      }
      await rig.run(Promise.all(calls));
      expect(seen).to.deep.equal([...seen.keys()]);
      expect(seen).to.have.length(2000);
    });

    it('carries 20 MB there and back, and refuses what is longer than a frame', async () => {
      const [a, b] = await pair();
      const body = Buffer.alloc(20 * mega);
      for (let at = 0; at < body.length; at += 997) body[at] = at % 251;
      const answer = await rig.run(a.transport.call(b.peerId, 1, body, 20_000));
      expect(answer.equals(body)).to.equal(true);
      b.transport.handle(2, () => Buffer.alloc(32 * mega));
      expect(await rig.run(a.failure(b, 2))).to.equal(
        'ERR the answer is longer than a frame may be',
      );
      const tooLong = a.transport.call(b.peerId, 1, Buffer.alloc(32 * mega), 1000);
      expect(await rig.run(failureOf(tooLong))).to.equal('overloaded');
      expect(await rig.run(a.ask(b, 'still here'))).to.equal('still here');
    });

    it('refuses with the text of the error, thrown or to come', async () => {
      const [a, b] = await pair();
      const failing = (error: Error): Deferred<Buffer> => {
        const answer = new Deferred<Buffer>();
        answer.fail(error);
        return answer;
      };
      b.transport.handle(2, () => {
        throw new RedisError('CLUSTERDOWN thrown');
      });
      b.transport.handle(3, () => failing(new RedisError('CLUSTERDOWN to come')));
      b.transport.handle(4, () => failing(new StoreError('full')));
      expect(await rig.run(a.failure(b, 2))).to.equal('CLUSTERDOWN thrown');
      expect(await rig.run(a.failure(b, 3))).to.equal('CLUSTERDOWN to come');
      expect(await rig.run(a.failure(b, 4))).to.equal('STORE full');
      expect(await rig.run(a.failure(b, 150))).to.equal('ERR unknown request kind 150');
    });

    it('gives a call up at its deadline, and drops the answer that comes later', async () => {
      const [a, b] = await pair();
      const late = new Deferred<Buffer>();
      b.transport.handle(2, () => late);
      const { clock } = a.machine.system;
      const beganAtMs = clock.monotonicMs();
      expect(await rig.run(a.failure(b, 2, 60))).to.equal('timeout');
      expect(clock.monotonicMs() - beganAtMs).to.be.at.least(59);
      late.settle(Buffer.from('too late'));
      expect(await rig.run(a.ask(b, 'next'))).to.equal('next');
    });

    it('cannot reach whom it has no link to', async () => {
      const [a, b] = [await start(0), await start(1)];
      expect(await rig.run(a.failure(b, 1))).to.equal('unreachable');
      expect(a.transport.isConnected(b.peerId)).to.equal(false);
      expect(a.transport.heard(b.peerId)).to.equal(0);
    });

    it('loses in one turn and in order what is under way when the peer stops', async () => {
      const [a, b] = await pair();
      const handled = new Deferred<void>();
      const ends: string[] = [];
      b.transport.handle(2, () => new Deferred<Buffer>());
      b.transport.handle(3, () => {
        handled.settle();
        return new Deferred<Buffer>();
      });
      for (const kind of [2, 2, 2, 3]) {
        const call = a.transport.call(b.peerId, kind, Buffer.alloc(0), 10_000);
        const index = ends.length;
        ends.push('under way');
        call.listen(
          () => undefined,
          (error) => {
            expect(a.transport.isConnected(b.peerId)).to.equal(false);
            expect(ends.slice(0, index)).to.not.include('under way');
            ends[index] = error instanceof PeerError ? error.code : String(error);
          },
        );
      }
      await rig.run(handled);
      const gone = a.disconnected(b);
      await rig.run(b.transport.stop());
      await rig.run(gone);
      expect(ends).to.deep.equal(['lost', 'lost', 'lost', 'lost']);
    });

    it('loses what is under way when it stops itself', async () => {
      const [a, b] = await pair();
      b.transport.handle(2, () => new Deferred<Buffer>());
      const call = a.failure(b, 2);
      await rig.run(a.transport.stop());
      expect(await rig.run(call)).to.equal('lost');
      expect(await rig.run(a.failure(b, 1))).to.equal('unreachable');
    });

    it('dials again for ever, and notices when another node answers there', async () => {
      const [a, b] = await pair();
      for (let life = 0; life < 3; life += 1) {
        const last = nodes.at(-1) ?? b;
        await rig.run(last.transport.stop());
        await rig.run(a.disconnected(last));
        const next = await start(1, { port: b.transport.port });
        await rig.run(a.connected(next));
        expect(a.transport.isConnected(last.peerId)).to.equal(false);
        expect(await rig.run(a.ask(next, 'hello'))).to.equal('hello');
      }
    });

    it('dials who is not there yet, and no longer whom it shall forget', async () => {
      const [a, b] = await pair();
      const { address } = b;
      a.transport.forget(address);
      expect(a.transport.isConnected(b.peerId)).to.equal(false);
      await rig.run(b.transport.stop());
      a.transport.dial(address);
      await rig.run(a.log.line(/no link to a peer/));
      const later = await start(1, { port: address.port });
      await rig.run(a.connected(later));
    });

    it('goes on hearing from a peer that answers', async () => {
      const [a, b] = await pair();
      const before = a.transport.heard(b.peerId);
      await rig.run(a.ask(b, 'x'));
      expect(a.transport.heard(b.peerId)).to.be.above(before);
    });

    it('works in both directions over links of their own', async () => {
      const [a, b] = await pair();
      b.transport.dial(a.address);
      await rig.run(b.connected(a));
      const both = Promise.all([a.ask(b, 'to b'), b.ask(a, 'to a')]);
      expect(await rig.run(both)).to.deep.equal(['to b', 'to a']);
      a.transport.forget(b.address);
      expect(await rig.run(b.ask(a, 'still'))).to.equal('still');
    });

    it('does not dial itself again', async () => {
      const a = await start(0);
      const noticed = new Deferred<PeerAddress>();
      a.transport.onOwnAddress((address) => noticed.settle(address));
      a.transport.dial(a.address);
      expect(await rig.run(noticed)).to.deep.equal(a.address);
      expect(a.transport.isConnected(a.peerId)).to.equal(false);
      expect(a.log.warnings).to.deep.equal([]);
    });

    it('makes no more calls, and handles no more requests, than it has room for', async () => {
      const [a, b] = await pair();
      b.transport.handle(2, () => new Deferred<Buffer>());
      const calls: Promise<string>[] = [];
      for (let count = 0; count < 20_001; count += 1) calls.push(a.failure(b, 2, 1500));
      expect(await rig.run(calls.at(-1))).to.equal('overloaded');
      calls.pop();
      expect(new Set(await rig.run(Promise.all(calls)))).to.deep.equal(new Set(['timeout']));
      expect(await rig.run(a.failure(b, 1))).to.match(/^BUSY /);
    });

    it('refuses a request that carries an old token, before its handler', async () => {
      const machine = rig.machine(1);
      const { clock } = machine.system;
      const ahead = { ...clock, monotonicMs: () => clock.monotonicMs() + 200_000 };
      const b = node(1, {}, { ...machine.system, clock: ahead });
      const ages: number[] = [];
      b.transport.handle(2, ({ ageMs }) => {
        ages.push(ageMs);
        return Buffer.from('handled');
      });
      await rig.run(b.transport.start(b.id));
      const peer = new HandMade(rig.machine(0), b);
      const nowMs = Math.floor(ahead.monotonicMs());
      expect(await rig.run(peer.ask(2, 0))).to.equal('ERR stale request');
      expect(await rig.run(peer.ask(2, nowMs - 30_000))).to.equal('handled');
      expect(await rig.run(peer.ask(2, nowMs + 30_000))).to.equal('handled');
      expect(ages[0]).to.be.within(30_000, 50_000);
      expect(ages[1]).to.equal(0);
      await rig.run(peer.end());
    });

    it('ends the link of a peer that breaks the protocol after its proof', async () => {
      const [a, b] = await pair();
      const tooLong = Buffer.alloc(15);
      tooLong.writeUInt32BE(2 ** 32 - 1);
      for (const [bytes, line] of [
        [tooLong, /broke the protocol: a frame is too long/],
        [Buffer.alloc(15), /broke the protocol: a frame is too short/],
        [frameOf(201, 0, ''), /broke the protocol: kind 201 is no request/],
      ] as const) {
        await rig.run(new HandMade(rig.machine(2), b).provoke(bytes));
        expect(b.log.warnings.at(-1)).to.match(line);
      }
      expect(await rig.run(a.ask(b, 'unmoved'))).to.equal('unmoved');
    });

    it('ends a link over which something else than answers comes', async () => {
      const a = await start(0);
      const machine = rig.machine(2);
      const listener = await acceptByHand(machine, frameOf(7, 1, 'a request'));
      const told = a.log.line(/broke the protocol: kind 7 is no answer/);
      const address = { host: machine.host, port: listener.port };
      a.transport.dial(address);
      await rig.run(told);
      a.transport.forget(address);
      await rig.run(listener.close());
    });

    describe('and strangers', () => {
      /** Each reason is logged once although it happens again; the ring goes on. */
      async function isRefused(a: Node, b: Node, attempt: () => Promise<void>, line: RegExp) {
        await Promise.all([attempt(), attempt()]);
        expect(b.log.warnings).to.satisfy((lines: string[]) =>
          lines.every((one) => line.test(one)),
        );
        expect([...new Set(b.log.warnings)]).to.deep.equal(b.log.warnings).and.not.be.empty;
        expect(await rig.run(a.ask(b, 'unmoved'))).to.equal('unmoved');
      }

      for (const [what, options, line] of [
        ['another secret', { secret: 'guessed' }, /the peer-secrets differ/],
        ['no secret', { secret: '' }, /the peer-secrets differ/],
        ['another cluster-name', { clusterName: 'other' }, /the cluster-names differ.*"other"/],
      ] as const) {
        it(`refuses a node with ${what}; both logs say why, once`, async () => {
          const [a, b] = await pair();
          let handled = 0;
          b.transport.handle(2, () => {
            handled += 1;
            return Buffer.alloc(0);
          });
          const attempt = async (): Promise<void> => {
            const other = await start(2, options);
            const told = other.log.line(/peer-secrets differ|cluster-names differ/);
            other.transport.dial(b.address);
            await rig.run(told);
            expect(await rig.run(other.failure(b, 2))).to.equal('unreachable');
            await rig.run(other.transport.stop());
          };
          await isRefused(a, b, attempt, line);
          expect(handled).to.equal(0);
        });
      }

      it('does not take a node with another secret for a peer when it is the dialler', async () => {
        const [a] = await pair();
        const other = await start(2, { secret: 'guessed' });
        const told = a.log.line(/secrets differ/);
        a.transport.dial(other.address);
        await rig.run(told);
        expect(a.transport.isConnected(other.peerId)).to.equal(false);
        expect(other.log.warnings.length).to.be.at.most(1);
      });

      const hello = Buffer.concat([
        Buffer.from([...Buffer.from('RDYN'), handshakeVersion]),
        Buffer.alloc(36, 7),
        Buffer.from('\x04ring', 'latin1'),
      ]);
      const request = frameOf(2, 0, 'do it');
      const wrongProof = Buffer.alloc(33);
      for (const [what, says, line] of [
        ['noise', [Buffer.alloc(3000, 0x9c)], /does not speak the peer protocol/],
        ['a Redis client', [Buffer.from('*1\r\n$4\r\nPING\r\n')], /does not speak/],
        ['another version', [Buffer.from('RDYN\x09hello')], /versions .* differ .*"9"/],
        ['a frame instead of a handshake', [request], /does not speak/],
        ['a frame behind the hello', [hello, request], /does not speak|did not finish/],
        ['somebody who only says hello', [hello], /did not finish the handshake/],
      ] as const) {
        it(`end with ${what}`, async () => {
          const [a, b] = await pair();
          let handled = 0;
          b.transport.handle(2, () => {
            handled += 1;
            return Buffer.alloc(0);
          });
          const attempt = async (): Promise<void> => {
            const heard = await rig.run(stranger(rig.machine(2), b.address, says));
            expect(heard.includes('ring')).to.equal(false);
          };
          await isRefused(a, b, attempt, line);
          expect(handled).to.equal(0);
        });
      }

      it('end with a wrong proof, even with a frame behind it', async () => {
        const [a, b] = await pair();
        let handled = 0;
        b.transport.handle(2, () => {
          handled += 1;
          return Buffer.alloc(0);
        });
        for (const behind of [Buffer.alloc(0), request]) {
          const done = new Deferred<void>();
          let asked = false;
          const socket = rig.machine(2).sockets.connect(b.address, {
            onOpen: () => socket.write([hello]),
            onBytes: () => {
              if (!asked) socket.write([Buffer.concat([wrongProof, behind])]);
              asked = true;
            },
            onClose: () => done.settle(),
          });
          await rig.run(done);
        }
        expect(handled).to.equal(0);
        expect(b.log.warnings).to.have.length(2);
        expect(b.log.warnings[0]).to.match(/secrets differ/);
        expect(await rig.run(a.ask(b, 'unmoved'))).to.equal('unmoved');
      });
    });
  });
}
