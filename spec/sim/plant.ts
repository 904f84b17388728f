/**
 * Plants a mutant: a copy of lib/ and spec/ in a temporary directory, one place in it changed. The
 * code under test needs no switches for faults, and an old patch that no longer fits is an error.
 */
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '../support/root.ts';
import { type Mutant, mutants } from './mutants.ts';

export interface Planted {
  readonly directory: string;
  remove(): Promise<void>;
}

export async function plantMutant(name: string): Promise<Planted> {
  const mutant = mutants.find((row) => row.name === name);
  if (mutant === undefined) {
    throw new Error(`no mutant ${name}: ${mutants.map((row) => row.name).join(', ')}`);
  }
  const directory = await mkdtemp(join(tmpdir(), 'redynamo-mutant-'));
  const remove = (): Promise<void> => rm(directory, { recursive: true, force: true });
  try {
    for (const part of ['lib', 'spec', 'package.json', 'tsconfig.json']) {
      await cp(join(root, part), join(directory, part), { recursive: true });
    }
    await symlink(join(root, 'node_modules'), join(directory, 'node_modules'));
    for (const edit of mutant.edits) await plant(directory, mutant, edit);
  } catch (error) {
    await remove();
    throw error;
  }
  return { directory, remove };
}

async function plant(
  directory: string,
  { name }: Mutant,
  { file, find, replace }: Mutant['edits'][number],
): Promise<void> {
  const path = join(directory, file);
  const source = await readFile(path, 'utf8');
  if (source.split(find).length !== 2) {
    throw new Error(`mutant ${name}: ${file} must hold exactly once: ${find}`);
  }
  await writeFile(
    path,
    source.replace(find, () => replace),
  );
}
