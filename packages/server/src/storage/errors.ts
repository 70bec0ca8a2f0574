// Errors of storage: each says which file, where, what was met and what to do about it.

export class StorageError extends Error {
  override readonly name = 'StorageError';
  readonly file: string;
  /** Bytes from the start of the file; undefined where no place in it is meant. */
  readonly offset: number | undefined;
  readonly remedy: string;
  /** Whether what the file holds is damaged or missing, so that another copy of the data would do. */
  readonly isDamage: boolean;

  constructor(file: string, offset: number | undefined, problem: string, remedy: string, isDamage = false) {
    super(`${file}${offset === undefined ? '' : ` at offset ${offset}`}: ${problem}. ${remedy}`);
    this.file = file;
    this.offset = offset;
    this.remedy = remedy;
    this.isDamage = isDamage;
  }
}
