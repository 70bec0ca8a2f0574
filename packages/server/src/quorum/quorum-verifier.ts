// Which sets of servers decide: a majority of the voters, or a majority of groups by weight.

export interface QuorumVerifier {
  readonly voters: readonly number[];
  isVoter(id: number): boolean;
  /** 1 for each voter in majority quorums; 0 never leads. */
  weight(id: number): number;
  /** Whether the voters for which `has` is true decide. */
  enough(has: (id: number) => boolean): boolean;
}

/** More than half of the voters. */
export function majorityQuorum(voters: readonly number[]): QuorumVerifier {
  const set = new Set(voters);
  return {
    voters,
    isVoter: (id) => set.has(id),
    weight: (id) => (set.has(id) ? 1 : 0),
    enough(has) {
      let count = 0;
      for (const id of voters) if (has(id)) count++;
      return count > voters.length / 2;
    },
  };
}

/** More than half of the groups, each won by more than half of its weight. Groups without weight do not count. */
export function hierarchicalQuorum(
  voters: readonly number[],
  groups: readonly (readonly number[])[],
  weights: ReadonlyMap<number, number>,
): QuorumVerifier {
  const set = new Set(voters);
  const grouped = new Set(groups.flat());
  const weight = (id: number): number => (set.has(id) && grouped.has(id) ? (weights.get(id) ?? 1) : 0);
  const counted = groups
    .map((ids) => ({ ids, total: sumOf(ids, weight), half: Math.floor(sumOf(ids, weight) / 2) }))
    .filter((group) => group.total > 0);
  return {
    voters,
    isVoter: (id) => set.has(id),
    weight,
    enough(has) {
      let won = 0;
      for (const { ids, half } of counted) {
        let sum = 0;
        for (const id of ids) if (has(id)) sum += weight(id);
        if (sum > half) won++;
      }
      return won > counted.length / 2;
    },
  };
}

function sumOf(ids: readonly number[], weight: (id: number) => number): number {
  return ids.reduce((sum, id) => sum + weight(id), 0);
}
