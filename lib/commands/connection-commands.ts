/**
 * Commands about the connection itself: who the client is, which protocol and database it speaks
 * to. Texts and order of the checks as in Redis 7.
 */
import { RedisError, syntaxError } from '../base/errors.ts';
import { MapReply, ok, pong, type Reply, SimpleString } from '../protocol/reply.ts';
import { databaseIndex, integerWithin, isWord, Options } from './arguments.ts';
import { checkClientText } from './client-commands.ts';
import type { Call, Command } from './command.ts';
import { notInCluster, wrongArgumentCount } from './errors.ts';
import { redisVersion } from './info.ts';
import { isCluster } from './ports.ts';
import { leaveTransaction } from './transactions.ts';

const wrongPassword = 'WRONGPASS invalid username-password pair or user is disabled.';
const noPasswordConfigured =
  'ERR AUTH <password> called without any password configured for the default user. ' +
  'Are you sure your configuration is correct?';
const helloNeedsAuth =
  'NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO ' +
  'AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol ' +
  'version at the same time';

const notAProtocol = 'ERR Protocol version is not an integer or out of range';

const defaultUser = Buffer.from('default');

/** Lets the connection in, or throws. Digests are compared, so the time taken tells nothing. */
function authenticate({ session, ports }: Call, user: Buffer, password: Buffer): void {
  const { hashes } = ports.system;
  const wanted = ports.settings.text('requirepass');
  const right =
    wanted === '' || hashes.equal(hashes.sha256(Buffer.from(wanted)), hashes.sha256(password));
  if (!user.equals(defaultUser) || !right) throw new RedisError(wrongPassword);
  session.authenticated = true;
}

function auth(call: Call, args: readonly Buffer[]): Reply {
  const [, first, second] = args;
  if (first === undefined || args.length > 3) throw new RedisError(syntaxError);
  if (second === undefined && call.ports.settings.text('requirepass') === '') {
    throw new RedisError(noPasswordConfigured);
  }
  if (second === undefined) authenticate(call, defaultUser, first);
  else authenticate(call, first, second);
  return ok;
}

function protocolOf(argument: Buffer): 2 | 3 {
  const version = integerWithin(argument, -Infinity, Infinity, notAProtocol);
  if (version === 2 || version === 3) return version;
  throw new RedisError('NOPROTO unsupported protocol version');
}

/**
 * HELLO [protover [AUTH user password] [SETNAME name]]: nothing changes unless all of it is right.
 */
function hello(call: Call, args: readonly Buffer[]): Reply {
  const { session, ports } = call;
  const protocol = args[1] === undefined ? undefined : protocolOf(args[1]);
  let name: string | undefined;
  let credentials: readonly [Buffer, Buffer] | undefined;
  for (let at = 2; at < args.length; at += 1) {
    const left = args.length - 1 - at;
    const option = new Options(args, at + 1);
    if (isWord(args[at], 'auth') && left >= 2) {
      credentials = [option.value(), option.value()];
      at += 2;
    } else if (isWord(args[at], 'setname') && left >= 1) {
      name = checkClientText(option.value(), 'Client names');
      at += 1;
    } else throw new RedisError(`ERR Syntax error in HELLO option '${args[at]}'`);
  }
  if (credentials !== undefined) authenticate(call, ...credentials);
  if (!session.authenticated) throw new RedisError(helloNeedsAuth);
  if (name !== undefined) session.name = name;
  if (protocol !== undefined) session.protocol = protocol;
  return new MapReply([
    ['server', 'redis'],
    ['version', redisVersion],
    ['proto', session.protocol],
    ['id', session.id],
    ['mode', isCluster(ports) ? 'cluster' : 'standalone'],
    ['role', 'master'],
    ['modules', []],
  ]);
}

function ping(_call: Call, args: readonly Buffer[]): Reply {
  if (args.length > 2) throw new RedisError(wrongArgumentCount('ping'));
  return args[1] ?? pong;
}

function quit({ session }: Call): Reply {
  session.closing = true;
  return ok;
}

/** As if the client had connected anew; the reply comes even after CLIENT REPLY OFF. */
function reset({ session, ports }: Call): Reply {
  leaveTransaction(session);
  session.authenticated = ports.settings.text('requirepass') === '';
  session.protocol = 2;
  session.db = 0;
  session.name = '';
  session.replies = 'on';
  session.r = undefined;
  session.w = undefined;
  session.tracking = undefined;
  return new SimpleString('RESET');
}

function select({ session, ports }: Call, args: readonly Buffer[]): Reply {
  const [, index = defaultUser] = args;
  if (isCluster(ports) && integerWithin(index, -(2 ** 31), 2 ** 31 - 1) !== 0) {
    throw new RedisError(notInCluster('SELECT'));
  }
  session.db = databaseIndex(index, ports.settings.number('databases'));
  return ok;
}

const handshakeFlags = ['noscript', 'loading', 'stale', 'fast', 'no_auth', 'allow_busy'] as const;
const common = { group: 'connection' } as const;

export const connectionCommands: readonly Command[] = [
  {
    ...common,
    name: 'hello',
    arity: -1,
    flags: handshakeFlags,
    since: '6.0.0',
    summary: 'Handshake with Redis',
    syntax: '[protover [AUTH username password] [SETNAME clientname]]',
    handler: hello,
  },
  {
    ...common,
    name: 'auth',
    arity: -2,
    flags: handshakeFlags,
    since: '1.0.0',
    summary: 'Authenticate to the server',
    syntax: '[username] password',
    handler: auth,
  },
  {
    ...common,
    name: 'ping',
    arity: -1,
    flags: ['fast'],
    since: '1.0.0',
    summary: 'Ping the server',
    syntax: '[message]',
    overlaps: true,
    handler: ping,
  },
  {
    ...common,
    name: 'echo',
    arity: 2,
    flags: ['loading', 'stale', 'fast'],
    since: '1.0.0',
    summary: 'Echo the given string',
    syntax: 'message',
    overlaps: true,
    handler: (_call, args) => args[1] ?? null,
  },
  {
    ...common,
    name: 'quit',
    arity: -1,
    flags: handshakeFlags,
    since: '1.0.0',
    summary: 'Close the connection',
    syntax: '',
    handler: quit,
  },
  {
    ...common,
    name: 'reset',
    arity: 1,
    flags: handshakeFlags,
    since: '6.2.0',
    summary: 'Reset the connection',
    syntax: '',
    handler: reset,
  },
  {
    ...common,
    name: 'select',
    arity: 2,
    flags: ['loading', 'stale', 'fast'],
    since: '1.0.0',
    summary: 'Change the selected database for the current connection',
    syntax: 'index',
    handler: select,
  },
];
