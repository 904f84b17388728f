import { expect } from 'chai';
import { splitInline } from '../../lib/protocol/inline.ts';

function words(line: string): string[] | undefined {
  return splitInline(Buffer.from(line, 'latin1'))?.map((word) => word.toString('latin1'));
}

describe('inline commands', () => {
  const rows: readonly [rule: string, line: string, expected: string[] | undefined][] = [
    ['splits on white space', ' SET\ta \x0b b\r', ['SET', 'a', 'b']],
    ['ends no word at a vertical tab or form feed', 'a\x0bb c\x0c', ['a\x0bb', 'c\x0c']],
    ['has no words in a blank line', ' \t\r', []],
    ['keeps white space inside quotes', 'SET "a b" \'c d\'', ['SET', 'a b', 'c d']],
    ['keeps empty quoted words', 'SET "" \'\'', ['SET', '', '']],
    ['knows the escapes of double quotes', '"\\n\\r\\t\\b\\a\\\\\\"\\q"', ['\n\r\t\b\x07\\"q']],
    ['reads \\xHH in either case', '"\\x00\\xfF\\x4a"', ['\x00\xffJ']],
    ['takes \\x without two digits as x', '"\\x4g"', ['x4g']],
    ["knows only \\' in single quotes", "'a\\'b\\n\\q'", ["a'b\\n\\q"]],
    ['opens quotes inside a word', 'a"b c"', ['ab c']],
    ['refuses text right behind a closing quote', '"a"b', undefined],
    ['refuses text right behind a closing single quote', "'a'b", undefined],
    ['refuses an open double quote', 'GET "a', undefined],
    ['refuses an open single quote', "GET 'a", undefined],
    ['refuses a quote that only an escape closes', '"a\\"', undefined],
    ['takes a backslash outside quotes as it is', 'a\\nb', ['a\\nb']],
    ['takes bytes that are no text', '\x00\x01 \xff', ['\x00\x01', '\xff']],
  ];
  for (const [rule, line, expected] of rows) {
    it(rule, () => {
      expect(words(line)).to.deep.equal(expected);
    });
  }
});
