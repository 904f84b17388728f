/** redis-py 4 (Debian's python3-redis): one script per rule, which prints nothing when it holds. */
import { expect } from 'chai';
import { describeWith, run, useServer } from '../support/server-process.ts';

const scripts: { readonly [rule: string]: string } = {
  'connects, sets and gets': `
assert r.ping() is True
assert r.set('a', b'\\x00\\xff', ex=100) is True
assert r.get('a') == b'\\x00\\xff' and r.ttl('a') == 100
assert r.set('a', 'x', nx=True) is None
assert r.mget('a', 'missing') == [b'\\x00\\xff', None]
assert r.delete('a', 'missing') == 1
assert r.info()['redis_version'].startswith('7.0.')
assert r.config_get('maxclients') == {'maxclients': '10000'}
assert r.client_list()[0]['name'] == ''
assert r.command()['get']['arity'] == 2`,

  'runs a pipeline without and with MULTI': `
for transaction in (False, True):
    r.flushall()
    with r.pipeline(transaction=transaction) as p:
        for n in range(100): p.incr('n')
        assert p.get('n').execute() == list(range(1, 101)) + [b'100']`,

  'retries a transaction whose watched key has changed': `
tries = []
def add(p):
    old = int(p.get('counter') or 0)
    tries.append(old)
    if len(tries) == 1: redis.Redis(port=port).set('counter', 10)
    p.multi()
    p.set('counter', old + 1)
assert r.transaction(add, 'counter') == [True]
assert tries == [0, 10] and r.get('counter') == b'11'`,

  'tells a WatchError': `
with r.pipeline() as p:
    p.watch('k')
    r.set('k', 1)
    p.multi()
    p.set('k', 2)
    try:
        p.execute()
        assert False
    except redis.WatchError: pass`,

  'scans every key once': `
r.mset({'s:%d' % n: n for n in range(300)})
assert sorted(r.scan_iter('s:*', count=20)) == sorted(b's:%d' % n for n in range(300))`,

  'takes a lock that others do not get; giving it back needs a script, a later version': `
lock = r.lock('lock', timeout=10)
assert lock.acquire(blocking=False)
assert not r.lock('lock', timeout=10).acquire(blocking=False)
assert 0 < r.pttl('lock') <= 10000
try:
    lock.release()
    assert False
except redis.ResponseError as e: assert 'unknown command' in str(e), e`,

  'is told clearly that this is no cluster': `
try:
    redis.RedisCluster(host='127.0.0.1', port=port)
    assert False
except redis.exceptions.RedisClusterException as e:
    assert 'Cluster mode is not enabled on this node' in str(e), e`,

  'names its connection and uses a password and a database': `
r.config_set('requirepass', 'secret')
try:
    inside = redis.Redis(port=port, password='secret', db=3, client_name='py')
    assert inside.client_getname() == 'py'
    try:
        redis.Redis(port=port, password='wrong').ping()
        assert False
    except redis.RedisError as e: assert 'invalid username-password' in str(e), e
finally: inside.config_set('requirepass', '')`,
};

describeWith('python3-redis', 'redis-py', () => {
  const server = useServer();

  for (const [rule, script] of Object.entries(scripts)) {
    it(rule, async () => {
      const head = `import redis\nport = ${server().port}\nr = redis.Redis(port=port)\nr.flushall()`;
      const exit = await run('/usr/bin/python3', ['-W', 'ignore', '-'], `${head}${script}\n`);
      expect(exit).to.deep.equal({ code: 0, stdout: '', stderr: '' });
    });
  }
});
