/** What the directives say of operations over the ring, as it is now. */
import { type Config, databaseQuorums } from './config.ts';
import type { Quorum, RingSettings } from './coordinator/parts.ts';
import type { RingView } from './coordinator/ring-view.ts';

/** What of the ring the settings depend on. */
type Shape = Pick<RingView, 'n' | 'layouts' | 'onChange'>;

/** Asked for with every operation, so the directives are read when they or the ring change. */
export function followSettings(config: Config, ring: Shape): () => RingSettings {
  const read = (): RingSettings => {
    const usual = capped(defaultQuorum(config), ring);
    const byDb = new Map(
      [...databaseQuorums(config)].map(([db, quorum]) => [db, capped(quorum, ring)]),
    );
    return {
      timeoutMs: config.number('request-timeout-ms'),
      strict: config.flag('quorum-strict'),
      limits: {
        stringBytesMax: config.number('proto-max-bulk-len'),
        siblingLimit: config.number('sibling-limit'),
      },
      quorum: (db) => byDb.get(db) ?? usual,
    };
  };
  let settings = read();
  const again = (): void => {
    settings = read();
  };
  for (const name of followed) config.onChange(name, again);
  ring.onChange(again);
  return () => settings;
}

const followed = ['request-timeout-ms', 'quorum-strict', 'proto-max-bulk-len', 'sibling-limit'];

/** Of all databases: of so many owners each acknowledged write is held. */
export function leastW(config: Config): number {
  const others = [...databaseQuorums(config).values()].map(({ w }) => w);
  return Math.min(defaultQuorum(config).w, ...others);
}

function defaultQuorum(config: Config): Pick<Quorum, 'r' | 'w'> {
  const [, r = 1, w = 1] = config.text('quorum').split(' ').map(Number);
  return { r, w };
}

/**
 * R and W are capped by N, and N by the members. While the ring grows, W is that of the larger
 * layout; in the smaller one it is as many as there are.
 */
function capped({ r, w }: Pick<Quorum, 'r' | 'w'>, { n, layouts }: Shape): Quorum {
  return { n, r: Math.min(r, n), w: Math.min(w, Math.max(...layouts.map((layout) => layout.n))) };
}
