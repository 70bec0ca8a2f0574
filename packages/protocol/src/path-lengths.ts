// How long the paths of a set are: which beginnings of another path are worth being looked for in it. To look for all of them costs,
// where a path has thousands of levels, its length for each.

export class PathLengths {
  private readonly counts = new Map<number, number>();

  add(path: string): void {
    this.counts.set(path.length, (this.counts.get(path.length) ?? 0) + 1);
  }

  delete(path: string): void {
    const rest = (this.counts.get(path.length) ?? 0) - 1;
    if (rest > 0) this.counts.set(path.length, rest);
    else this.counts.delete(path.length);
  }

  clear(): void {
    this.counts.clear();
  }

  has(length: number): boolean {
    return this.counts.has(length);
  }

  get empty(): boolean {
    return this.counts.size === 0;
  }
}
