/** What the directives say of this node among others: where it is, and whom it looks for. */
import { type Config, ConfigError } from './config.ts';
import type { FoundingOptions } from './membership/founding.ts';
import { clusterNameBytesMax } from './transport/handshake.ts';
import type { PeerTransportOptions } from './transport/peer-transport.ts';
import type { PeerAddress } from './transport/transport.ts';

/** Of the peer port from the port for clients. */
const peerPortOffset = 10_000;
/** A frame holds a record, which may have several siblings of the longest value. */
const longestValuesMax = 4;
const frameOverheadBytes = 1024 * 1024;
const u32Max = 2 ** 32 - 1;

export function peerTransportOptions(config: Config): PeerTransportOptions {
  const binds = config.text('peer-bind') || config.text('bind');
  const clusterName = config.text('cluster-name');
  if (Buffer.byteLength(clusterName) > clusterNameBytesMax) {
    throw new ConfigError(`bad value for 'cluster-name': at most ${clusterNameBytesMax} bytes`);
  }
  const longest = config.number('proto-max-bulk-len') * longestValuesMax;
  return {
    clusterName,
    secret: config.text('peer-secret'),
    binds: binds.split(' '),
    port: peerPortOf(config),
    frameBytesMax: Math.min(longest + frameOverheadBytes, u32Max),
  };
}

export function foundingOptions(config: Config): FoundingOptions {
  return {
    settings: {
      clusterName: config.text('cluster-name'),
      partitions: config.number('partitions'),
      databases: config.number('databases'),
      n: Number(config.text('quorum').split(' ')[0]),
    },
    isGiven: (name) => config.isGiven(name),
    seeds: seedsOf(config.text('seeds')),
    bootstrap: config.flag('bootstrap'),
    facts: {
      name: config.text('node-name'),
      host: config.text('announce-host') || hostOf(config),
      port: config.number('announce-port') || config.number('port'),
      peerPort: peerPortOf(config),
      zone: config.text('zone'),
      weight: config.number('weight'),
    },
  };
}

function peerPortOf(config: Config): number {
  const port = config.number('port');
  return config.number('peer-port') || (port === 0 ? 0 : port + peerPortOffset);
}

/** The first address that others can name; empty: the one by which they reach this node. */
function hostOf(config: Config): string {
  const binds = (config.text('peer-bind') || config.text('bind')).split(' ');
  const first = binds[0]?.replace(/^-/, '') ?? '';
  return first === '' || first === '*' || first === '::*' || first === '0.0.0.0' ? '' : first;
}

/** `host:port,[v6]:port` */
function seedsOf(text: string): readonly PeerAddress[] {
  return text
    .split(',')
    .filter((seed) => seed !== '')
    .map((seed) => {
      const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(seed);
      const port = Number(match?.[3]);
      if (match === null || port < 1 || port > 65_535) {
        throw new ConfigError(`bad value for 'seeds': expected host:port, got '${seed}'`);
      }
      return { host: match[1] ?? match[2] ?? '', port };
    });
}
