/** What happened, one line an event: time, node, event; and a hash of it all. */
import { createHash } from 'node:crypto';

export class Trace {
  readonly lines: string[] = [];
  readonly #hash = createHash('sha256');
  readonly #nowMs: () => number;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** `text` is for people. */
  add(node: string, text: string): void {
    const line = `${this.#nowMs().toFixed(3).padStart(10)} ${node.padEnd(6)} ${text}`;
    this.lines.push(line);
    this.#hash.update(line);
  }

  /** Counts in the hash and is not shown. */
  mix(text: string | Buffer): void {
    this.#hash.update(text);
  }

  digest(): string {
    return this.#hash.copy().digest('hex').slice(0, 32);
  }
}
