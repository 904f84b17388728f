/**
 * A dispatch that goes on although the node behind it is another one: an empty node that joins a
 * ring begins again with that ring's key and settings, while its clients stay connected.
 */
import type { Later } from '../base/later.ts';
import { ErrorReply, type Reply } from '../protocol/reply.ts';
import type { Dispatch } from './dispatch.ts';
import type { Session } from './session.ts';

const loading = 'LOADING Redis is loading the dataset in memory';

export class TurningDispatch implements Dispatch {
  /** undefined: between two nodes. */
  #current: Dispatch | undefined;

  constructor(first: Dispatch) {
    this.#current = first;
  }

  /** Refuses what comes until the next node is there; it serves from then on. */
  async turnTo<T extends { readonly dispatch: Dispatch }>(next: Promise<T>): Promise<T> {
    this.#current = undefined;
    const node = await next;
    this.#current = node.dispatch;
    return node;
  }

  overlaps(session: Session, args: readonly Buffer[]): boolean {
    return this.#current?.overlaps(session, args) === true;
  }

  execute(session: Session, args: readonly Buffer[]): Later<Reply> {
    const current = this.#current;
    return current === undefined ? new ErrorReply(loading) : current.execute(session, args);
  }
}
