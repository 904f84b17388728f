/** Commands about the node: INFO, TIME, ROLE, SHUTDOWN, DEBUG SLEEP. */
import { RedisError, syntaxError } from '../base/errors.ts';
import { Deferred, type Later } from '../base/later.ts';
import { noReply, type Reply, SimpleString } from '../protocol/reply.ts';
import { isWord, Options } from './arguments.ts';
import type { Call, Command } from './command.ts';
import { info } from './info.ts';
import { waitCommand } from './wait.ts';

function time({ ports }: Call): Reply {
  const nowMs = ports.system.clock.wallMs();
  return [String(Math.floor(nowMs / 1000)), String((nowMs % 1000) * 1000)];
}

function shutdown({ session, ports }: Call, args: readonly Buffer[]): Reply {
  const words = { nosave: false, save: false, now: false, force: false, abort: false };
  const options = new Options(args, 1);
  while (!options.done) {
    if (options.take('nosave')) words.nosave = true;
    else if (options.take('save')) words.save = true;
    else if (options.take('now')) words.now = true;
    else if (options.take('force')) words.force = true;
    else if (options.take('abort')) words.abort = true;
    else options.refuse();
  }
  const others = words.nosave || words.save || words.now || words.force;
  if ((words.abort && others) || (words.nosave && words.save)) throw new RedisError(syntaxError);
  if (words.abort) throw new RedisError('ERR No shutdown in progress.');
  session.closing = true;
  ports.shutdown();
  return noReply;
}

const debugNotAllowed =
  'ERR DEBUG command not allowed. If the enable-debug-command option is set to "local", you can ' +
  'run it from a local connection, otherwise you need to set this option in the configuration ' +
  'file, and then restart the server.';

const localAddress = /^(127\.|::1:|\[::1\]:|::ffff:127\.)/;

/** DEBUG SLEEP holds up its own connection, not the node: nobody else should wait for a test. */
function debug({ session, ports }: Call, args: readonly Buffer[]): Later<Reply> {
  const allowed = ports.settings.text('enable-debug-command');
  if (allowed === 'no' || (allowed === 'local' && !localAddress.test(session.address))) {
    throw new RedisError(debugNotAllowed);
  }
  const [, word, duration] = args;
  if (!isWord(word, 'sleep') || duration === undefined || args.length > 3) {
    throw new RedisError(
      `ERR unknown subcommand or wrong number of arguments for '${word}'. Try DEBUG HELP.`,
    );
  }
  const seconds = Number(duration.toString());
  const slept = new Deferred<Reply>();
  ports.system.timers.after(Math.min(Math.max(seconds || 0, 0), sleepSecondsMax) * 1000, () =>
    slept.settle(new SimpleString('OK')),
  );
  return slept;
}

const sleepSecondsMax = 86_400;

const common = { group: 'server' } as const;

export const serverCommands: readonly Command[] = [
  {
    ...common,
    name: 'info',
    arity: -1,
    flags: ['loading', 'stale'],
    since: '1.0.0',
    summary: 'Get information and statistics about the server',
    syntax: '[section [section ...]]',
    handler: info,
  },
  {
    ...common,
    name: 'time',
    arity: 1,
    flags: ['loading', 'stale', 'fast'],
    since: '2.6.0',
    summary: 'Return the current server time',
    syntax: '',
    handler: time,
  },
  {
    ...common,
    name: 'role',
    arity: 1,
    flags: ['noscript', 'loading', 'stale', 'fast'],
    since: '2.8.12',
    summary: 'Return the role of the instance in the context of replication',
    syntax: '',
    handler: () => ['master', 0, []],
  },
  {
    ...common,
    name: 'shutdown',
    arity: -1,
    flags: ['admin', 'noscript', 'loading', 'stale', 'no_multi', 'allow_busy'],
    since: '1.0.0',
    summary: 'Stop the node cleanly; everything acknowledged is on the disk when it ends',
    syntax: '[NOSAVE | SAVE] [NOW] [FORCE] [ABORT]',
    handler: shutdown,
  },
  {
    ...common,
    name: 'debug',
    arity: -2,
    flags: ['admin', 'noscript', 'loading', 'stale'],
    since: '1.0.0',
    summary: 'Hold up this connection, for tests',
    syntax: 'SLEEP seconds',
    handler: debug,
  },
  waitCommand,
];
