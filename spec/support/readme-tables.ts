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

function escaped(text: string): string {
  return text.replaceAll('|', '\\|');
}

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
  const rows = directives.map(({ name, default: value, summary, mutable }) => {
    const shown = value === '' ? '' : `\`${value}\``;
    return `| \`${name}\` | ${shown} | ${mutable ? 'yes' : ''} | ${escaped(summary)} |`;
  });
  return ['| directive | default | CONFIG SET | what it does |', '|---|---|---|---|', ...rows].join(
    '\n',
  );
}

const sections: readonly (readonly [string, () => string])[] = [
  ['commands', commandSection],
  ['directives', directiveSection],
];

/** README with its generated sections replaced. */
export function withTables(readme: string): string {
  let text = readme;
  for (const [name, make] of sections) {
    const pattern = new RegExp(`(<!-- ${name} -->\n)[\\s\\S]*?(\n<!-- /${name} -->)`);
    text = text.replace(pattern, (_, head: string, tail: string) => head + make() + tail);
  }
  return text;
}
