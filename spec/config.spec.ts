import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { RedisError } from '../lib/base/errors.ts';
import {
  Config,
  ConfigError,
  checkDatabaseQuorums,
  databaseQuorums,
  parseCommandLine,
  readConfFile,
} from '../lib/config.ts';
import { directives } from '../lib/directives.ts';
import { root } from './support/root.ts';

function configured(text: string): Config {
  const config = new Config();
  readConfFile(config, 'x.conf', text);
  return config;
}

describe('config', () => {
  it('takes several words of a directive also as one, as a shell hands over what is quoted', () => {
    const config = new Config();
    config.give('quorum', ['2 1 1']);
    config.give('quorum-db', ['3 1 2']);
    config.give('dir', ['/a directory/with spaces']);
    expect([config.text('quorum'), config.text('quorum-db'), config.text('dir')]).to.deep.equal([
      '2 1 1',
      '3 1 2',
      '/a directory/with spaces',
    ]);
    expect(() => config.give('quorum', ['2 1'])).to.throw(/bad value for 'quorum'/);
  });

  it('names file and line of a directive it cannot read', () => {
    const bad: [string, RegExp][] = [
      ['port 1\n\nnonsense 3', /^x\.conf:3: unknown directive 'nonsense'$/],
      ['port 70000', /^x\.conf:1: bad value for 'port': .* between 0 and 65535/],
      ['port', /bad value for 'port'/],
      ['dir "half', /^x\.conf:1: unbalanced quotes$/],
      ['appendfsync sometimes', /one of the following: always, everysec, no/],
      ['quorum 3 4 2', /R and W between 1 and N/],
      ['partitions 1000', /power of two/],
      ['cache-bytes 10', /memory value/],
      ['protected-mode maybe', /'yes' or 'no'/],
      ['quorum-db 0 0 1', /DB R W/],
      ['client-output-buffer-limit normal 1 2', /Wrong number of arguments/],
    ];
    for (const [text, message] of bad) {
      expect(() => configured(text), text).to.throw(ConfigError, message);
    }
  });

  it('reads words, quotes and escapes as redis.conf does', () => {
    const config = configured(
      [
        '# comment',
        'bind 127.0.0.1 ::1',
        'requirepass "a \\"b\\"\\x21\\n"',
        "dir 'it\\'s here'",
        'CACHE-BYTES 1gb',
        'seeds a:1, b:2',
      ].join('\r\n'),
    );
    expect(config.text('bind')).to.equal('127.0.0.1 ::1');
    expect(config.text('requirepass')).to.equal('a "b"!\n');
    expect(config.text('dir')).to.equal("it's here");
    expect(config.number('cache-bytes')).to.equal(1024 ** 3);
    expect(config.text('seeds')).to.equal('a:1,b:2');
    expect(config.isGiven('bind')).to.equal(true);
    expect(config.isGiven('port')).to.equal(false);
  });

  it('adds up the lines of a directive that speaks of several things', () => {
    const config = configured(
      'quorum-db 1 1 1\nquorum-db 2 2 2\nquorum-db 1 3 3\nclient-output-buffer-limit normal 1mb 0 0',
    );
    expect(config.text('quorum-db')).to.equal('1 3 3 2 2 2');
    expect(config.text('client-output-buffer-limit')).to.match(/^normal 1048576 0 0 slave /);
  });

  it('knows R and W by database, and refuses those that the ring has no room for', () => {
    const config = configured('quorum-db 1 1 3\nquorum-db 4 2 2');
    expect([...databaseQuorums(config)]).to.deep.equal([
      [1, { r: 1, w: 3 }],
      [4, { r: 2, w: 2 }],
    ]);
    expect(databaseQuorums(new Config()).size).to.equal(0);
    checkDatabaseQuorums(config, { n: 3, databases: 5 });
    const bad = [
      [{ n: 3, databases: 4 }, /^bad value for 'quorum-db': the databases are 0 to 3, got 4$/],
      [{ n: 2, databases: 16 }, /'quorum-db': R and W must be between 1 and N \(2\), got '1 1 3'$/],
    ] as const;
    for (const [ring, message] of bad) {
      expect(() => checkDatabaseQuorums(config, ring)).to.throw(ConfigError, message);
    }
  });

  it('lets the command line win over the file', () => {
    const line = parseCommandLine(['x.conf', '--port', '7000', '--bind', '127.0.0.1', '::1']);
    expect(line.file).to.equal('x.conf');
    const config = configured('port 6000');
    for (const [name, args] of line.given) config.give(name, args);
    expect(config.number('port')).to.equal(7000);
    expect(config.text('bind')).to.equal('127.0.0.1 ::1');
  });

  it('refuses what it does not know on the command line', () => {
    expect(() => parseCommandLine(['--colour', 'red'])).to.throw(ConfigError, "'--colour'");
    expect(() => parseCommandLine(['a.conf', 'b.conf'])).to.throw(ConfigError, "'b.conf'");
    expect(parseCommandLine(['--help']).help).to.equal(true);
    expect(parseCommandLine(['-v']).version).to.equal(true);
  });

  it('changes all of a CONFIG SET or nothing, and tells who listens', () => {
    const config = new Config();
    let told = 0;
    config.onChange('maxclients', () => {
      told += 1;
    });
    config.set([
      ['maxclients', '5'],
      ['TIMEOUT', '7'],
    ]);
    expect([config.number('maxclients'), config.number('timeout'), told]).to.deep.equal([5, 7, 1]);
    config.set([
      ['quorum-strict', 'yes'],
      ['request-timeout-ms', '250'],
      ['hint-quota-bytes', '1mb'],
    ]);
    const ring = ['quorum-strict', 'request-timeout-ms', 'hint-quota-bytes'];
    expect(ring.map((name) => config.number(name))).to.deep.equal([1, 250, 1024 ** 2]);
    const refused: [string, string, RegExp][] = [
      ['timeout', '-1', /^ERR CONFIG SET failed \(possibly related to argument 'timeout'\) - /],
      ['port', '1', /can't set immutable config$/],
      ['what', '1', /^ERR Unknown option or number of arguments for CONFIG SET - 'what'$/],
      ['maxclients', '9', /duplicate parameter$/],
      ['client-output-buffer-limit', 'normal 1 2', / - Wrong number of arguments in buffer/],
      ['client-output-buffer-limit', 'master 1 2 3', / - Invalid client class specified in/],
      ['client-output-buffer-limit', 'normal 1 2 -3', / - Error in hard, soft or soft_seconds/],
    ];
    for (const [name, value, text] of refused) {
      const pairs = [
        ['maxclients', '9'],
        [name, value],
      ] as const;
      expect(() => config.set(pairs)).to.throw(RedisError, text);
    }
    expect([config.number('maxclients'), told]).to.deep.equal([5, 1]);
  });

  it('lets the longest value through the output limit', () => {
    const [, hardBytes] = new Config().text('client-output-buffer-limit').split(' ');
    expect(Number(hardBytes)).to.be.above(new Config().number('proto-max-bulk-len'));
  });

  it('is documented whole in conf/redynamo.conf, with the defaults in force', () => {
    const file = join(root, 'conf', 'redynamo.conf');
    const text = readFileSync(file, 'utf8');
    const config = configured(text);
    for (const { name, default: value } of directives) {
      expect(text, name).to.match(new RegExp(`^(# )?${name} `, 'm'));
      expect(config.text(name), name).to.equal(value);
    }
  });
});
