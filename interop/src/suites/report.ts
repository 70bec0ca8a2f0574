// What came of a suite's tests: failures with their messages as they happen, those that are known told apart, and the sums.

/** Tests that fail with Apache's server likewise, or that cannot work as the suite is run here; name and reason. */
export type Known = Readonly<Record<string, string>>;

export type Outcome = 'passed' | 'failed' | 'skipped';

export class Report {
  private readonly known: Known;
  private readonly sums: Record<Outcome, number> = { passed: 0, failed: 0, skipped: 0 };
  private asKnown = 0;

  constructor(known: Known) {
    this.known = known;
  }

  /** @param name its place in the table is `key`, if that is not the same */
  add(name: string, outcome: Outcome, message: string, key: string = name): void {
    const reason = Object.hasOwn(this.known, key) ? this.known[key] : undefined;
    if (outcome === 'failed' && reason !== undefined) {
      this.asKnown += 1;
      say(`known: ${name}`, `${reason}\n${message}`);
      return;
    }
    this.sums[outcome] += 1;
    if (outcome === 'failed') say(`FAILED: ${name}`, message);
    else if (outcome === 'passed' && reason !== undefined) say(`passed, though known to fail: ${name}`, reason);
  }

  /** Prints the sums; the exit code. */
  end(): number {
    const { passed, failed, skipped } = this.sums;
    if (this.asKnown > 0) process.stdout.write(`# besides, ${this.asKnown} failed that are known to\n`);
    process.stdout.write(`${passed} passed, ${failed} failed, ${skipped} skipped\n`);
    return failed === 0 && passed > 0 ? 0 : 1;
  }
}

function say(title: string, message: string): void {
  const lines = message.split('\n').filter((line) => line.trim() !== '');
  process.stdout.write(`${title}\n${lines.map((line) => `    ${line}\n`).join('')}`);
}
