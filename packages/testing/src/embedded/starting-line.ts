// Where servers that start together wait for each other: who votes before the others listen takes them for down, elects a leader without
// them, and has to begin again.

export class StartingLine {
  private readonly missing: Set<number>;
  private readonly opened: Promise<void>;
  private readonly waiting: (() => void)[] = [];

  /** @param ports that all have to be listened at */
  constructor(ports: readonly number[]) {
    this.missing = new Set(ports);
    this.opened = new Promise((resolve) => this.waiting.push(resolve));
  }

  /** Somebody listens at the port. Resolves when all others are there too, at once for a port that is none of these. */
  async arrive(port: number): Promise<void> {
    if (!this.missing.delete(port)) return;
    if (this.missing.size === 0) this.open();
    await this.opened;
  }

  /** Waits for nobody any more. */
  open(): void {
    for (const go of this.waiting.splice(0)) go();
  }
}
