import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { withTables } from './support/readme-tables.ts';
import { root } from './support/root.ts';

const readme = readFileSync(join(root, 'README.md'), 'utf8');
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly scripts: Readonly<Record<string, string>>;
};

describe('README', () => {
  it('lists the commands and directives that there are (npm run readme)', () => {
    expect(readme).to.equal(withTables(readme));
  });

  it('gives a reason for every dependency', () => {
    for (const name of Object.keys({ ...manifest.dependencies, ...manifest.devDependencies })) {
      expect(readme, name).to.match(new RegExp(`^\\| .*\`${name}\``, 'm'));
    }
  });

  it('names only scripts that exist', () => {
    const named = [...readme.matchAll(/npm run ([a-z]+)/g)].map((match) => match[1] ?? '');
    expect(named).to.not.deep.equal([]);
    for (const name of named) expect(Object.keys(manifest.scripts)).to.include(name);
  });
});
