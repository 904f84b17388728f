import { expect } from 'chai';
import { bitmapCommands } from '../../lib/commands/bits.ts';
import type { Command } from '../../lib/commands/command.ts';
import { keyCommands } from '../../lib/commands/keys.ts';
import { stringCommands } from '../../lib/commands/strings.ts';

/**
 * What COMMAND INFO and COMMAND DOCS of Redis 7.0.15 say of these commands: name, group, since,
 * arity, first:last:step of the keys, flags. Cluster clients find the keys of a request by it.
 */
const redisRows = `
append string 2.0.0 3 1:1:1 denyoom,fast,write
bitcount bitmap 2.6.0 -2 1:1:1 readonly
bitpos bitmap 2.8.7 -3 1:1:1 readonly
copy generic 6.2.0 -3 1:2:1 denyoom,write
dbsize server 1.0.0 1 0:0:0 fast,readonly
decr string 1.0.0 2 1:1:1 denyoom,fast,write
decrby string 1.0.0 3 1:1:1 denyoom,fast,write
del generic 1.0.0 -2 1:-1:1 write
exists generic 1.0.0 -2 1:-1:1 fast,readonly
expire generic 1.0.0 -3 1:1:1 fast,write
expireat generic 1.2.0 -3 1:1:1 fast,write
expiretime generic 7.0.0 2 1:1:1 fast,readonly
flushall server 1.0.0 -1 0:0:0 write
flushdb server 1.0.0 -1 0:0:0 write
get string 1.0.0 2 1:1:1 fast,readonly
getbit bitmap 2.2.0 3 1:1:1 fast,readonly
getdel string 6.2.0 2 1:1:1 fast,write
getex string 6.2.0 -2 1:1:1 fast,write
getrange string 2.4.0 4 1:1:1 readonly
getset string 1.0.0 3 1:1:1 denyoom,fast,write
incr string 1.0.0 2 1:1:1 denyoom,fast,write
incrby string 1.0.0 3 1:1:1 denyoom,fast,write
incrbyfloat string 2.6.0 3 1:1:1 denyoom,fast,write
keys generic 1.0.0 2 0:0:0 readonly
lcs string 7.0.0 -3 1:2:1 readonly
memory server 4.0.0 -2 0:0:0 -
memory|help server 4.0.0 2 0:0:0 loading,stale
memory|usage server 4.0.0 -3 2:2:1 readonly
mget string 1.0.0 -2 1:-1:1 fast,readonly
move generic 1.0.0 3 1:1:1 fast,write
mset string 1.0.1 -3 1:-1:2 denyoom,write
msetnx string 1.0.1 -3 1:-1:2 denyoom,write
object generic 2.2.3 -2 0:0:0 -
object|encoding generic 2.2.3 3 2:2:1 readonly
object|freq generic 4.0.0 3 2:2:1 readonly
object|help generic 6.2.0 2 0:0:0 loading,stale
object|idletime generic 2.2.3 3 2:2:1 readonly
object|refcount generic 2.2.3 3 2:2:1 readonly
persist generic 2.2.0 2 1:1:1 fast,write
pexpire generic 2.6.0 -3 1:1:1 fast,write
pexpireat generic 2.6.0 -3 1:1:1 fast,write
pexpiretime generic 7.0.0 2 1:1:1 fast,readonly
psetex string 2.6.0 4 1:1:1 denyoom,write
pttl generic 2.6.0 2 1:1:1 fast,readonly
randomkey generic 1.0.0 1 0:0:0 readonly
rename generic 1.0.0 3 1:2:1 write
renamenx generic 1.0.0 3 1:2:1 fast,write
scan generic 2.8.0 -2 0:0:0 readonly
set string 1.0.0 -3 1:1:1 denyoom,write
setbit bitmap 2.2.0 4 1:1:1 denyoom,write
setex string 2.0.0 4 1:1:1 denyoom,write
setnx string 1.0.0 3 1:1:1 denyoom,fast,write
setrange string 2.2.0 4 1:1:1 denyoom,write
strlen string 2.2.0 2 1:1:1 fast,readonly
substr string 1.0.0 4 1:1:1 readonly
touch generic 3.2.1 -2 1:-1:1 fast,readonly
ttl generic 1.0.0 2 1:1:1 fast,readonly
type generic 1.0.0 2 1:1:1 fast,readonly
unlink generic 4.0.0 -2 1:-1:1 fast,write
`
  .trim()
  .split('\n');

function rowText(name: string, { group, since, arity, keys, flags }: Command): string {
  const { first, last, step } = keys ?? { first: 0, last: 0, step: 0 };
  const words = [...flags].sort().join(',') || '-';
  return `${name} ${group} ${since} ${arity} ${first}:${last}:${step} ${words}`;
}

describe('the rows of the data commands', () => {
  const rows = [...stringCommands, ...bitmapCommands, ...keyCommands];

  it('say what Redis says of its commands', () => {
    const ours = rows.flatMap((row) => [
      rowText(row.name, row),
      ...(row.subcommands ?? []).map((part) => rowText(`${row.name}|${part.name}`, part)),
    ]);
    expect(ours.sort()).to.deep.equal(redisRows);
  });

  it('let only commands overlap that treat each key for itself', () => {
    const alone = rows.filter((row) => row.overlaps !== true && row.subcommands === undefined);
    expect(alone.map(({ name }) => name).sort()).to.deep.equal([
      'copy',
      'dbsize',
      'flushall',
      'flushdb',
      'keys',
      'move',
      'msetnx',
      'randomkey',
      'rename',
      'renamenx',
      'scan',
    ]);
  });
});
