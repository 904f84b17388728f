#!/usr/bin/env -S node --max-semi-space-size=32
/** `redynamo [file.conf] [--directive value ...]`: opens the real doors and starts one node. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pino } from 'pino';
import { StoreError } from './base/errors.ts';
import { TurningDispatch } from './commands/turning-dispatch.ts';
import { Config, ConfigError, parseCommandLine, readConfFile } from './config.ts';
import { directives } from './directives.ts';
import { IdentityError } from './membership/identity.ts';
import { createNode, type Node } from './node.ts';
import { peerTransportOptions } from './peer-options.ts';
import { ListenError } from './runtime/listening.ts';
import type { Log } from './runtime/ports.ts';
import { watchProcess } from './runtime/process-view.ts';
import { realSystem } from './runtime/system.ts';
import { ClientRegistry } from './server/client-registry.ts';
import { RespServer } from './server/resp-server.ts';
import { LevelStorage } from './storage/level-storage.ts';
import { PeerTransport } from './transport/peer-transport.ts';
import { TcpSockets } from './transport/tcp-sockets.ts';

/** A clean stop that takes longer is cut short. */
const stopTimeoutMs = 5000;

const { version } = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
) as { version: string };

function help(): string {
  const width = 2 + Math.max(...directives.map(({ name }) => name.length));
  const rows = directives.map(({ name, default: value, summary }) => {
    const shown = value === '' ? '' : ` (${value})`;
    return `  --${name.padEnd(width)}${summary}${shown}`;
  });
  return `redynamo ${version}: Amazon's Dynamo behind the Redis protocol

Usage: redynamo [file.conf] [--directive value ...]

A directive on the command line wins over the file. Defaults in parentheses.

${rows.join('\n')}
`;
}

function readConfig(args: readonly string[]): Config {
  const line = parseCommandLine(args);
  if (line.help || line.version) {
    process.stdout.write(line.help ? help() : `redynamo ${version}\n`);
    process.exit(0);
  }
  const config = new Config();
  if (line.file !== undefined) {
    config.file = resolve(line.file);
    readConfFile(config, line.file, readFileSync(line.file, 'utf8'));
  }
  for (const [name, values] of line.given) config.give(name, values);
  return config;
}

function openLog(config: Config): Log {
  const logger = pino(
    {
      customLevels: { debug: 20, verbose: 25, notice: 30, warning: 40 },
      useOnlyCustomLevels: true,
      level: config.text('loglevel'),
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    pino.destination({ dest: config.text('logfile') || 1, sync: true, mkdir: true }),
  );
  config.onChange('loglevel', () => {
    logger.level = config.text('loglevel');
  });
  const at =
    (level: 'debug' | 'verbose' | 'notice' | 'warning') =>
    (message: string, fields: object = {}): void =>
      logger[level](fields, message);
  return {
    debug: at('debug'),
    verbose: at('verbose'),
    notice: at('notice'),
    warning: at('warning'),
  };
}

async function run(): Promise<void> {
  const config = readConfig(process.argv.slice(2));
  const log = openLog(config);
  const system = realSystem(log);
  const clients = new ClientRegistry();
  const facts = watchProcess();

  let stopping = false;
  let running: { node: () => Node; server: RespServer } | undefined;
  function stop(reason: string): void {
    if (stopping) return;
    stopping = true;
    log.notice('stopping', { reason });
    system.timers.after(stopTimeoutMs, () => {
      log.warning('the clean stop took too long');
      process.exit(1);
    });
    const stopped = running?.server.close().then(() => running?.node().stop());
    Promise.resolve(stopped).then(
      () => {
        log.notice('stopped cleanly');
        process.exit(0);
      },
      (error: unknown) => fail(error),
    );
  }
  process.on('SIGTERM', () => stop('SIGTERM'));
  process.on('SIGINT', () => stop('SIGINT'));

  const startNode = (): Promise<Node> =>
    createNode(config, {
      system,
      storage: new LevelStorage(resolve(config.text('dir')), system.clock),
      transport: new PeerTransport(new TcpSockets(log), system, peerTransportOptions(config)),
      clients,
      traffic: clients,
      version,
      process: () => ({ ...facts(), configFile: config.file }),
      shutdown: () => stop('SHUTDOWN'),
      restart: () => dispatch.turnTo(node.stop().then(startNode)).then(keep, fail),
    });
  const keep = (next: Node): void => {
    node = next;
  };
  let node = await startNode();
  const dispatch = new TurningDispatch(node.dispatch);
  const server = new RespServer(
    dispatch,
    { registry: clients, settings: config, system },
    { binds: config.text('bind').split(' '), port: config.number('port') },
  );

  running = { node: () => node, server };
  await server.listen();
  log.notice('ready to accept connections', { port: server.port, version });
}

/** Expected failures are one line for the operator; anything else comes with its stack. */
function fail(error: unknown): never {
  const expected =
    error instanceof ConfigError ||
    error instanceof IdentityError ||
    error instanceof ListenError ||
    error instanceof StoreError ||
    (error instanceof Error && 'syscall' in error);
  const text = error instanceof Error ? (expected ? error.message : error.stack) : String(error);
  process.stderr.write(`redynamo: ${text}\n`);
  process.exit(1);
}

process.on('uncaughtException', fail);
process.on('unhandledRejection', fail);
run().catch(fail);
