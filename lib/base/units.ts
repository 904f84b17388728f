/**
 * Text forms of quantities as redis.conf writes them. Each function answers undefined for what it
 * cannot read; the caller knows which directive to name.
 */
const sizeUnits: ReadonlyMap<string, number> = new Map([
  ['', 1],
  ['b', 1],
  ['k', 1000],
  ['kb', 1024],
  ['m', 1_000_000],
  ['mb', 1024 ** 2],
  ['g', 1_000_000_000],
  ['gb', 1024 ** 3],
]);

/** `512mb`, `1g`, `100`: bytes. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d{1,15})([a-z]{0,2})$/i.exec(text);
  const unit = sizeUnits.get((match?.[2] ?? '?').toLowerCase());
  if (match?.[1] === undefined || unit === undefined) return undefined;
  const bytes = Number(match[1]) * unit;
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

export function parseInteger(text: string): number | undefined {
  if (!/^-?\d{1,16}$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** `1.5G`, as INFO's used_memory_human. */
export function humanSize(bytes: number): string {
  const units = ['B', 'K', 'M', 'G', 'T'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return unit === 0 ? `${value}B` : `${value.toFixed(2)}${units[unit] ?? ''}`;
}
