/**
 * The HELP of a command with subcommands, printed from its rows as Redis prints its own: a title,
 * then two lines for each subcommand, all of them simple strings.
 */
import { type Reply, SimpleString } from '../protocol/reply.ts';
import type { Command, CommandGroup } from './command.ts';
import type { CommandEntry } from './command-index.ts';

/** The row `help` of a parent; `since`: the Redis version that introduced it. */
export function helpSubcommand(group: CommandGroup, since: string): Command {
  return {
    name: 'help',
    arity: 2,
    flags: ['loading', 'stale'],
    group,
    since,
    summary: 'Show helpful text about the different subcommands',
    syntax: '',
    handler: (call, args) => helpLines(call.commands.parent(args[0])),
  };
}

function helpLines(parent: CommandEntry | undefined): Reply {
  const title = `${parent?.row.name.toUpperCase()} <subcommand> [<arg> [value] [opt] ...].`;
  const lines = [`${title} Subcommands are:`];
  for (const { row } of parent?.subcommands.entries ?? []) {
    lines.push(`${row.name.toUpperCase()} ${row.syntax}`.trimEnd(), `    ${row.summary}.`);
  }
  return lines.map((line) => new SimpleString(line));
}
