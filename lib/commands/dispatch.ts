/**
 * The seam between a connection and the commands: whole requests go in, replies come out. The
 * server knows nothing else of the floors below it, and the simulator's clients call the same two
 * methods.
 */
import type { Later } from '../base/later.ts';
import type { Reply } from '../protocol/reply.ts';
import type { Session } from './session.ts';

/**
 * Beyond so many arguments a request is large: it runs in slices of so many keys, with room for
 * others in between, so it does not overlap, and its bytes are copied when it is admitted.
 */
export const largeRequestArguments = 1024;

export interface Dispatch {
  /**
   * True: this request may start while earlier ones of its connection are unanswered. Any other
   * starts when all earlier ones are answered, and nothing starts until it is answered itself.
   */
  overlaps(session: Session, args: readonly Buffer[]): boolean;
  /**
   * Starts one request. Never throws and never fails: what goes wrong is an ErrorReply. Only a
   * fault of this program (AssertionFailure) comes through, and stops the node.
   */
  execute(session: Session, args: readonly Buffer[]): Later<Reply>;
}
