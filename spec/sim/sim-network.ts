/**
 * A network of machines in one process: byte streams with TCP's promises (in order, once, or not at
 * all) and TCP's failures. Nothing here knows what the bytes mean.
 *
 * A connection is two pipes. What travels in a pipe is a list, and each item of it has a delay of
 * its own; one that is held up holds up those behind it, which then arrive as one chunk. A pipe that
 * has lost bytes delivers nothing more, for ever: TCP cannot skip them.
 *
 * Chunks are borrowed for the turn: when a machine is given its next one, the last is overwritten.
 */
import { ListenError } from '../../lib/runtime/listening.ts';
import type { Random, Timer, Timers } from '../../lib/runtime/ports.ts';
import type { Listener, Socket, SocketEvents, Sockets } from '../../lib/transport/sockets.ts';
import type { PeerAddress } from '../../lib/transport/transport.ts';

export interface SimNetworkOptions {
  /** Whether all machines pass for one. */
  readonly loopback?: boolean;
  /** Of one chunk, in ms; by default some tenths, and 1 % of them 10 to 100 times as long. */
  readonly delayMs?: (random: Random) => number;
}

type Accept = (socket: Socket) => SocketEvents;
type Event = 'open' | 'close' | 'reset' | 'refused';

interface Item {
  readonly what: Event | Buffer;
  isDue: boolean;
}

interface Listening {
  readonly host: string;
  readonly port: number;
  readonly accept: Accept;
}

const chunkBytesMax = 64 * 1024;
/** One chunk in so many comes in two pieces. */
const splitOneIn = 8;
/** What the kernels take of bytes that nobody reads. */
const windowBytes = 4 * 1024 * 1024;
/** Linux gives up a connect that nobody answers after about two minutes. */
const connectTimeoutMs = 127_000;
const ephemeralPort = 32_768;
const poison = 0xdd;

const endReasons = {
  close: 'closed by the other side',
  reset: 'connection reset',
  refused: 'connection refused',
} as const;

class Machine {
  readonly name: string;
  listeners: readonly Listening[] = [];
  readonly ends = new Set<End>();
  isPaused = false;
  /** What reaches the process when it goes on. */
  waiting: (() => void)[] = [];
  lastChunk: Buffer | undefined;

  constructor(name: string) {
    this.name = name;
  }
}

/** What travels from one end of a connection to the other. */
class Pipe {
  readonly from: Machine;
  readonly to: Machine;
  readonly items: Item[] = [];
  isBroken = false;
  /** Handed over and not delivered. */
  bytes = 0;

  constructor(from: Machine, to: Machine) {
    this.from = from;
    this.to = to;
  }
}

/** One end of a connection, as the process sees it. */
class End implements Socket {
  readonly machine: Machine;
  readonly remoteHost: string;
  readonly isLoopback: boolean;
  readonly #network: SimNetwork;
  readonly #out: Pipe;
  /** Undefined: the process does not know of it, or no longer. */
  events: SocketEvents | undefined;
  other: End | undefined;
  isGone = false;
  connectTimer: Timer | undefined;

  constructor(network: SimNetwork, out: Pipe, loopback: boolean) {
    this.#network = network;
    this.#out = out;
    this.machine = out.from;
    this.remoteHost = out.to.name;
    this.isLoopback = loopback;
    this.machine.ends.add(this);
  }

  get out(): Pipe {
    return this.#out;
  }

  get unsentBytes(): number {
    return Math.max(0, this.#out.bytes - windowBytes);
  }

  write(parts: readonly Buffer[]): void {
    if (this.isGone) return;
    for (const part of parts) this.#network.send(this, part);
  }

  destroy(): void {
    if (this.isGone) return;
    this.leave();
    this.#network.sendItem(this, 'close');
  }

  /** The process hears no more of it. */
  leave(): void {
    this.isGone = true;
    this.events = undefined;
    this.connectTimer?.cancel();
    this.machine.ends.delete(this);
  }
}

export class SimNetwork {
  readonly #timers: Timers;
  readonly #random: Random;
  readonly #loopback: boolean;
  readonly #delayMs: (random: Random) => number;
  readonly #machines = new Map<string, Machine>();
  /** `from>to`, by name. */
  readonly #cuts = new Set<string>();
  #lastPort = ephemeralPort;

