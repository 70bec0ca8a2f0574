// Looks on while names are looked up, for tests of whoever dials; the command's tests use it, too.
import dns from 'node:dns';
import type { TestContext } from 'node:test';

/** The hints that each of the test's lookups was given from now on. */
export function hintsOfLookups(t: TestContext): readonly unknown[] {
  const real = dns.lookup;
  const hints: unknown[] = [];
  const watched = (name: string, options: dns.LookupOptions, found: () => void): void => {
    hints.push(options.hints);
    real(name, options, found);
  };
  t.mock.method(dns, 'lookup', watched as unknown as typeof dns.lookup);
  return hints;
}
