/**
 * Listening on several addresses, as the words of `bind` have it: `*` (all of IPv4), `::*` (all of
 * IPv6), hosts, and `-` before one that need not be there. For clients and for peers alike; who
 * listens says how.
 */
const reasons: ReadonlyMap<string, string> = new Map([
  ['EADDRINUSE', 'the port is in use'],
  ['EADDRNOTAVAIL', 'this machine has no such address'],
  ['EAFNOSUPPORT', 'this machine does not support the address family'],
  ['EACCES', 'permission denied'],
  ['ENOTFOUND', 'the name is unknown'],
]);

/** An address with `-` may be absent; a port that is taken is an error all the same. */
const absentCodes: ReadonlySet<string> = new Set(['EADDRNOTAVAIL', 'EAFNOSUPPORT', 'ENOTFOUND']);

const wildcards: ReadonlyMap<string, string> = new Map([
  ['*', '0.0.0.0'],
  ['::*', '::'],
]);

/** Says in one line what could not be done. */
export class ListenError extends Error {
  readonly code: string;

  /** `reason` stands for a code that is not in the table. */
  constructor(host: string, port: number, code: string, reason: string = code) {
    super(`cannot listen on ${host}:${port}: ${reasons.get(code) ?? reason}`);
    this.name = 'ListenError';
    this.code = code;
  }
}

interface Listening {
  readonly port: number;
  close(): unknown;
}

/**
 * Listens on all of `binds`; port 0 takes one free port for all of them. Rejects with a
 * ListenError, and then listens on none.
 */
export async function listenOnAll<T extends Listening>(
  binds: readonly string[],
  port: number,
  listen: (host: string, port: number) => Promise<T>,
): Promise<{ readonly listeners: readonly T[]; readonly port: number }> {
  const listeners: T[] = [];
  let boundPort = port;
  for (const bind of binds) {
    const optional = bind.startsWith('-');
    const address = optional ? bind.slice(1) : bind;
    try {
      const listener = await listen(wildcards.get(address) ?? address, boundPort);
      listeners.push(listener);
      boundPort = listener.port;
    } catch (error) {
      if (optional && error instanceof ListenError && absentCodes.has(error.code)) continue;
      for (const listener of listeners) listener.close();
      throw error;
    }
  }
  if (listeners.length === 0) {
    throw new ListenError(binds.join(' '), port, 'none', 'no address is there');
  }
  return { listeners, port: boundPort };
}
