/**
 * Servers as their users run them: the built `dist/main.js`, and the real redis-server beside it, each
 * a process with a port and a directory of its own on 127.0.0.1. Whatever happens to a spec, its
 * processes end with it: hooks stop them, and leaving the test process kills the rest.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { root } from './root.ts';

/** As `npm start` and the first line of main.ts have it. */
const nodeFlags = ['--max-semi-space-size=32'];
const entry = join(root, 'dist', 'main.js');
const startTimeoutMs = 15_000;
const alive = new Set<ChildProcess>();
const directories = new Set<string>();
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
});

/** How a process ended; a signal that ended it stands in place of the exit code. */
export interface Exit {
  readonly code: number | NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** One process and what it has said so far. */
export class Child {
  readonly process: ChildProcess;
  readonly exited: Promise<Exit>;
  stdout = '';
  stderr = '';

  constructor(command: string, args: readonly string[], input?: string | Buffer) {
    const child = spawn(command, args, { stdio: 'pipe' });
    this.process = child;
    alive.add(child);
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    this.exited = new Promise((resolve) => {
      child.on('error', (error) => resolve(this.#exit(error.name)));
      child.on('close', (code, signal) => resolve(this.#exit(code ?? signal)));
    });
  }

  /** Resolves with the match when the output contains it; kills the process when it takes too long. */
  said(pattern: RegExp, timeoutMs = startTimeoutMs): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const match = pattern.exec(this.stdout);
        if (match === null) return;
        settle();
        resolve(match);
      };
      const fail = (reason: string): void => {
        settle();
        this.process.kill('SIGKILL');
        reject(new Error(`${reason} before it said ${pattern}\n${this.stdout}${this.stderr}`));
      };
      const timer = setTimeout(() => fail('the time was up'), timeoutMs);
      const settle = (): void => {
        clearTimeout(timer);
        this.process.stdout?.off('data', look);
      };
      this.process.stdout?.on('data', look);
      void this.exited.then(({ code }) => fail(`the process ended (${code})`));
      look();
    });
  }

  kill(signal: NodeJS.Signals): Promise<Exit> {
    this.process.kill(signal);
    return this.exited;
  }

  #exit(code: Exit['code'] | string): Exit {
    alive.delete(this.process);
    const known = typeof code === 'string' && !code.startsWith('SIG') ? null : code;
    return { code: known as Exit['code'], stdout: this.stdout, stderr: this.stderr };
  }
}

/** Runs a program to its end. */
export function run(
  command: string,
  args: readonly string[],
  input?: string | Buffer,
): Promise<Exit> {
  return new Child(command, args, input).exited;
}

/** `redynamo ...args`, by way of other commands (`env`, `ip netns exec`) if a prefix is given. */
export function spawnRedynamo(args: readonly string[], prefix: readonly string[] = []): Child {
  const [command = '', ...rest] = [...prefix, process.execPath, ...nodeFlags, entry, ...args];
  return new Child(command, rest);
}

/** `redynamo ...args` to its end. */
export function runRedynamo(...args: readonly string[]): Promise<Exit> {
  return spawnRedynamo(args).exited;
}

/** Gone when the test process ends. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'redynamo-spec-'));
  directories.add(directory);
  return directory;
}

/** The built server. `dir` outlives restarts and kills, and goes with `remove`. */
export class ServerProcess {
  readonly dir: string;
  #child: Child;
  #port: number;
  #args: readonly string[];

  static start(...args: readonly string[]): Promise<ServerProcess> {
    return ServerProcess.#launch('', args);
  }

  static startWithConf(file: string, ...args: readonly string[]): Promise<ServerProcess> {
    return ServerProcess.#launch(file, args);
  }

  static async #launch(conf: string, args: readonly string[]): Promise<ServerProcess> {
    const dir = temporaryDirectory();
    const line = conf === '' ? args : [conf, ...args];
    const { child, port } = await launch(dir, line);
    return new ServerProcess(dir, child, port, line);
  }

  private constructor(dir: string, child: Child, port: number, args: readonly string[]) {
    this.dir = dir;
    this.#child = child;
    this.#port = port;
    this.#args = args;
  }

  get port(): number {
    return this.#port;
  }

  get pid(): number {
    return this.#child.process.pid ?? 0;
  }

  get child(): Child {
    return this.#child;
  }

  kill(signal: NodeJS.Signals): Promise<Exit> {
    return this.#child.kill(signal);
  }

  /** A clean stop. */
  stop(): Promise<Exit> {
    return this.kill('SIGTERM');
  }

  /** Starts again, on another port, what was stopped or killed; with other arguments if given. */
  async restart(...args: readonly string[]): Promise<void> {
    if (args.length > 0) this.#args = args;
    const { child, port } = await launch(this.dir, this.#args);
    this.#child = child;
    this.#port = port;
  }

  /** Ends it, however it stands, and takes its directory away. */
  async remove(): Promise<void> {
    await this.kill('SIGKILL');
    rmSync(this.dir, { recursive: true, force: true });
  }
}

async function launch(
  dir: string,
  args: readonly string[],
): Promise<{ child: Child; port: number }> {
  const base = ['--port', '0', '--bind', '127.0.0.1', '--dir', dir];
  const child = spawnRedynamo([...args, ...base]);
  const [, port] = await child.said(/"port":(\d+)[^\n]*"msg":"ready to accept connections"/);
  return { child, port: Number(port) };
}

/** redis-server 7 without persistence. */
export class RealRedis {
  readonly port: number;
  readonly child: Child;
  readonly #dir: string;

  static async start(...args: readonly string[]): Promise<RealRedis> {
    const dir = temporaryDirectory();
    const port = await freePort();
    const child = new Child('redis-server', [
      ...['--port', String(port), '--bind', '127.0.0.1', '--dir', dir],
      ...['--save', '', '--appendonly', 'no', '--enable-debug-command', 'yes', ...args],
    ]);
    await child.said(/Ready to accept connections/);
    return new RealRedis(port, child, dir);
  }

  private constructor(port: number, child: Child, dir: string) {
    this.port = port;
    this.child = child;
    this.#dir = dir;
  }

  get pid(): number {
    return this.child.process.pid ?? 0;
  }

  async remove(): Promise<void> {
    await this.child.kill('SIGKILL');
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return address !== null && typeof address === 'object' ? address.port : 0;
}

/** One server for the specs of the surrounding `describe`. */
export function useServer(...args: readonly string[]): () => ServerProcess {
  let server: ServerProcess | undefined;
  before(async () => {
    server = await ServerProcess.start(...args);
  });
  after(() => server?.remove());
  return () => {
    if (server === undefined) throw new Error('the server runs only inside specs');
    return server;
  };
}

const probes: { readonly [tool: string]: readonly [string, ...string[]] } = {
  'redis-cli': ['redis-cli', '--version'],
  'redis-server': ['redis-server', '--version'],
  'redis-benchmark': ['redis-benchmark', '--version'],
  'python3-redis': ['/usr/bin/python3', '-c', 'import redis'],
};

export function isInstalled(tool: string): boolean {
  const [command, ...args] = probes[tool] ?? [tool];
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}

/** A `describe` that is pending, and says why, where the tool is not installed. */
export function describeWith(tool: string, title: string, body: () => void): void {
  if (isInstalled(tool)) describe(title, body);
  else describe(title, () => void it(`skipped: ${tool} is not installed`));
}
