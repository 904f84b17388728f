/** What Redis cannot show, over the wire: contexts, siblings, and a causal client without new code. */
import { expect } from 'chai';
import { RawClient, type RawReply } from '../support/raw-client.ts';
import { useServer } from '../support/server-process.ts';

describe('DYN over the wire', () => {
  const server = useServer();
  let client: RawClient;
  beforeEach(async () => {
    client = await RawClient.connect(server().port);
    await client.command('FLUSHALL');
  });
  afterEach(() => client.close());

  async function siblingsOf(key: string): Promise<{ context: string; siblings: RawReply }> {
    const reply = await client.command('DYN.GET', key);
    if (!Array.isArray(reply)) throw new Error(`DYN.GET answered ${reply}`);
    const [context, siblings = null] = reply;
    return { context: String(context), siblings };
  }

  it('two writes that have seen the same make siblings; one that has seen both settles them', async () => {
    await client.command('SET', 'a', '1');
    const { context, siblings } = await siblingsOf('a');
    expect(siblings).to.deep.equal(['1']);
    await client.command('DYN.PUT', 'a', context, 'left');
    await client.command('DYN.PUT', 'a', context, 'right');
    expect(await client.command('GET', 'a')).to.equal('right');
    const both = await siblingsOf('a');
    expect(both.siblings).to.deep.equal(['right', 'left']);
    await client.command('DYN.PUT', 'a', both.context, 'left+right');
    expect((await siblingsOf('a')).siblings).to.deep.equal(['left+right']);
  });

  it('a plain SET settles siblings, and DYN.DEL removes only what it has seen', async () => {
    await client.command('DYN.PUT', 'a', '', 'one');
    const { context } = await siblingsOf('a');
    await client.command('DYN.PUT', 'a', '', 'two');
    await client.command('DYN.DEL', 'a', context);
    expect((await siblingsOf('a')).siblings).to.deep.equal(['two']);
    await client.command('DYN.PUT', 'a', '', 'three');
    await client.command('SET', 'a', 'plain');
    expect((await siblingsOf('a')).siblings).to.deep.equal(['plain']);
  });

  it('a context of another key or db, or with one character changed, is refused and changes nothing', async () => {
    await client.command('SET', 'a', '1');
    await client.command('SET', 'b', '2');
    const { context } = await siblingsOf('a');
    const ofB = (await siblingsOf('b')).context;
    const spoiled = Array.from({ length: context.length }, (_, at) => {
      const other = context[at] === 'A' ? 'B' : 'A';
      return `${context.slice(0, at)}${other}${context.slice(at + 1)}`;
    });
    for (const wrong of [ofB, 'x', context.slice(1), `${context}A`, ...spoiled]) {
      const reply = await client.command('DYN.PUT', 'a', wrong, 'bad');
      expect(reply, wrong).to.be.an('error');
      expect(`${reply}`).to.match(/^(ReplyError|Error): BADCONTEXT /);
    }
    await client.command('SELECT', '1');
    expect(`${await client.command('DYN.PUT', 'a', context, 'bad')}`).to.match(/BADCONTEXT/);
    await client.command('SELECT', '0');
    expect(await siblingsOf('a')).to.deep.equal({ context, siblings: ['1'] });
  });

  it('contexts are compared and merged', async () => {
    const old = (await siblingsOf('a')).context;
    await client.command('SET', 'a', '1');
    const { context } = await siblingsOf('a');
    expect(await client.command('DYN.CONTEXT', 'COMPARE', old, context)).to.equal('before');
    expect(await client.command('DYN.CONTEXT', 'COMPARE', context, old)).to.equal('after');
    expect(await client.command('DYN.CONTEXT', 'MERGE', old, context)).to.equal(context);
    expect(await client.command('DYN.CONTEXT', 'COMPARE', context, context)).to.equal('equal');
  });

  it('TRACK turns two plain clients into causal ones: their conflict shows', async () => {
    await client.command('SET', 'cart', 'empty');
    const others = [
      await RawClient.connect(server().port),
      await RawClient.connect(server().port),
    ] as const;
    for (const other of others) {
      expect(await other.command('DYN.CONTEXT', 'TRACK', 'ON')).to.equal('OK');
      expect(await other.command('GET', 'cart')).to.equal('empty');
    }
    await others[0].command('SET', 'cart', 'milk');
    await others[1].command('SET', 'cart', 'bread');
    expect((await siblingsOf('cart')).siblings).to.deep.equal(['bread', 'milk']);
    expect(await others[0].command('GET', 'cart')).to.equal('bread');
    await others[0].command('SET', 'cart', 'milk,bread');
    expect((await siblingsOf('cart')).siblings).to.deep.equal(['milk,bread']);
    for (const other of others) await other.close();
  });

  it('siblings beyond the limit are refused with the remedy', async () => {
    await client.command('CONFIG', 'SET', 'sibling-limit', '3');
    for (const value of ['1', '2', '3']) await client.command('DYN.PUT', 's', '', value);
    const refusal = await client.command('DYN.PUT', 's', '', '4');
    expect(refusal).to.be.an('error');
    expect(`${refusal}`).to.match(/TOOMANYSIBLINGS /);
    const { context, siblings } = await siblingsOf('s');
    expect(siblings).to.deep.equal(['3', '2', '1']);
    expect(await client.command('DYN.PUT', 's', context, '4')).to.be.a('string');
    await client.command('CONFIG', 'SET', 'sibling-limit', '100');
  });

  it('the ring of one node, its owner and its quorum are shown', async () => {
    expect(await client.command('DYN.QUORUM')).to.deep.equal(['r', 1, 'w', 1, 'n', 1]);
    const status = await client.command('DYN.RING', 'STATUS');
    expect(JSON.stringify(status)).to.match(/"version",1,"transition",0,"members"/);
    const owners = await client.command('DYN.RING', 'OWNERS', 'a');
    expect(owners).to.be.an('array').with.length(1);
    const explained = await client.command('DYN.EXPLAIN', 'foo');
    expect(JSON.stringify(explained)).to.match(
      /^\["slot",12182,"partition",761,"layout",1,"owners"/,
    );
    expect(await client.command('INFO', 'dynamo')).to.match(/^# Dynamo\r\nnode_id:/i);
  });
});
