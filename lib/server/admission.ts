/** Who is turned away before saying anything, and what they are told. Texts begin as Redis' do. */
import { isIP } from 'node:net';
import type { Settings } from '../commands/ports.ts';

export const tooManyClients = 'ERR max number of clients reached';

export const protectedMode =
  'DENIED Redis is running in protected mode because protected mode is enabled and no ' +
  'password is set for the default user. In this mode connections are only accepted from ' +
  'the loopback interface. To connect from other computers do one of these: 1) set a ' +
  "password with requirepass; 2) send 'CONFIG SET protected-mode no' from the computer " +
  'that the server runs on, after making sure that no stranger can reach it; 3) put ' +
  "'protected-mode no' into the configuration file, or '--protected-mode no' on the " +
  'command line, and restart.';

/** The error for a new connection that is not let in; undefined: welcome. */
export function refusal(
  settings: Settings,
  clientsCount: number,
  peerAddress: string,
): string | undefined {
  if (clientsCount >= settings.number('maxclients')) return tooManyClients;
  const open = settings.text('requirepass') === '' && settings.number('protected-mode') === 1;
  return open && !isLoopback(peerAddress) ? protectedMode : undefined;
}

/** 127.0.0.0/8 or ::1, also in the form that a dual-stack socket shows; unknown is not. */
export function isLoopback(address: string): boolean {
  const plain = address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address;
  return plain === '::1' || (isIP(plain) === 4 && plain.startsWith('127.'));
}
