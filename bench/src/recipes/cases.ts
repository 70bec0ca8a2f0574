// What is measured of the recipes, and what a worker prints.

export const CASES = [
  'lock',
  'contended-lock',
  'hand-over',
  'cache',
  'large-cache',
  'queue-put',
  'queue-take',
  'queue-take-locked',
] as const;
export type CaseName = (typeof CASES)[number];

/** Figures by name; a worker prints them as JSON. */
export type Figures = Readonly<Record<string, number>>;

/** Nodes of the caches, and changes. Curator's cannot be initialized with more than 65 535 reads under way. */
export const CACHE_NODES = { cache: 50_000, 'large-cache': 100_000 } as const;
export const CACHE_CHANGES = 40_000;
/** Contenders for one lock, each with a session of its own. */
export const CONTENDERS = 50;
export const HAND_OVERS = 200;
export const QUEUE_ITEMS = 5_000;
