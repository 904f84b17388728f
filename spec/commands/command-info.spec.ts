import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { MapReply, type Reply, SetReply } from '../../lib/protocol/reply.ts';
import { Frame, plain } from '../support/fake-ports.ts';
import { root } from '../support/root.ts';

const redisRows = readFileSync(join(root, 'spec/commands/redis-7-rows.txt'), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'));

/** Ten fields as the fixture writes them. */
function rowText(fields: unknown): string {
  const [name, arity, flags, first, last, step, categories, tips, specs] = fields as unknown[];
  const sorted = (words: unknown): string => [...(words as string[])].sort().join(' ');
  const bare = (words: unknown): string => sorted(words).replaceAll('+', '');
  const spec = (given: unknown): string => {
    const found = given as {
      flags: string[];
      begin_search: { spec: { index: number } };
      find_keys: { spec: { lastkey: number; keystep: number } };
    };
    const { lastkey, keystep } = found.find_keys.spec;
    return `${bare(found.flags)} ${found.begin_search.spec.index} ${lastkey} ${keystep}`;
  };
  return [
    name,
    arity,
    bare(flags),
    `${first} ${last} ${step}`,
    bare(categories),
    sorted(tips),
    (specs as unknown[]).map(spec).join(' / '),
  ]
    .join('; ')
    .trimEnd();
}

describe('COMMAND INFO', () => {
  const frame = new Frame();
  const session = frame.connect();
  for (const line of redisRows) {
    const [name = ''] = line.split(';');
    it(`tells of ${name} what Redis 7.0.15 tells`, () => {
      const [row] = frame.now(session, `command info ${name}`) as unknown[];
      expect(rowText(row)).to.equal(line);
    });
  }

  it('answers null for what it does not know', () => {
    expect(frame.now(session, 'command info nothing get|x')).to.deep.equal([null, null]);
  });

  it('puts subcommands into their parent, with full names', () => {
    const [config] = frame.now(session, 'command info config') as unknown[][];
    const names = ((config?.[9] ?? []) as string[][]).map(([name]) => name);
    expect(names).to.include.members(['config|get', 'config|set']);
  });

  it('makes sets of flags, categories and tips in RESP3', () => {
    const [get] = frame.start(session, 'command info get') as Reply[][];
    expect(get?.[2]).to.be.instanceOf(SetReply);
    expect(get?.[6]).to.be.instanceOf(SetReply);
    expect(get?.[7]).to.be.instanceOf(SetReply);
  });

  it('tells of every command when none is named', () => {
    const count = frame.now(session, 'command count');
    expect(frame.now(session, 'command')).to.have.length(Number(count));
    expect(frame.now(session, 'command info')).to.have.length(Number(count));
  });
});

describe('COMMAND', () => {
  const frame = new Frame();
  const session = frame.connect();

  it('GETKEYS finds the keys of a request', () => {
    const keys = (line: string): unknown => frame.now(session, `command getkeys ${line}`);
    expect(keys('get k')).to.deep.equal(['k']);
    expect(keys('mset a 1 b 2')).to.deep.equal(['a', 'b']);
    expect(keys('copy a b db 3')).to.deep.equal(['a', 'b']);
    expect(keys('object encoding k')).to.deep.equal(['k']);
    expect(keys('watch a b c')).to.deep.equal(['a', 'b', 'c']);
  });

  const refusals = [
    ['command getkeys no such', '-ERR Invalid command specified'],
    ['command getkeys ping x', '-ERR The command has no key arguments'],
    ['command getkeys get a b', '-ERR Invalid number of arguments specified for command'],
    ['command list foo', '-ERR syntax error'],
    ['command list filterby pattern', '-ERR syntax error'],
    ['command list filterby foo x', '-ERR syntax error'],
  ] as const;
  for (const [line, text] of refusals) {
    it(`refuses '${line}'`, () => {
      expect(frame.now(session, line)).to.equal(text);
    });
  }

  it('LIST filters by pattern, category and module', () => {
    const list = (filter: string): unknown => frame.now(session, `command list ${filter}`);
    expect(list('filterby pattern mset*')).to.deep.equal(['mset', 'msetnx']);
    expect(list('FILTERBY ACLCAT transaction')).to.have.members([
      'multi',
      'exec',
      'discard',
      'watch',
      'unwatch',
    ]);
    expect(list('filterby module x')).to.deep.equal([]);
    expect(list('filterby aclcat nothing')).to.deep.equal([]);
    expect(frame.now(session, 'command list')).to.include('get').and.not.include('config|get');
  });

  it('DOCS gives redis-cli what its hints are made of', () => {
    const docs = frame.now(session, 'command docs ping no-such') as Record<string, unknown>;
    expect(docs).to.deep.equal({
      ping: {
        summary: 'Ping the server',
        since: '1.0.0',
        group: 'connection',
        complexity: 'O(1)',
        arguments: [{ name: 'message', type: 'string', flags: ['+optional'] }],
      },
    });
  });

  it('DOCS has an entry for every command and subcommand', () => {
    const reply = frame.start(session, 'command docs');
    expect(reply).to.be.instanceOf(MapReply);
    const docs = plain(reply as Reply) as Record<string, { subcommands?: object }>;
    expect(Object.keys(docs)).to.have.length(Number(frame.now(session, 'command count')));
    expect(docs['client']?.subcommands).to.have.property('client|list');
  });
});
