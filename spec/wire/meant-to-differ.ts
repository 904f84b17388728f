/**
 * Requests whose answer differs from that of redis-server 7.0, each with the reason. The requests are
 * lines of `scenarios.ts`; the spec fails when one of them does not differ any more.
 */
const encodingOfValue = 'the encoding follows from the value; a record keeps no history of it';
const argumentsFirst = 'arguments are checked before the key is read, which may take a quorum';
const helpFromTable = 'the help is printed from the command table';
const noTracking = 'client-side caching is not supported';
const ownLimits = 'the limit is that of this server, and the text names it';
const everyNodeWrites = 'there are no read-only replicas';

export const meantToDiffer: ReadonlyMap<string, string> = new Map([
  ['GETEX missing EX 0', argumentsFirst],
  ['BITCOUNT missing 0', argumentsFirst],
  ['BITCOUNT missing 0 x', argumentsFirst],
  ['BITCOUNT missing 0 1 foo', argumentsFirst],
  ['BITPOS missing 1 x', argumentsFirst],
  ['SCAN -1', 'a cursor is an unsigned number; Redis lets strtoul wrap it around'],
  ['OBJECT ENCODING changed', encodingOfValue],
  ['OBJECT HELP', helpFromTable],
  ['CONFIG GET appendonly', 'every write is logged here; appendfsync says how firmly'],
  ['CONFIG GET APPENDONLY', 'directives are shown by their own names'],
  ['CONFIG GET replica-read-only', everyNodeWrites],
  ['CONFIG GET slave-read-only', everyNodeWrites],
  ['CONFIG SET timeout x', 'one text says what is legal, whatever was wrong'],
  ['CONFIG SET proto-max-bulk-len 1', ownLimits],
  ['CONFIG SET maxclients 0', ownLimits],
  ['CLIENT TRACKING OFF', noTracking],
  ['CLIENT CACHING YES', noTracking],
  ['a: ?CLIENT INFO', 'CLIENT SETINFO of Redis 7.2 is known, so its two fields are shown'],
  ['FOO "a\\r\\nb" "\\x00\\xff"', 'Redis ends the text of an error at a NUL byte'],
  ['FOO "\\xff"', 'the text of an error is UTF-8'],
  ['COMMAND INFO set getex', 'the remarks of key specifications are left out'],
]);
