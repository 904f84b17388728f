/**
 * Asks a node, as a client would, how many members it sees up: it answers commands once its ring is
 * there. Whatever goes wrong means: not yet.
 */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { host } from './plan.ts';

const answerTimeoutMs = 1000;
const upMember = /state\r\n(?:\+|\$2\r\n)up\r\n/g;

/** True if nobody listens there, and this process could. */
export async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, host);
    await once(server, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}

/** Whether the node on this port says that `count` members are up. */
export function seesAllUp(port: number, password: string, count: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: answerTimeoutMs });
    const settle = (found: boolean): void => {
      socket.destroy();
      resolve(found);
    };
    let answer = '';
    socket.setEncoding('latin1');
    socket.on('connect', () => {
      if (password !== '') socket.write(request('AUTH', password));
      socket.write(request('DYN.RING', 'STATUS'));
    });
    socket.on('data', (chunk: string) => {
      answer += chunk;
      if (answer.match(upMember)?.length === count) settle(true);
    });
    socket.on('timeout', () => settle(false));
    socket.on('error', () => settle(false));
    socket.on('close', () => settle(false));
  });
}

function request(...words: readonly string[]): string {
  const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
  return `*${words.length}\r\n${parts.join('')}`;
}
