/**
 * What a client is told when a command fails. Handlers throw (or their Later fails with) a
 * RedisError, whose text is the answer; the storage throws StoreErrors, which get a clear text
 * here. Everything else is a fault of this program and is not answered: it stops the node.
 */
import { RedisError, StoreError, type StoreErrorCode } from '../base/errors.ts';
import { ErrorReply } from '../protocol/reply.ts';

export const noAuth = 'NOAUTH Authentication required.';
export const notInMulti = 'ERR Command not allowed inside a transaction';
export const abortedByErrors = 'EXECABORT Transaction discarded because of previous errors.';
export const crossSlot = "CROSSSLOT Keys in request don't hash to the same slot";
export const clusterDisabled = 'ERR This instance has cluster support disabled';

/** Of commands that need a second database. */
export function notInCluster(command: string): string {
  return `ERR ${command} is not allowed in cluster mode`;
}

/** Redis cuts what it quotes of an unknown command. */
const quotedBytesMax = 128;

export function wrongArgumentCount(command: string): string {
  return `ERR wrong number of arguments for '${command}' command`;
}

/** Each argument in quotes with a space behind it, so the text ends in a space, as in Redis. */
export function unknownCommand(args: readonly Buffer[]): string {
  let quoted = '';
  let quotedBytes = 0;
  for (const argument of args.slice(1)) {
    if (quotedBytes >= quotedBytesMax) break;
    const shown = argument.subarray(0, quotedBytesMax - quotedBytes);
    quoted += `'${shown}' `;
    quotedBytes += shown.length + 3;
  }
  return `ERR unknown command '${cut(args[0])}', with args beginning with: ${quoted}`;
}

export function unknownSubcommand(parent: string, subcommand: Buffer | undefined): string {
  return `ERR unknown subcommand '${cut(subcommand)}'. Try ${parent.toUpperCase()} HELP.`;
}

function cut(text: Buffer | undefined): string {
  return text?.subarray(0, quotedBytesMax).toString() ?? '';
}

const storeErrorTexts: { readonly [code in StoreErrorCode]: (reason: string) => string } = {
  locked: dataDirectory,
  'cannot-open': dataDirectory,
  format: dataDirectory,
  corrupt: () => 'CLUSTERDOWN need 1 replica, 0 usable: the record is corrupt here',
  fenced: dataDirectory,
  unknown: () => 'UNCERTAIN acknowledged by 0 of 1, the disk failed during the write',
  full: dataDirectory,
  io: (reason) => `ERR the storage failed to read: ${reason}`,
  closed: () => 'ERR server is shutting down',
};

function dataDirectory(reason: string): string {
  return (
    `MISCONF Errors writing to the data directory: ${reason}. ` +
    'Writes are refused until it has been reopened and checked; reads go on'
  );
}

/** The answer to a failure; rethrows what no client may be told. */
export function errorReply(error: unknown): ErrorReply {
  if (error instanceof RedisError) return new ErrorReply(error.message);
  if (error instanceof StoreError)
    return new ErrorReply(storeErrorTexts[error.code](error.message));
  throw error;
}