  /** `timers` are the world's; `random` is a stream of the network's own. */
  constructor(timers: Timers, random: Random, options: SimNetworkOptions = {}) {
    this.#timers = timers;
    this.#random = random;
    this.#loopback = options.loopback ?? true;
    this.#delayMs = options.delayMs ?? longTailed;
  }

  /** The door of the processes that run on this machine. */
  sockets(host: string): Sockets {
    const machine = this.#machine(host);
    return {
      listen: async ({ host: bind, port }, accept) => this.#listen(machine, bind, port, accept),
      connect: (address, events) => this.#connect(machine, address, events),
    };
  }

  /** One more name of a machine. */
  alias(name: string, host: string): void {
    this.#machines.set(name, this.#machine(host));
  }

  /** Sockets that are open there, or being opened. */
  socketsCount(host: string): number {
    return this.#machine(host).ends.size;
  }

  /** From now on nothing gets from one to the other, in silence, nor does what is under way. */
  cut(from: string, to: string): void {
    this.#cuts.add(`${from}>${to}`);
    for (const end of this.#machine(from).ends) {
      if (end.out.to.name === to && end.out.items.length > 0) this.#break(end.out);
    }
  }

  mend(from: string, to: string): void {
    this.#cuts.delete(`${from}>${to}`);
  }

  mendAll(): void {
    this.#cuts.clear();
  }

  /** All connections between the two break, and both sides hear of it. */
  reset(a: string, b: string): void {
    for (const [near, far] of [
      [a, b],
      [b, a],
    ] as const) {
      for (const end of [...this.#machine(near).ends]) {
        if (end.remoteHost === far) this.#breakOff(end);
      }
    }
  }

  /** Its kernel lives, its process stands still (SIGSTOP). */
  pause(host: string): void {
    this.#machine(host).isPaused = true;
  }

  resume(host: string): void {
    const machine = this.#machine(host);
    const { waiting } = machine;
    machine.isPaused = false;
    machine.waiting = [];
    for (const run of waiting) this.#timers.soon(() => this.#enter(machine, run));
  }

  /** The process ends without a word; its kernel resets what it had open. */
  crash(host: string): void {
    const machine = this.#machine(host);
    machine.listeners = [];
    machine.isPaused = false;
    machine.waiting = [];
    for (const end of [...machine.ends]) {
      end.leave();
      const { items } = end.out;
      const kept = this.#random.below(items.length + 1);
      if (!end.out.isBroken && this.#random.below(2) === 0) items.length = kept;
      this.sendItem(end, 'reset');
    }
  }

  send(end: End, bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) {
      let upTo = Math.min(bytes.length, at + chunkBytesMax);
      if (upTo - at > 1 && this.#random.below(splitOneIn) === 0) {
        upTo = at + 1 + this.#random.below(upTo - at - 1);
      }
      this.sendItem(end, Buffer.from(bytes.subarray(at, upTo)));
      at = upTo;
    }
  }

  sendItem(end: End, what: Event | Buffer): void {
    const pipe = end.out;
    if (typeof what !== 'string') pipe.bytes += what.length;
    if (this.#isCut(pipe)) this.#break(pipe);
    if (pipe.isBroken) return;
    const item = { what, isDue: false };
    pipe.items.push(item);
    this.#timers.after(this.#delayMs(this.#random), () => {
      item.isDue = true;
      this.#deliver(end);
    });
  }

  /** Bytes that were lost stay unsent: the sender's kernel keeps them for ever. */
  #break(pipe: Pipe): void {
    pipe.isBroken = true;
    pipe.items.length = 0;
  }

