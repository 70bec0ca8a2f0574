// The text that limits and usage of a quota are kept as: `count=5,bytes=-1=;byteHardLimit=-1;countHardLimit=-1`.
// Source: StatsTrack of Apache ZooKeeper; the `=` behind bytes keeps readers of 3.4 from what follows.

export type QuotaKey = 'count' | 'bytes' | 'countHardLimit' | 'byteHardLimit';
export type Quota = Partial<Record<QuotaKey, number>>;

export function parseQuota(text: string): Quota {
  const quota: Quota = {};
  for (const pair of text.split(/[,;]+/)) {
    const [key, value] = pair.split('=');
    if (key !== undefined && key !== '')
      quota[key as QuotaKey] = value === undefined || value === '' ? -1 : Number(value);
  }
  return quota;
}

/** -1 stands for no limit. */
export function quotaText(quota: Quota): string {
  const more = Object.entries(quota)
    .filter(([key]) => key !== 'count' && key !== 'bytes')
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const first = `count=${quota.count ?? -1},bytes=${quota.bytes ?? -1}`;
  return more.length === 0 ? first : `${first}=${more.map(([key, value]) => `;${key}=${value}`).join('')}`;
}

const ROOT = '/zookeeper/quota';
export const LIMITS = 'zookeeper_limits';
export const STATS = 'zookeeper_stats';

/** Where the quota of a path is kept. */
export function quotaPath(path: string): string {
  return path === '/' ? ROOT : ROOT + path;
}

/** The path whose quota is kept there. */
export function quotaOwner(at: string): string {
  return at === ROOT ? '/' : at.slice(ROOT.length);
}

export function isInQuota(path: string): boolean {
  return path.startsWith(ROOT);
}
