/** What the directives say of this node among others: where it is, and whom it looks for. */
import { type Config, ConfigError } from './config.ts';
import type { FoundingOptions } from './membership/founding.ts';
import { addressesOf } from './membership/seeds.ts';
import { clusterNameBytesMax } from './transport/handshake.ts';
import type { PeerTransportOptions } from './transport/peer-transport.ts';
import type { PeerAddress } from './transport/transport.ts';

/** Of the peer port from the port for clients. */
const peerPortOffset = 10_000;
const portMax = 65_535;
/** In a layout. */
const zoneBytesMax = 255;
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
  if (Buffer.byteLength(config.text('zone')) > zoneBytesMax) {
    throw new ConfigError(`bad value for 'zone': at most ${zoneBytesMax} bytes`);
  }
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
    replace: config.text('replace-node'),
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

/** 0: any free port. So it is where port + 10000 would be none. */
function peerPortOf(config: Config): number {
  const port = config.number('port');
  const usual = port === 0 || port + peerPortOffset > portMax ? 0 : port + peerPortOffset;
  return config.number('peer-port') || usual;
}

/** The first address that others can name; empty: the one by which they reach this node. */
function hostOf(config: Config): string {
  const binds = (config.text('peer-bind') || config.text('bind')).split(' ');
  const first = binds[0]?.replace(/^-/, '') ?? '';
  return first === '' || first === '*' || first === '::*' || first === '0.0.0.0' ? '' : first;
}

function seedsOf(text: string): readonly PeerAddress[] {
  try {
    return addressesOf(text);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new ConfigError(`bad value for 'seeds': ${error.message}`);
  }
}
