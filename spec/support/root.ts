/** The top of the checkout, wherever the compiled specs lie. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

function topOf(directory: string): string {
  return existsSync(join(directory, 'package.json')) ? directory : topOf(dirname(directory));
}

export const root = topOf(import.meta.dirname);
