/**
 * The data commands on a workbench: a `Frame` with one client. Requests are overwritten in the next
 * turn, as the read buffer of a socket is, so a handler that keeps borrowed bytes is found out.
 */
import { expect } from 'chai';
import type { Session } from '../../lib/commands/session.ts';
import { Frame, plain } from './fake-ports.ts';
import type { MemoryCoordinator } from './memory-coordinator.ts';

export type Argument = string | number | Buffer;

export class CommandBench {
  readonly frame: Frame;
  readonly session: Session;

  constructor(options: { readonly n?: number } = {}) {
    this.frame = new Frame(options);
    this.session = this.frame.connect();
  }

  get coordinator(): MemoryCoordinator {
    return this.frame.coordinator;
  }

  get nowMs(): number {
    return this.frame.time.wallMs();
  }

  run(...args: readonly Argument[]): Promise<unknown> {
    return this.runOn(this.session, ...args);
  }

  async runOn(session: Session, ...args: readonly Argument[]): Promise<unknown> {
    const request = args.map((arg) => (Buffer.isBuffer(arg) ? Buffer.from(arg) : bytesOf(arg)));
    const reply = this.frame.dispatcher.execute(session, request);
    setImmediate(() => {
      for (const bytes of request) bytes.fill('#');
    });
    return plain(await reply);
  }

  /** Runs commands written as lines, `""` being the empty word, and checks each answer. */
  async answers(script: readonly (readonly [line: string, answer: unknown])[]): Promise<void> {
    for (const [line, answer] of script) {
      const words = line.split(' ').map((word) => (word === '""' ? '' : word));
      expect(await this.run(...words), line).to.deep.equal(answer);
    }
  }
}

function bytesOf(word: string | number): Buffer {
  return Buffer.from(String(word), 'latin1');
}
