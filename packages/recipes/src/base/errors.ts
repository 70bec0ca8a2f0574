// The error of a recipe that is used wrongly, or that cannot give what was asked for.

/**
 * `BadPath`, `BadArgument`: the recipe cannot be made so. `AlreadyStarted`, `NotStarted`, `Closed`: not in this state.
 * `NotHeld`: released without being held. `Timeout`: not obtained in time. `Lost`: it was held, and is no longer.
 * `WouldDeadlock`: it could never be obtained. `BadData`: the node holds what this recipe cannot read. `Overflow`: who reads
 * a stream of changes was left too far behind.
 */
export type RecipeErrorCode =
  | 'BadPath'
  | 'BadArgument'
  | 'AlreadyStarted'
  | 'NotStarted'
  | 'Closed'
  | 'NotHeld'
  | 'Timeout'
  | 'Lost'
  | 'WouldDeadlock'
  | 'BadData'
  | 'Overflow';

/** Names the recipe and the path. Errors of the server are the client's `KeeperError`. */
export class RecipeError extends Error {
  override readonly name = 'RecipeError';
  readonly code: RecipeErrorCode;
  /** The class of the recipe. */
  readonly recipe: string;
  readonly path: string;

  constructor(code: RecipeErrorCode, recipe: string, path: string, message: string, cause?: unknown) {
    super(`${recipe} ${path}: ${message}`, cause === undefined ? {} : { cause });
    this.code = code;
    this.recipe = recipe;
    this.path = path;
  }
}

/** Whether `error` is a {@link RecipeError}, of this code if one is given. */
export function isRecipeError(error: unknown, code?: RecipeErrorCode): error is RecipeError {
  return error instanceof RecipeError && (code === undefined || error.code === code);
}
