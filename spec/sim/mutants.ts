/**
 * Faults that the simulator must find: the honest measure of what it is able to see. Names as in
 * RELIABILITY: V2, V6, V8 of its appendix B, B1 to B26 of its section 2; Q1 to Q4 are about what clients
 * are told beyond single keys.
 */
export interface Edit {
  readonly file: string;
  /** Occurs exactly once. */
  readonly find: string;
  readonly replace: string;
}

export interface Mutant {
  readonly name: string;
  readonly why: string;
  /** Only rings that are changed can show it. */
  readonly changing?: true;
  readonly edits: readonly Edit[];
}

export const mutants: readonly Mutant[] = [
  {
    name: 'V2',
    why: 'the epoch is not renewed when a commit fails',
    edits: [{ file: 'lib/replica/replica.ts', find: '    this.actors.renew();\n', replace: '' }],
  },
  {
    name: 'V6',
    why: 'actors are kept over crashes',
    edits: [
      {
        file: 'lib/replica/actor-rule.ts',
        find: '    this.#random = random;\n    this.#newest = this.#draw();',
        replace: '    this.#random = random;\n    this.#newest = 1;',
      },
    ],
  },
  {
    name: 'V8',
    why: 'the marker of a clean stop is left lying, and believed without its two witnesses',
    edits: [
      { file: 'lib/storage/store.ts', find: '      await removeMarker(files);\n', replace: '' },
      {
        file: 'lib/storage/store.ts',
        find: 'return marker.lastBatch === check.lastNumber && check.missing === 0 ?',
        replace: 'return check.missing === 0 ?',
      },
      {
        file: 'lib/node.ts',
        find: '() => coordination.vouchFor(marker.bootNonce),',
        replace: '() => undefined,',
      },
    ],
  },
  {
    name: 'B1',
    why: 'one actor for the life of a process, whatever became of the record',
    edits: [
      {
        file: 'lib/replica/actor-rule.ts',
        find: '    const actor = this.#draw();',
        replace: '    const actor = this.#newest;',
      },
    ],
  },
  {
    name: 'B7',
    why: 'two writes of one key interleave while the first waits for the disk',
    edits: [
      {
        file: 'lib/replica/rows.ts',
        find: '    if (!this.#queue.idle) {',
        replace: '    if (Math.max(0, 0) > 0) {',
      },
      {
        file: 'lib/replica/rows.ts',
        find: 'return isLater(fetched) ? this.#queue.run(place.id, () => fetched) : fetched;',
        replace: 'return fetched;',
      },
    ],
  },
  {
    name: 'B8',
    why: 'a DYN.PUT whose coordinator falls silent is sent to the next one',
    edits: [
      {
        file: 'lib/coordinator/ring-coordinator.ts',
        find: '      repeatable: false,',
        replace: '      repeatable: true,',
      },
    ],
  },
  {
    name: 'B10',
    why: 'one fallback may stand in for two owners, and its two answers count as two copies',
    edits: [
      {
        file: 'lib/coordinator/replication.ts',
        find: '!this.#fallbacks.includes(member) && ',
        replace: '',
      },
      {
        file: 'lib/coordinator/put-core.ts',
        find: 'holders.includes(member) || ',
        replace: '',
      },
    ],
  },
  {
    name: 'B11',
    why: 'the "not found" of a fallback without a hint counts toward R',
    edits: [
      {
        file: 'lib/coordinator/quorum-read.ts',
        find: "    if (answer.kind === 'record') this.#core.record(member, answer.record);",
        replace:
          "    if (answer.kind === 'nothing') this.#core.record(member, { vv: [], siblings: [] });\n" +
          "    if (answer.kind === 'record') this.#core.record(member, answer.record);",
      },
    ],
  },
  {
    name: 'Q1',
    why: 'commands of one connection overtake each other on a key',
    edits: [
      {
        file: 'lib/commands/in-flight.ts',
        find: '      if (use !== undefined && use.way !== way) return false;\n',
        replace: '      if (use !== undefined && use.count < 0) return way !== use.way;\n',
      },
    ],
  },
  {
    name: 'Q2',
    why: 'EXEC does not look again at what was watched',
    edits: [
      {
        file: 'lib/commands/transactions.ts',
        find: '(differs ? undefined : start(batch, queue))',
        replace: '(differs && queue.length === 0 ? undefined : start(batch, queue))',
      },
    ],
  },
  {
    name: 'Q3',
    why: 'a page of SCAN is given however few owners have answered',
    edits: [
      {
        file: 'lib/coordinator/ring-scan.ts',
        find: '    if (asked < needed) {',
        replace: '    if (asked < Math.min(0, needed)) {',
      },
    ],
  },
  {
    name: 'Q4',
    why: 'WAIT counts every owner that answers',
    edits: [
      {
        file: 'lib/coordinator/explain.ts',
        find: '=> versionOf(record, hash).equals(newest);',
        replace: '=> newest.length > 0 && record.vv.length >= 0;',
      },
    ],
  },
  {
    name: 'B23',
    why: 'one member is a majority: two layouts get one version',
    edits: [
      {
        file: 'lib/membership/ballot-core.ts',
        find: 'return Math.floor(acceptors / 2) + 1;',
        replace: 'return Math.min(1, acceptors);',
      },
    ],
  },
  {
    name: 'B23b',
    why: 'an acceptor takes part in ballots below the one that it has promised',
    edits: [
      {
        file: 'lib/membership/ballot-core.ts',
        find: 'if (isAbove(acceptor.promised, vote.ballot)) return undefined;',
        replace: '',
      },
    ],
  },
  {
    name: 'B19',
    why: 'reads go to a new layout before its owners are filled',
    changing: true,
    edits: [
      {
        file: 'lib/membership/topology.ts',
        find: 'this.trackersOf(id).complete >= version);',
        replace: 'this.trackersOf(id).complete >= 0 && version > 0);',
      },
    ],
  },
  {
    name: 'B20',
    why: 'one old owner is enough to fill from, and not the one that writes most',
    changing: true,
    edits: [
      {
        file: 'lib/coordinator/filling.ts',
        find: 'return pulled >= Math.max(wanted, needed);',
        replace: 'return pulled >= Math.min(wanted, needed, 1);',
      },
      {
        file: 'lib/coordinator/filling.ts',
        find: 'const left = sources.filter(',
        replace: 'const left = sources.toReversed().filter(',
      },
      {
        file: 'lib/coordinator/filling.ts',
        find: 'const sourcesAtOnce = 2;',
        replace: 'const sourcesAtOnce = 1;',
      },
      {
        file: 'lib/coordinator/filling.ts',
        find: 'if (await this.#pull(source, slots)) pulled += 1;',
        replace: 'if (pulled === 0 && (await this.#pull(source, slots))) pulled += 1;',
      },
    ],
  },
  {
    name: 'B21',
    why: 'a write does not go to those who are to own it',
    changing: true,
    edits: [
      {
        file: 'lib/coordinator/ring-view.ts',
        find: 'return this.#lists.sets(this.partitionOf(slot));',
        replace: 'return [this.#lists.owners(this.partitionOf(slot))];',
      },
    ],
  },
  {
    name: 'B22',
    why: 'an old owner drops a record that one of the new owners has',
    changing: true,
    edits: [
      {
        file: 'lib/coordinator/offload.ts',
        find: 'await pushSynced(this.#parts, place, record, owners)',
        replace: 'await pushSynced(this.#parts, place, record, owners.slice(0, 1))',
      },
    ],
  },
  {
    name: 'B25',
    why: 'nobody speaks to the dead any more: a healed split stays one',
    edits: [
      {
        file: 'lib/membership/probes.ts',
        find: "=== 'down') this.probe(chosen);",
        replace: "=== 'left') this.probe(chosen);",
      },
      {
        file: 'lib/membership/gossip.ts',
        find: 'if (!this.#isRunning || !this.#options.isMember(peer)) return;',
        replace:
          'if (!this.#isRunning || !this.#options.isMember(peer)) return;\n' +
          "    if (this.#table.get(peer)?.state === 'down') return;",
      },
    ],
  },
  {
    name: 'B26',
    why: 'an old rumour outranks what is newer',
    edits: [
      {
        file: 'lib/membership/member-entry.ts',
        find: 'return a.incarnation > b.incarnation ? a : b;',
        replace: 'return a.incarnation > b.incarnation && a.state !== b.state ? b : a;',
      },
    ],
  },
];
