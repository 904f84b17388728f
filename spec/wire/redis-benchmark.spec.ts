/** redis-benchmark 7, as everybody's first look at a server. */
import { expect } from 'chai';
import { describeWith, run, useServer } from '../support/server-process.ts';

describeWith('redis-benchmark', 'redis-benchmark', () => {
  const server = useServer();
  const tests = 'ping,set,get,incr,mset';
  const titles = ['PING_INLINE', 'PING_MBULK', 'SET', 'GET', 'INCR', 'MSET (10 keys)'];

  for (const options of [[], ['-3'], ['-r', '1000', '-d', '1000'], ['--threads', '2']]) {
    it(`runs ${tests} ${options.join(' ')} without an error or a warning`, async () => {
      const { code, stdout, stderr } = await run('redis-benchmark', [
        ...['-p', String(server().port), '-t', tests, '-n', '2000', '-c', '20', '-P', '16'],
        '--csv',
        ...options,
      ]);
      expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
      expect(stdout).not.to.match(/err|warn/i);
      const [header, ...rows] = stdout.trim().split('\n');
      expect(header).to.match(/^"test","rps"/);
      expect(rows.map((row) => row.split('"')[1])).to.deep.equal(titles);
    });
  }
});
