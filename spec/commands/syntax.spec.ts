import { expect } from 'chai';
import { parseSyntax, type SyntaxArgument } from '../../lib/commands/syntax.ts';
import { commandTable } from '../../lib/commands/table.ts';

/** The tree written back in a notation of its own: `?` optional, `*` multiple, `(a|b)` one of. */
function written(argument: SyntaxArgument): string {
  const { name, type, token, optional, multiple, parts = [] } = argument;
  const inner =
    type === 'oneof'
      ? `(${parts.map(written).join('|')})`
      : type === 'block'
        ? `{${parts.map(written).join(' ')}}`
        : type === 'pure-token'
          ? ''
          : name;
  const body = [token, inner].filter((text) => text).join(':');
  return `${body}${optional ? '?' : ''}${multiple ? '*' : ''}`;
}

const cases = [
  ['', ''],
  ['key value', 'key value'],
  ['key [key ...]', 'key*'],
  ['key value [key value ...]', '{key value}*'],
  ['[section [section ...]]', 'section?*'],
  ['[NX | XX] [GET]', '(NX|XX)? GET?'],
  ['[EX seconds | KEEPTTL]', '(EX:seconds|KEEPTTL)?'],
  ['[TYPE <NORMAL | PUBSUB>]', 'TYPE:(NORMAL|PUBSUB)?'],
  ['key [start end [BYTE | BIT]]', 'key {start end (BYTE|BIT)?}?'],
  ['ON | OFF', '(ON|OFF)'],
  ['<ip:port | [ID client-id]>', '(ip:port|ID:client-id?)'],
] as const;

describe('syntax', () => {
  for (const [syntax, tree] of cases) {
    it(`reads '${syntax}'`, () => {
      expect(parseSyntax(syntax).map(written).join(' ')).to.equal(tree);
    });
  }

  it('reads every row of the table, brackets and all', () => {
    for (const row of commandTable.flatMap((parent) => [parent, ...(parent.subcommands ?? [])])) {
      const text = parseSyntax(row.syntax).map(written).join(' ');
      expect(text, row.name).not.to.match(/[[\]<>]/);
      expect(text === '', row.name).to.equal(row.syntax === '');
    }
  });
});
