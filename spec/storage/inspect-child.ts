/** Opens directories in a process of their own, because a damaged one may end it. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { root } from '../support/root.ts';
import type { Outcome } from './inspect-store.ts';

export interface End {
  /** What killed the process; null = it ended by itself. */
  readonly signal: string | null;
  /** Of the directories that it got through. */
  readonly outcomes: readonly Outcome[];
}

export function inspectInChild(directories: readonly string[]): Promise<End> {
  const script = join(root, 'spec', 'storage', 'inspect-store.ts');
  const parameters = ['--import', 'tsx', script, ...directories];
  return new Promise((resolve) => {
    const child = execFile(process.execPath, parameters, (_error, stdout) => {
      const lines = stdout.split('\n').filter((line) => line !== '');
      resolve({ signal: child.signalCode, outcomes: lines.map((line) => JSON.parse(line)) });
    });
  });
}
