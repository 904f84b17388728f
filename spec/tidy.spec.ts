/**
 * The structure of lib/, checked as text: floors, doors, purity, columns. Each rule is also shown to
 * find a planted fault, because a check that cannot fail proves nothing.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, posix, relative } from 'node:path';
import { expect } from 'chai';
import { root } from './support/root.ts';

interface Source {
  readonly path: string;
  readonly text: string;
}

/** Folder or file of lib/ -> floor. Imports go strictly down, or stay in the folder. */
const floors: ReadonlyMap<string, number> = new Map([
  ['base', 0],
  ['causal', 1],
  ['ring', 1],
  ['protocol', 1],
  ['updates', 1],
  ['runtime', 1],
  ['storage', 2],
  ['transport', 2],
  ['membership', 3],
  ['replica', 3],
  ['coordinator', 4],
  ['antientropy', 4],
  ['commands', 5],
  ['server', 6],
  ['directives.ts', 6],
  ['config.ts', 7],
  ['cluster', 8],
  ['ring-settings.ts', 8],
  ['ring-status.ts', 8],
  ['coordination.ts', 9],
  ['peer-options.ts', 8],
  ['dynamo-info.ts', 10],
  ['node.ts', 11],
  ['main.ts', 12],
  ['cluster.ts', 12],
]);

/** What may come from outside, by file or folder; everything else imports nothing. */
const packages: readonly (readonly [place: string, names: readonly string[]])[] = [
  ['runtime/system.ts', ['node:crypto', 'node:perf_hooks', 'node:zlib']],
  ['runtime/process-view.ts', ['node:os', 'node:perf_hooks']],
  ['storage/level-storage.ts', ['classic-level', 'node:path']],
  ['storage/disk-files.ts', ['node:fs', 'node:fs/promises', 'node:path']],
  ['transport/tcp-sockets.ts', ['node:net']],
  ['server', ['node:net', 'denque']],
  ['main.ts', ['node:fs', 'node:path', 'pino']],
  ['cluster/node-process.ts', ['node:child_process']],
  ['cluster/probe.ts', ['node:events', 'node:net']],
  ['cluster.ts', ['node:fs', 'node:url']],
];

/** The real doors: opened by main alone, besides their own folder. */
const doors = new Set([
  'runtime/system.ts',
  'runtime/process-view.ts',
  'storage/level-storage.ts',
  'transport/tcp-sockets.ts',
  'server/resp-server.ts',
]);

/** These may read clocks, set timers, or touch the process. */
const ambientAllowed = [
  'runtime/system.ts',
  'runtime/process-view.ts',
  'storage/level-storage.ts',
  'storage/disk-files.ts',
  'server/',
  'main.ts',
  'cluster/node-process.ts',
  'cluster.ts',
];

const ambient =
  /\b(Date\.now|new Date|Math\.random|setTimeout|setInterval|setImmediate|performance\.|process\.|queueMicrotask|console\.)/;

const pure = /^(base|causal|ring|protocol|updates)\/|-core\.ts$/;
/** base/later.ts is where promises and values meet. */
const promiseAllowed = new Set(['base/later.ts']);

function floorOf(path: string): number {
  const floor = floors.get(path.split('/')[0] ?? '');
  if (floor === undefined) throw new Error(`${path} stands on no floor`);
  return floor;
}

function importsOf(text: string): string[] {
  return [...text.matchAll(/^(?:import|export)\b[^'"]*?from '([^']+)'/gm)].map((m) => m[1] ?? '');
}

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/(^|\s)\/\/.*$/gm, '');
}

function floorFaults({ path, text }: Source): string[] {
  return importsOf(text).flatMap((target) => {
    if (!target.startsWith('.')) {
      const allowed = packages.some(
        ([place, names]) =>
          (path === place || path.startsWith(`${place}/`)) && names.includes(target),
      );
      return allowed ? [] : [`${path} must not import the package ${target}`];
    }
    const to = posix.normalize(posix.join(posix.dirname(path), target));
    const sameFolder = path.includes('/') && posix.dirname(to) === posix.dirname(path);
    if (doors.has(to) && path !== 'main.ts' && !sameFolder) {
      return [`${path} opens the real door ${to}`];
    }
    return sameFolder || floorOf(to) < floorOf(path) ? [] : [`${path} must not import ${to}`];
  });
}

function ambientFaults({ path, text }: Source): string[] {
  if (ambientAllowed.some((place) => path === place || path.startsWith(place))) return [];
  const found = ambient.exec(withoutComments(text));
  return found ? [`${path} uses the ambient ${found[0]}`] : [];
}

function purityFaults({ path, text }: Source): string[] {
  if (!pure.test(path) || promiseAllowed.has(path)) return [];
  const found = /\b(async|await|Promise)\b/.exec(withoutComments(text));
  return found ? [`${path} is pure and must not hold ${found[0]}`] : [];
}

function columnFaults({ path, text }: Source): string[] {
  return text
    .split('\n')
    .flatMap((line, index) => (line.length > 100 ? [`${path}:${index + 1} is too long`] : []));
}

const library = join(root, 'lib');
const sources: readonly Source[] = readdirSync(library, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
  .map((entry) => {
    const file = join(entry.parentPath, entry.name);
    return { path: relative(library, file), text: readFileSync(file, 'utf8') };
  });

describe('the structure of lib', () => {
  it('imports only from lower floors and takes packages only through their doors', () => {
    expect(sources.flatMap(floorFaults)).to.deep.equal([]);
  });

  it('reads no ambient clock, timer, randomness or process outside the doors', () => {
    expect(sources.flatMap(ambientFaults)).to.deep.equal([]);
  });

  it('holds no promise on the pure floors and in cores', () => {
    expect(sources.flatMap(purityFaults)).to.deep.equal([]);
  });

  it('stays within 100 columns', () => {
    expect(sources.flatMap(columnFaults)).to.deep.equal([]);
  });

  const planted: readonly (readonly [string, Source, (source: Source) => string[]])[] = [
    [
      'an upward import',
      { path: 'causal/a.ts', text: "import { x } from '../storage/b.ts';" },
      floorFaults,
    ],
    [
      'a same-floor import',
      { path: 'causal/a.ts', text: "import { x } from '../ring/b.ts';" },
      floorFaults,
    ],
    [
      'node:crypto in ring',
      { path: 'ring/a.ts', text: "import { x } from 'node:crypto';" },
      floorFaults,
    ],
    [
      'a real door in node.ts',
      { path: 'node.ts', text: "import { x } from './storage/level-storage.ts';" },
      floorFaults,
    ],
    [
      'the configuration in server',
      { path: 'server/a.ts', text: "import { x } from '../config.ts';" },
      floorFaults,
    ],
    [
      'ambient randomness',
      { path: 'replica/a.ts', text: 'const x = Math.random();' },
      ambientFaults,
    ],
    [
      'an async core',
      { path: 'coordinator/get-core.ts', text: 'async function get() {}' },
      purityFaults,
    ],
    ['a long line', { path: 'base/a.ts', text: 'x'.repeat(101) }, columnFaults],
  ];
  for (const [name, source, check] of planted) {
    it(`would find ${name}`, () => {
      expect(check(source)).to.have.length(1);
    });
  }
});
