/** One node of the local ring: a child process, its log line by line, and its end. */
import { type ChildProcess, spawn } from 'node:child_process';
import { LineSplitter } from './log-line.ts';
import type { NodePlan } from './plan.ts';

/** As the first line of main.ts has it. */
const nodeFlags = ['--max-semi-space-size=32'];
/** A node stops within 5 s by itself. */
const stopTimeoutMs = 8000;

export interface NodeProcessEvents {
  onLine(node: NodeProcess, line: string): void;
  /** `how`: its exit code or the signal that ended it. Comes once, after all lines. */
  onEnd(node: NodeProcess, how: number | string): void;
}

export class NodeProcess {
  readonly plan: NodePlan;
  readonly #child: ChildProcess;
  #ended = false;
  #killer: NodeJS.Timeout | undefined;

  /** `entry` is the built main.js. */
  constructor(plan: NodePlan, entry: string, events: NodeProcessEvents) {
    this.plan = plan;
    const child = spawn(process.execPath, [...nodeFlags, entry, ...plan.args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      const lines = new LineSplitter((line) => events.onLine(this, line));
      stream.setEncoding('utf8').on('data', (chunk: string) => lines.take(chunk));
      stream.on('end', () => lines.finish());
    }
    const end = (how: number | string): void => {
      if (this.#ended) return;
      this.#ended = true;
      clearTimeout(this.#killer);
      events.onEnd(this, how);
    };
    child.on('error', (error) => end(error.message));
    child.on('close', (code, signal) => end(code ?? signal ?? 'unknown'));
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get hasEnded(): boolean {
    return this.#ended;
  }

  /** Cleanly; a node that is paused goes on in order to stop. Idempotent. */
  stop(): void {
    if (this.#ended || this.#killer !== undefined) return;
    this.#killer = setTimeout(() => this.#child.kill('SIGKILL'), stopTimeoutMs);
    this.#child.kill('SIGTERM');
    this.#child.kill('SIGCONT');
  }
}