  #enter(machine: Machine, run: () => void): void {
    if (machine.isPaused) machine.waiting.push(run);
    else run();
  }

  /** The first that is due, and with it the bytes right behind it that are due too. */
  #deliver(from: End): void {
    const { items } = from.out;
    const to = from.other;
    if (items[0]?.isDue !== true || to === undefined) return;
    if (to.isGone) this.#deliverToNobody(from);
    else if (to.machine.isPaused) to.machine.waiting.push(() => this.#deliver(from));
    else if (to.events !== undefined) {
      this.#deliverTo(to, items);
      if (items[0]?.isDue === true) this.#timers.soon(() => this.#deliver(from));
    }
  }

  #deliverTo(to: End, items: Item[]): void {
    const what = items.shift()?.what;
    if (what === 'open') {
      to.connectTimer?.cancel();
      to.events?.onOpen();
    } else if (typeof what === 'string') this.#tellEnd(to, endReasons[what]);
    else if (what !== undefined) {
      const bytes = [what];
      for (let next = items[0]; next?.isDue && typeof next.what !== 'string'; next = items[0]) {
        bytes.push(next.what);
        items.shift();
      }
      this.#hand(to, bytes.length === 1 ? what : Buffer.concat(bytes));
    }
  }

  #deliverToNobody(from: End): void {
    const { items } = from.out;
    const expectsSomebody = items.some(({ what }) => typeof what !== 'string' || what === 'open');
    items.length = 0;
    if (expectsSomebody) this.#answerReset(from);
  }

  #hand(end: End, chunk: Buffer): void {
    const { machine, events, other } = end;
    if (other !== undefined) other.out.bytes -= chunk.length;
    machine.lastChunk?.fill(poison);
    machine.lastChunk = chunk;
    events?.onBytes(chunk);
  }

  #tellEnd(end: End, reason: string): void {
    const { events } = end;
    end.leave();
    events?.onClose(reason);
  }

  /** What a kernel says to bytes of a connection that it does not know. */
  #answerReset(end: End): void {
    const { from, to } = end.out;
    if (this.#cuts.has(`${to.name}>${from.name}`)) return;
    this.#timers.after(this.#delayMs(this.#random), () => this.#breakOff(end));
  }

  /** The process hears of it in a turn of its own. */
  #breakOff(end: End): void {
    this.#break(end.out);
    this.#timers.soon(() =>
      this.#enter(end.machine, () => {
        if (!end.isGone) this.#tellEnd(end, 'connection reset');
      }),
    );
  }

  #listen(machine: Machine, host: string, port: number, accept: Accept): Listener {
    const isTaken = machine.listeners.some((other) => other.host === host && other.port === port);
    if (isTaken) throw new ListenError(host, port, 'EADDRINUSE');
    if (port === 0) this.#lastPort += 1;
    const listening = { host, port: port === 0 ? this.#lastPort : port, accept };
    machine.listeners = [...machine.listeners, listening];
    return {
      port: listening.port,
      close: async () => {
        machine.listeners = machine.listeners.filter((other) => other !== listening);
      },
    };
  }

  #connect(from: Machine, { host, port }: PeerAddress, events: SocketEvents): Socket {
    const to = host === '127.0.0.1' || host === 'localhost' ? from : this.#machine(host);
    const near = new End(this, new Pipe(from, to), this.#loopback);
    const far = new End(this, new Pipe(to, from), this.#loopback);
    near.events = events;
    near.other = far;
    far.other = near;
    near.connectTimer = this.#timers.after(connectTimeoutMs, () =>
      this.#enter(from, () => this.#tellEnd(near, 'connect timed out')),
    );
    if (this.#isCut(near.out)) {
      this.#break(near.out);
      far.leave();
    } else {
      this.#timers.after(this.#delayMs(this.#random), () => this.#admit(near, far, port));
    }
    return near;
  }

  /** The kernel takes the connection, whatever its process does. */
  #admit(near: End, far: End, port: number): void {
    if (near.isGone || far.isGone || this.#isCut(near.out)) {
      far.leave();
      return;
    }
    const listening = far.machine.listeners.find((one) => one.port === port);
    if (listening === undefined) {
      this.sendItem(far, 'refused');
      far.leave();
      return;
    }
    this.sendItem(far, 'open');
    this.#enter(far.machine, () => {
      if (far.isGone) return;
      far.events = listening.accept(far);
      this.#timers.soon(() => this.#deliver(near));
    });
  }

  #isCut(pipe: Pipe): boolean {
    return this.#cuts.has(`${pipe.from.name}>${pipe.to.name}`);
  }

  #machine(name: string): Machine {
    const known = this.#machines.get(name);
    if (known !== undefined) return known;
    const machine = new Machine(name);
    this.#machines.set(name, machine);
    return machine;
  }
}

function longTailed(random: Random): number {
  const usualMs = 0.1 + random.below(4000) / 10_000;
  return random.below(100) > 0 ? usualMs : usualMs * (10 + random.below(90));
}
