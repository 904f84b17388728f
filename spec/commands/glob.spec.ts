import { expect } from 'chai';
import fc from 'fast-check';
import { globMatches } from '../../lib/commands/glob.ts';

function matches(pattern: string, text: string, ignoreCase = false): boolean {
  return globMatches(Buffer.from(pattern, 'latin1'), Buffer.from(text, 'latin1'), ignoreCase);
}

/** The meaning of `*` and `?` said directly, at exponential cost. */
function meaning(pattern: string, text: string): boolean {
  if (pattern === '') return text === '';
  if (pattern[0] === '*') {
    return meaning(pattern.slice(1), text) || (text !== '' && meaning(pattern, text.slice(1)));
  }
  const fits = text !== '' && (pattern[0] === '?' || pattern[0] === text[0]);
  return fits && meaning(pattern.slice(1), text.slice(1));
}

describe('glob', () => {
  const cases: readonly (readonly [pattern: string, fits: string[], fails: string[]])[] = [
    ['', [''], ['a']],
    ['*', ['', 'a', 'ab'], []],
    ['**', ['', 'ab'], []],
    ['h?llo', ['hello', 'h\xffllo'], ['hllo', 'heello', 'Hello']],
    ['h*llo', ['hllo', 'heeeello'], ['hell', 'ahllo']],
    ['*a*b', ['ab', 'xaxbxb'], ['aba', 'b']],
    ['h[ae]llo', ['hello', 'hallo'], ['hillo', 'hllo']],
    ['h[^e]llo', ['hallo'], ['hello', 'hllo']],
    ['h[a-c]llo', ['hallo', 'hcllo'], ['hdllo']],
    ['h[c-a]llo', ['hbllo'], ['hdllo']],
    ['[\\]]', [']'], ['\\']],
    ['[\\-a]', ['-', 'a'], ['\\']],
    ['[a', ['a'], ['b']],
    ['[', [], ['', 'a', '[']],
    ['[^', ['a'], ['']],
    ['[]a', [], ['a', ']a', ']']],
    ['[a-]', ['a', ']', '`'], ['-', 'b']],
    ['\\*', ['*'], ['a', '\\*']],
    ['\\', ['\\'], ['a']],
    ['a\\', ['a\\'], ['a']],
    ['*\\?', ['a?', '?'], ['ab']],
    ['\xe9*', ['\xe9\x00'], ['e']],
  ];
  for (const [pattern, fits, fails] of cases) {
    it(`reads ${JSON.stringify(pattern)} as Redis does`, () => {
      for (const text of fits) expect(matches(pattern, text), text).to.equal(true);
      for (const text of fails) expect(matches(pattern, text), text).to.equal(false);
    });
  }

  it('ignores the case of ASCII letters when asked to', () => {
    expect(matches('HeLLo[A-C]?', 'hEllObX', true)).to.equal(true);
    expect(matches('hello', 'HELLO')).to.equal(false);
    expect(matches('\xc9', '\xe9', true)).to.equal(false);
  });

  it('finds every way in which stars can fit', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 8 });
    const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), maxLength: 8 });
    fc.assert(
      fc.property(pattern, word, (glob, text) => {
        expect(matches(glob, text)).to.equal(meaning(glob, text));
      }),
      { numRuns: 2000 },
    );
  });

  it('takes any bytes as a pattern', () => {
    const bytes = fc.uint8Array({ maxLength: 20 }).map((array) => Buffer.from(array));
    fc.assert(
      fc.property(bytes, bytes, fc.boolean(), (pattern, text, ignoreCase) => {
        expect(globMatches(pattern, text, ignoreCase)).to.be.a('boolean');
      }),
    );
  });

  it('does not blow up on a pattern of many stars', () => {
    expect(matches('a*'.repeat(500).concat('b'), 'a'.repeat(1000))).to.equal(false);
    expect(matches('*[a-z]'.repeat(200).concat('!'), 'a'.repeat(1000))).to.equal(false);
  });
});
