/**
 * Listening on several addresses, as `bind` writes them: `*`, `::*`, hosts, `-` before optional
 * ones.
 */
import { createServer, type Server, type Socket } from 'node:net';

/** Says in one line what could not be done. */
export class ListenError extends Error {
  constructor(address: string, port: number, reason: string) {
    super(`cannot listen on ${address}:${port}: ${reason}`);
    this.name = 'ListenError';
  }
}

const reasons: ReadonlyMap<unknown, string> = new Map([
  ['EADDRINUSE', 'the port is in use'],
  ['EADDRNOTAVAIL', 'this machine has no such address'],
  ['EAFNOSUPPORT', 'this machine does not support the address family'],
  ['EACCES', 'permission denied'],
  ['ENOTFOUND', 'the name is unknown'],
]);

/** An address with `-` may be absent; a port that is taken is an error all the same. */
const toleratedCodes: ReadonlySet<unknown> = new Set([
  'EADDRNOTAVAIL',
  'EAFNOSUPPORT',
  'ENOTFOUND',
]);

const wildcards: ReadonlyMap<string, string> = new Map([
  ['*', '0.0.0.0'],
  ['::*', '::'],
]);

/**
 * Listens on all of `binds`; port 0 takes one free port for all of them. Rejects with a
 * ListenError, and then listens on none.
 */
export async function listenOnAll(
  binds: readonly string[],
  port: number,
  onConnection: (socket: Socket) => void,
): Promise<{ readonly servers: readonly Server[]; readonly port: number }> {
  const servers: Server[] = [];
  let boundPort = port;
  try {
    for (const bind of binds) {
      const optional = bind.startsWith('-');
      const address = optional ? bind.slice(1) : bind;
      const server = await listen(wildcards.get(address) ?? address, boundPort, optional);
      if (server === undefined) continue;
      server.on('connection', onConnection);
      servers.push(server);
      const bound = server.address();
      if (bound !== null && typeof bound === 'object') boundPort = bound.port;
    }
    if (servers.length === 0) throw new ListenError(binds.join(' '), port, 'no address is there');
  } catch (error) {
    for (const server of servers) server.close();
    throw error;
  }
  return { servers, port: boundPort };
}

/** Undefined: the address is not there, and need not be. */
function listen(host: string, port: number, optional: boolean): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    server.on('error', (error: NodeJS.ErrnoException) => {
      if (optional && toleratedCodes.has(error.code)) resolve(undefined);
      else reject(new ListenError(host, port, reasons.get(error.code) ?? error.message));
    });
    server.listen({ host, port, ipv6Only: true }, () => resolve(server));
  });
}
