/** Every command of this server, by topic. A new one is a row in its topic's array. */
import { bitmapCommands } from './bits.ts';
import { clientCommands } from './client-commands.ts';
import { clusterCommands } from './cluster.ts';
import type { Command } from './command.ts';
import { commandCommands } from './command-info.ts';
import { configCommands } from './config-commands.ts';
import { connectionCommands } from './connection-commands.ts';
import { dynCommands } from './dyn.ts';
import { keyCommands } from './keys.ts';
import { serverCommands } from './server-commands.ts';
import { stringCommands } from './strings.ts';
import { transactionCommands } from './transactions.ts';

export const commandTable: readonly Command[] = [
  ...connectionCommands,
  ...clientCommands,
  ...stringCommands,
  ...bitmapCommands,
  ...keyCommands,
  ...transactionCommands,
  ...serverCommands,
  ...clusterCommands,
  ...configCommands,
  ...commandCommands,
  ...dynCommands,
];
