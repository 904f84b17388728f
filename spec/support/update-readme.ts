import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withTables } from './readme-tables.ts';
import { root } from './root.ts';

const file = join(root, 'README.md');
writeFileSync(file, withTables(readFileSync(file, 'utf8')));
