/** The parts of README that are printed from tables; `npm run readme` puts them in place. */
import type { Command, CommandGroup } from '../../lib/commands/command.ts';
import { commandTable } from '../../lib/commands/table.ts';
import { directives } from '../../lib/directives.ts';

const titles: readonly (readonly [CommandGroup, string])[] = [
  ['string', 'Strings'],
  ['bitmap', 'Bits'],
  ['generic', 'Keys'],
  ['transactions', 'Transactions'],
  ['connection', 'Connection'],
  ['server', 'Server'],
  ['dynamo', 'Dynamo'],
];

function usages({ name, syntax, subcommands }: Command): string[] {
  if (subcommands === undefined) return [`${name.toUpperCase()} ${syntax}`.trim()];
  return subcommands
    .filter((row) => row.name !== 'help')
    .map((row) => `${name.toUpperCase()} ${row.name.toUpperCase()} ${row.syntax}`.trim());
}

export function commandSection(): string {
  return titles
    .map(([group, title]) => {
      const rows = commandTable.filter((row) => row.group === group);
      const usage = rows.flatMap(usages);
      return group === 'dynamo'
        ? `**${title}**\n\n${usage.map((text) => `- \`${text}\``).join('\n')}`
        : `**${title}**: ${usage.map((text) => `\`${text}\``).join(' · ')}`;
    })
    .join('\n\n');
}

export function directiveSection(): string {
  return directives
    .map(({ name, default: value, summary, mutable }) => {
      const notes = [value === '' ? 'empty' : `\`${value}\``, ...(mutable ? ['CONFIG SET'] : [])];
      return `- \`${name}\` (${notes.join(', ')}): ${summary}`;
    })
    .join('\n');
}

const sections: readonly (readonly [string, () => string])[] = [
  ['commands', commandSection],
  ['directives', directiveSection],
];

/** README with its generated sections replaced. */
export function withTables(readme: string): string {
  let text = readme;
  for (const [name, make] of sections) {
    const [head, tail] = [`<!-- ${name} -->\n`, `<!-- /${name} -->`];
    const [from, to] = [text.indexOf(head) + head.length, text.indexOf(tail)];
    if (from < head.length || to < from) throw new Error(`README has no place for the ${name}`);
    text = `${text.slice(0, from)}\n${make()}\n\n${text.slice(to)}`;
  }
  return text;
}
