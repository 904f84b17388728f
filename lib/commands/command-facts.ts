/**
 * What COMMAND tells of a command beyond its row: how it uses its keys, hints for clients that
 * spread requests over nodes, categories that its flags and group don't imply, its cost. Only
 * commands that differ from the rule stand here; `command-info.ts` knows the rules.
 */

/** Names of the flags of a key specification, as Redis documents them. */
type Access = readonly string[];

/** Full name -> flags of each key specification; two where the keys are used differently. */
export const keyAccess: ReadonlyMap<string, readonly Access[]> = new Map([
  ...named('getdel', [['RW', 'access', 'delete']]),
  ...named('setnx msetnx', [['OW', 'insert']]),
  ...named('setex psetex mset', [['OW', 'update']]),
  ...named('append', [['RW', 'insert']]),
  ...named('set', [['RW', 'access', 'update', 'variable_flags']]),
  ...named('setrange expire pexpire expireat pexpireat persist dyn.put', [['RW', 'update']]),
  ...named('del unlink dyn.del', [['RM', 'delete']]),
  ...named('strlen exists touch type watch memory|usage dyn.explain', [['RO']]),
  ...named('object|encoding object|refcount object|idletime object|freq', [['RO']]),
  ...named('rename', [
    ['RW', 'access', 'delete'],
    ['OW', 'update'],
  ]),
  ...named('renamenx', [
    ['RW', 'access', 'delete'],
    ['OW', 'insert'],
  ]),
  ...named('copy', [
    ['RO', 'access'],
    ['OW', 'update'],
  ]),
]);

const allShards = 'request_policy:all_shards';
const multiShard = 'request_policy:multi_shard';
const allSucceeded = 'response_policy:all_succeeded';
const sum = 'response_policy:agg_sum';
const varies = 'nondeterministic_output';
const unordered = 'nondeterministic_output_order';

export const commandTips: ReadonlyMap<string, readonly string[]> = new Map([
  ...named('ping', [allShards, allSucceeded]),
  ...named('client|info client|list time ttl pttl', [varies]),
  ...named('cluster|slots cluster|shards cluster|nodes cluster|info', [varies]),
  ...named('cluster|getkeysinslot cluster|replicas cluster|slaves', [varies]),
  ...named('cluster|count-failure-reports', [varies]),
  ...named('object|encoding object|refcount object|idletime object|freq', [varies]),
  ...named('command command|info command|docs command|list', [unordered]),
  ...named('info', [varies, allShards, 'response_policy:special']),
  ...named('config|set', ['request_policy:all_nodes', allSucceeded]),
  ...named('wait', [allShards, 'response_policy:agg_min']),
  ...named('mget', [multiShard]),
  ...named('mset', [multiShard, allSucceeded]),
  ...named('msetnx', [multiShard, 'response_policy:agg_min']),
  ...named('del unlink exists touch', [multiShard, sum]),
  ...named('scan', [varies, 'request_policy:special']),
  ...named('keys', [allShards, unordered]),
  ...named('randomkey', [allShards, varies]),
  ...named('dbsize', [allShards, sum]),
  ...named('flushdb flushall', [allShards, allSucceeded]),
]);

/** Instead of the category of the group; an empty list: none. */
export const groupCategories: ReadonlyMap<string, readonly string[]> = new Map([
  ...named('wait readonly readwrite asking command command|count', ['connection']),
  ...named('command|info command|docs command|list command|getkeys', ['connection']),
  ...named('command|help', ['connection']),
  ...named('keys flushdb flushall', ['keyspace', 'dangerous']),
  ...named('dbsize', ['keyspace']),
  ...named('info', ['dangerous']),
  ...named('role', ['admin', 'dangerous']),
  ...named('memory|usage memory|help', []),
]);

/** Everything else is O(1). */
export const complexities: ReadonlyMap<string, string> = new Map([
  ...named('client object memory config cluster debug', 'Depends on subcommand.'),
  ...named('client|list client|kill', 'O(N) where N is the number of client connections'),
  ...named('command command|list', 'O(N) where N is the total number of commands'),
  ...named('command|info command|docs', 'O(N) where N is the number of commands to look up'),
  ...named('config|get config|set', 'O(N) where N is the number of parameters'),
  ...named('exec', 'Depends on commands in the transaction'),
  ...named('mget mset msetnx del unlink exists touch watch', 'O(N) where N is the number of keys'),
  ...named('lcs', 'O(N*M) where N and M are the lengths of the values'),
  ...named('append setrange setbit', 'O(N) where N is the length of the value'),
  ...named('bitcount bitpos getrange substr', 'O(N) where N is the length of the value'),
  ...named('scan', 'O(1) for every call, O(N) for a complete iteration'),
  ...named('keys dbsize', 'O(N) where N is the number of keys in the database'),
]);

function named<T>(names: string, fact: T): readonly (readonly [string, T])[] {
  return names.split(' ').map((name) => [name, fact]);
}
