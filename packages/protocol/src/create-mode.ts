// The flags of a create request. Source: CreateMode of Apache ZooKeeper.

export const CreateMode = {
  persistent: 0,
  ephemeral: 1,
  persistentSequential: 2,
  ephemeralSequential: 3,
  container: 4,
  persistentWithTtl: 5,
  persistentSequentialWithTtl: 6,
} as const;

export type CreateMode = (typeof CreateMode)[keyof typeof CreateMode];

/** The longest time to live of a TTL node, in milliseconds (40 bits). */
export const MAX_TTL = 2 ** 40 - 1;

export const isEphemeral = (flags: number): boolean => flags === 1 || flags === 3;
export const isSequential = (flags: number): boolean => flags === 2 || flags === 3 || flags === 6;
export const isTtl = (flags: number): boolean => flags === 5 || flags === 6;
