/**
 * "Exactly as Redis": the same requests to redis-server 7 and to Redynamo, replies compared byte by
 * byte, in RESP2 and RESP3. What is meant to differ stands in one list with a reason each, and must
 * really differ.
 */
import { expect } from 'chai';
import fc from 'fast-check';
import { RawClient } from '../support/raw-client.ts';
import { describeWith, RealRedis, useServer } from '../support/server-process.ts';
import { type Protocol, transcribe } from '../support/transcript.ts';
import { meantToDiffer } from './meant-to-differ.ts';
import { randomDialogue } from './random-dialogue.ts';
import { inputs, scenarios } from './scenarios.ts';

describeWith('redis-server', 'Redynamo beside redis-server', () => {
  const server = useServer('--enable-debug-command', 'yes');
  let redis: RealRedis;
  before(async () => {
    redis = await RealRedis.start();
  });
  after(() => redis?.remove());
  beforeEach(async () => {
    for (const port of [redis.port, server().port]) await transcribe(port, 2, 'FLUSHALL');
  });

  for (const protocol of [2, 3] satisfies Protocol[]) {
    describe(`answers the same bytes in RESP${protocol}`, () => {
      for (const [title, dialogue] of Object.entries(scenarios)) {
        it(title, async () => {
          const theirs = await transcribe(redis.port, protocol, dialogue);
          const ours = await transcribe(server().port, protocol, dialogue);
          expect(without(ours)).to.deep.equal(without(theirs));
          for (const [index, entry] of ours.entries()) {
            if (reasonOf(entry))
              expect(entry, 'meant to differ, and does not').to.not.equal(theirs[index]);
          }
        });
      }
    });
  }

  describe('takes raw input in the same way', () => {
    for (const [title, input] of Object.entries(inputs)) {
      it(title, async () => {
        const theirs = await answerTo(redis.port, input);
        expect(await answerTo(server().port, input)).to.equal(theirs);
      });
    }
  });

  it('has the INFO fields that clients look for, with the values that they match', async () => {
    const theirs = await infoOf(redis.port);
    const ours = await infoOf(server().port);
    for (const field of infoFields.split(/\s+/)) expect(ours.has(field), field).to.equal(true);
    for (const field of infoValues.split(/\s+/)) {
      expect(ours.get(field), field).to.equal(theirs.get(field));
    }
    expect(ours.get('run_id')).to.match(/^[0-9a-f]{40}$/);
  });

  it('answers the same to random dialogues', async () => {
    await fc.assert(
      fc.asyncProperty(randomDialogue, fc.constantFrom<Protocol>(2, 3), async (lines, protocol) => {
        const dialogue = ['FLUSHALL', ...lines].join('\n');
        const theirs = await transcribe(redis.port, protocol, dialogue);
        expect(await transcribe(server().port, protocol, dialogue)).to.deep.equal(theirs);
      }),
      { numRuns: 150 },
    );
  });
});

const infoValues =
  'redis_version redis_mode arch_bits maxclients loading role connected_slaves cluster_enabled ' +
  'maxmemory maxmemory_policy rdb_bgsave_in_progress blocked_clients evicted_keys';
const infoFields =
  'os process_id run_id tcp_port uptime_in_seconds connected_clients used_memory ' +
  'used_memory_human aof_enabled total_connections_received total_commands_processed ' +
  'instantaneous_ops_per_sec keyspace_hits keyspace_misses expired_keys total_error_replies ' +
  'master_replid master_repl_offset storage_state ring_version';

async function infoOf(port: number): Promise<Map<string, string>> {
  const client = await RawClient.connect(port);
  const text = String(await client.command('INFO', 'everything'));
  await client.close();
  const lines = text.split('\r\n').filter((line) => line.includes(':'));
  return new Map(lines.map((line) => [line.split(':', 1)[0] ?? '', line.replace(/^.*?:/, '')]));
}

function reasonOf(entry: string): string | undefined {
  return meantToDiffer.get(entry.slice(0, entry.indexOf(' -> ')));
}

function without(entries: readonly string[]): string[] {
  return entries.map((entry) => reasonOf(entry) ?? entry);
}

async function answerTo(port: number, input: string): Promise<string> {
  const client = await RawClient.connect(port, { undecoded: true });
  client.send(Buffer.from(input, 'latin1'));
  client.end();
  return (await client.readUntilClosed()).toString('latin1');
}
