/**
 * Keys and values are borrowed for the call (coordinator.ts): the client's input buffer is used
 * again in the next turn. Whoever cannot decide at once keeps a copy.
 */
import { own } from '../base/bytes.ts';
import type { Update } from '../updates/update.ts';
import type { PutRequest } from './coordinator.ts';

export function ownUpdate(update: Update): Update {
  return 'bytes' in update ? { ...update, bytes: own(update.bytes) } : update;
}

export function ownRequest(request: PutRequest): PutRequest {
  const { value } = request;
  return { ...request, value: value === undefined ? undefined : own(value) };
}
