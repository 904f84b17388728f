/** What an operation looks like on the wire, and what its answer says of it. */
import type { Word } from './sim-connection.ts';
import type { Operation } from './workload.ts';

export type State = 'open' | 'acknowledged' | 'refused' | 'uncertain';

export const waitTimeoutMs = 50;
const rangePlaces = 4;

/** Those of one request; EXCHANGE and SCAN take several and make them as they go. */
export function wordsOf(operation: Operation, context: string): readonly Word[] {
  const { id, kind, key, other, ttlMs } = operation;
  const value = `v${id}.`;
  switch (kind) {
    case 'get':
    case 'del':
    case 'getdel':
    case 'incr':
    case 'exchange':
      return [kind, key];
    case 'mget':
      return [kind, key, other];
    case 'set':
    case 'setnx':
      return [kind, key, value];
    case 'append':
      return [kind, key, `<${id}>`];
    case 'setrange':
      return [kind, key, (id % rangePlaces) * 8, `<${String(id).padStart(6, '0')}>`];
    case 'expire':
      return ['pexpire', key, ttlMs];
    case 'mset':
    case 'msetnx':
      return [kind, key, value, other, value];
    case 'rename':
    case 'copy':
      return kind === 'copy' ? [kind, key, other, 'replace'] : [kind, key, other];
    case 'wait':
      return [kind, 1 + (id % 3), waitTimeoutMs];
    case 'scan':
      return [kind, 0, 'count', 1 + (id % 5)];
    case 'keys':
      return [kind, '*'];
    case 'dyn-get':
      return ['dyn.get', key];
    case 'dyn-put':
      return ['dyn.put', key, context, value];
    case 'dyn-del':
      return ['dyn.del', key, context];
    case 'flush':
      return ['flushdb'];
  }
}

/** Keys that an operation gives a value of its own. */
export function writtenBy({ kind, key, other }: Operation): readonly string[] {
  switch (kind) {
    case 'set':
    case 'setnx':
    case 'append':
    case 'setrange':
    case 'dyn-put':
    case 'exchange':
      return [key];
    case 'mset':
    case 'msetnx':
      return [key, other];
    default:
      return [];
  }
}

/** Keys that an operation may change, in whatever way. */
export function changedBy(operation: Operation): readonly string[] {
  const { kind, key, other } = operation;
  switch (kind) {
    case 'get':
    case 'mget':
    case 'wait':
    case 'scan':
    case 'keys':
    case 'dyn-get':
    case 'flush':
      return [];
    case 'rename':
      return [key, other];
    case 'copy':
      return [other];
    case 'mset':
    case 'msetnx':
      return [key, other];
    default:
      return [key];
  }
}

/** A batch that another node runs has so many times as long as one request. */
const roundsOfBatch = 4;

/** How many times as long as one of the ring's own requests it may take. */
export function stepsOf({ kind, together }: Operation, tracks: boolean): number {
  if (together === 'exec' || kind === 'msetnx') return roundsOfBatch;
  switch (kind) {
    // TRACK takes one key after the other, and deletes while nobody else touches the slot.
    case 'mget':
    case 'mset':
      return tracks ? 2 : 1;
    case 'del':
    case 'getdel':
      return tracks ? roundsOfBatch : 1;
    case 'rename':
    case 'copy':
      return 3;
    case 'exchange':
      return 2 + roundsOfBatch;
    default:
      return 1;
  }
}

export function isError(reply: unknown): reply is string {
  return typeof reply === 'string' && /^-[A-Z]/.test(reply);
}

export function stateFor({ kind }: Operation, reply: unknown): State {
  if (isError(reply)) return reply.startsWith('-UNCERTAIN') ? 'uncertain' : 'refused';
  const isNo = (kind === 'setnx' || kind === 'msetnx') && reply === 0;
  return isNo || (kind === 'exchange' && reply === '*nil') ? 'refused' : 'acknowledged';
}

export function shown(reply: unknown): string {
  const text = JSON.stringify(reply) ?? 'nothing';
  return text.length > 200 ? `${text.slice(0, 200)}...` : text;
}

export function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
