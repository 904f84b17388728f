/**
 * Clients that go on, whatever happens to the ring: each connection sends one command at a time, in
 * a steady beat, and writes down what came of it. SET writes every key once, with a value that
 * follows from the key, so what must be there afterwards is known exactly: whatever was
 * acknowledged. A key whose write failed in doubt is asked for no more.
 */
export type LoadCommand = 'SET' | 'GET' | 'INCR' | 'DEL' | 'DYN.PUT';

/** What it asks of a client: one of a node, or of a whole cluster. */
export interface Connection {
  set(key: string, value: string): Promise<unknown>;
  get(key: string): Promise<string | null>;
  del(key: string): Promise<number>;
  incr(key: string): Promise<number>;
  call(command: string, ...args: string[]): Promise<unknown>;
  disconnect(): void;
}

export interface Sample {
  readonly command: LoadCommand;
  /** Index of the node that the client is connected to. */
  readonly node: number;
  /** When it was sent: ms since the load began. */
  readonly atMs: number;
  readonly ms: number;
  /** First word of the error; empty: it succeeded. */
  readonly error: string;
}

export interface LoadOptions {
  readonly connections: number;
  /** One command of each connection so often, or as soon as the one before is answered. */
  readonly everyMs: number;
  /** Drawn from, evenly. */
  readonly commands: readonly LoadCommand[];
}

/** Refused before anything was sent: it has certainly not happened (DESIGN 2.5). */
const refusals: ReadonlySet<string> = new Set(['CLUSTERDOWN', 'ERR', 'BUSY']);

export function contentOf(key: string): string {
  return `value of ${key}`;
}

export class SteadyLoad {
  readonly samples: Sample[] = [];
  /** Answers that no order of the writes explains. */
  readonly wrong: string[] = [];
  readonly #clients: readonly LoadClient[];
  readonly #options: LoadOptions;
  readonly #beganMs = performance.now();
  #isOver = false;
  #workers: Promise<unknown> = Promise.resolve();

  constructor(nodes: readonly { connect(): Connection }[], options: LoadOptions) {
    this.#options = options;
    this.#clients = Array.from({ length: options.connections }, (_, index) => {
      const node = index % nodes.length;
      const connection = nodes[node]?.connect();
      if (connection === undefined) throw new Error('a load needs nodes');
      return new LoadClient(`c${index}`, node, connection, this.wrong);
    });
  }

  get nowMs(): number {
    return performance.now() - this.#beganMs;
  }

  /** Keys whose SET was acknowledged and that nobody has tried to delete. */
  get acknowledged(): string[] {
    return this.#clients.flatMap(({ keys }) => keys);
  }

  get counters(): readonly {
    readonly key: string;
    readonly least: number;
    readonly most: number;
  }[] {
    return this.#clients.map(({ counter }) => counter);
  }

  start(): this {
    this.#workers = Promise.all(this.#clients.map((client) => this.#work(client)));
    return this;
  }

  /** Settles when the last answer is there. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#workers;
    for (const { connection } of this.#clients) connection.disconnect();
  }

  async #work(client: LoadClient): Promise<void> {
    const { commands, everyMs } = this.#options;
    while (!this.#isOver) {
      const command = commands[Math.floor(Math.random() * commands.length)] ?? 'GET';
      const atMs = this.nowMs;
      const error = await client.run(command);
      const ms = this.nowMs - atMs;
      this.samples.push({ command, node: client.node, atMs, ms, error });
      if (ms < everyMs) await new Promise((resolve) => setTimeout(resolve, everyMs - ms));
    }
  }
}

class LoadClient {
  readonly node: number;
  readonly connection: Connection;
  readonly keys: string[] = [];
  readonly counter: { readonly key: string; least: number; most: number };
  readonly #name: string;
  readonly #wrong: string[];
  #written = 0;
  #context = '';

  constructor(name: string, node: number, connection: Connection, wrong: string[]) {
    this.#name = name;
    this.node = node;
    this.connection = connection;
    this.counter = { key: `${name}:counter`, least: 0, most: 0 };
    this.#wrong = wrong;
  }

  /** The first word of the error, or empty. */
  async run(command: LoadCommand): Promise<string> {
    try {
      await this.#send(command);
      return '';
    } catch (error) {
      return errorWord(error);
    }
  }

  async #send(command: LoadCommand): Promise<void> {
    switch (command) {
      case 'SET':
        return this.#set();
      case 'GET':
        return this.#get();
      case 'INCR':
        return this.#increment();
      case 'DEL':
        return this.#delete();
      case 'DYN.PUT':
        return this.#put();
      default:
        command satisfies never;
    }
  }

  async #set(): Promise<void> {
    this.#written += 1;
    const key = `${this.#name}:${this.#written}`;
    await this.connection.set(key, contentOf(key));
    this.keys.push(key);
  }

  async #get(): Promise<void> {
    const key = this.keys[Math.floor(Math.random() * this.keys.length)];
    if (key === undefined) return;
    const found = await this.connection.get(key);
    if (found !== contentOf(key)) this.#wrong.push(`GET ${key} answered ${found}`);
  }

  async #delete(): Promise<void> {
    const key = this.keys.shift();
    if (key === undefined) return;
    await this.connection.del(key);
    const found = await this.connection.get(key);
    if (found !== null) this.#wrong.push(`GET ${key} answered ${found} after DEL`);
  }

  /** Under the context of the write before, so that siblings do not pile up. */
  async #put(): Promise<void> {
    const key = `${this.#name}:dyn`;
    this.#context = String(await this.connection.call('DYN.PUT', key, this.#context, 'x'));
  }

  async #increment(): Promise<void> {
    this.counter.most += 1;
    try {
      const found = await this.connection.incr(this.counter.key);
      this.counter.least += 1;
      const { least, most } = this.counter;
      if (found < least || found > most) {
        this.#wrong.push(`INCR answered ${found}, not ${least}..${most}`);
      }
    } catch (error) {
      if (refusals.has(errorWord(error))) this.counter.most -= 1;
      throw error;
    }
  }
}

/** `UNCERTAIN acknowledged by ...` -> UNCERTAIN; a lost connection has no code. */
export function errorWord(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return /^([A-Z]+) /.exec(text)?.[1] ?? 'CONNECTION';
}

export function slowest(samples: readonly Sample[]): number {
  return samples.reduce((worst, { ms }) => Math.max(worst, ms), 0);
}

/** `SET UNCERTAIN x 3`, one for each command and error that occurred. */
export function errorsOf(samples: readonly Sample[]): string[] {
  const counts = new Map<string, number>();
  for (const { command, error } of samples) {
    if (error === '') continue;
    const name = `${command} ${error}`;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return [...counts].map(([name, count]) => `${name} x ${count}`);
}
