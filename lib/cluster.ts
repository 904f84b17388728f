#!/usr/bin/env node
/**
 * `npm run cluster -- 3`: a ring of several nodes on this machine, each a process of its own, to
 * try things on. It starts them, merges their logs, says when the ring is ready, and stops them
 * together. A node that dies by itself is reported and the others go on: that is what the ring is
 * for. Nothing here knows how a ring is founded; the nodes do that among themselves.
 */
import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { readableLine } from './cluster/log-line.ts';
import { NodeProcess } from './cluster/node-process.ts';
import { type ClusterPlan, faultOfDirectories, host, planCluster, usage } from './cluster/plan.ts';
import { isFree, seesAllUp } from './cluster/probe.ts';
import { ConfigError } from './config.ts';

const probeEveryMs = 100;
const entry = fileURLToPath(new URL('./main.js', import.meta.url));

class Cluster {
  readonly #plan: ClusterPlan;
  #nodes: readonly NodeProcess[] = [];
  #isReady = false;
  #isStopping = false;
  #exitCode = 0;

  constructor(plan: ClusterPlan) {
    this.#plan = plan;
  }

  start(): void {
    say(`starting ${this.#plan.nodes.length} nodes, data in ${this.#plan.dir}`);
    const events = {
      onLine: (node: NodeProcess, line: string) => say(readableLine(node.plan.name, line)),
      onEnd: (node: NodeProcess, how: number | string) => this.#onEnd(node, how),
    };
    this.#nodes = this.#plan.nodes.map((node) => new NodeProcess(node, entry, events));
    this.#awaitReady().catch(fail);
  }

  stop(): void {
    this.#isStopping = true;
    for (const node of this.#nodes) node.stop();
  }

  async #awaitReady(): Promise<void> {
    const { nodes, password } = this.#plan;
    for (const { port } of nodes) {
      while (!(await seesAllUp(port, password, nodes.length))) {
        if (this.#isStopping) return;
        await new Promise((resolve) => setTimeout(resolve, probeEveryMs));
      }
    }
    this.#isReady = true;
    say(readyText(this.#plan, this.#nodes));
  }

  #onEnd(node: NodeProcess, how: number | string): void {
    const { name } = node.plan;
    // A node that had not yet installed its handler is ended by the signal itself.
    const isClean = this.#isStopping && (how === 0 || how === 'SIGTERM');
    if (!isClean) say(`${name} ended (${how}), pid ${node.pid}`);
    if (!isClean && this.#isStopping) this.#exitCode = 1;
    if (!this.#isReady && !this.#isStopping) {
      this.#exitCode = 1;
      say(`the ring cannot be complete without ${name}: stopping the others`);
      this.stop();
    }
    if (this.#nodes.some(({ hasEnded }) => !hasEnded)) return;
    if (!this.#isStopping) say('no node is left');
    process.exit(this.#isStopping ? this.#exitCode : 1);
  }
}

function readyText({ nodes, seeds, dir }: ClusterPlan, started: readonly NodeProcess[]): string {
  const rows = nodes.map(({ name, port, peerPort }, index) => {
    const pid = `pid ${started[index]?.pid ?? 0}`.padEnd(12);
    return `  ${name.padEnd(4)}${pid}redis-cli -p ${port}   peers ${host}:${peerPort}`;
  });
  return [
    `ready: ring of ${nodes.length}, each node takes commands and sees all up, data in ${dir}`,
    ...rows,
    `  seeds ${seeds}`,
    '  any node takes any key; Ctrl-C stops all, kill -9 of a pid shows the others going on',
  ].join('\n');
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function fail(error: unknown): never {
  const text = error instanceof ConfigError ? error.message : error;
  process.stderr.write(`cluster: ${text instanceof Error ? text.stack : text}\n`);
  process.exit(1);
}

/** Names of the nodes that have a directory already. */
function nodesIn(dir: string): string[] {
  return existsSync(dir) ? readdirSync(dir).filter((name) => /^n\d+$/.test(name)) : [];
}

async function run(): Promise<void> {
  const plan = planCluster(process.argv.slice(2));
  if (plan === undefined) {
    process.stdout.write(usage);
    return;
  }
  const fault = faultOfDirectories(plan, nodesIn(plan.dir));
  if (fault !== undefined) throw new ConfigError(fault);
  for (const port of plan.nodes.flatMap((node) => [node.port, node.peerPort])) {
    if (!(await isFree(port))) throw new ConfigError(`${host}:${port}: the port is in use`);
  }
  const cluster = new Cluster(plan);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => cluster.stop());
  }
  // Nobody reads the log any more, or this process fails: the nodes still stop cleanly.
  process.stdout.on('error', () => cluster.stop());
  process.on('exit', () => cluster.stop());
  cluster.start();
}

run().catch(fail);
