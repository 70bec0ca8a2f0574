// Names of sequential nodes, and their order.

// Ten digits, or a minus and ten digits once the parent's counter has overflowed.
const NUMBER = /^-?\d{10}$/;

/** The number that a server has put behind a name that ends with `mark`; undefined for other names. */
export function sequenceAfter(name: string, mark: string): number | undefined {
  const at = name.lastIndexOf(mark);
  if (at < 0) return undefined;
  const digits = name.slice(at + mark.length);
  return NUMBER.test(digits) ? Number(digits) : undefined;
}

/**
 * Orders sequence numbers. The parent's counter is a signed int that overflows, so the distance decides: nodes that exist
 * at the same time are less than 2^31 apart.
 */
export function compareSequences(a: number, b: number): number {
  return (a - b) | 0;
}
