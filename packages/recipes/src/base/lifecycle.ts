// Recipes that work in the background: started once, closed once.

import { RecipeError } from './errors.js';

/** The state of a recipe that must be started, and the errors of those who use it otherwise. */
export class Lifecycle {
  state: 'latent' | 'started' | 'closed' = 'latent';
  private readonly closing = new AbortController();
  private readonly recipe: string;
  private readonly path: string;

  constructor(recipe: string, path: string) {
    this.recipe = recipe;
    this.path = path;
  }

  /** Aborted when the recipe is closed. */
  get signal(): AbortSignal {
    return this.closing.signal;
  }

  get isClosed(): boolean {
    return this.state === 'closed';
  }

  /** @throws RecipeError AlreadyStarted, Closed */
  start(): void {
    if (this.state === 'started') throw this.error('AlreadyStarted', 'it was started before');
    if (this.state === 'closed') throw this.error('Closed', 'it was closed');
    this.state = 'started';
  }

  /** @throws RecipeError NotStarted, Closed */
  check(): void {
    if (this.state === 'latent') throw this.error('NotStarted', 'it was not started');
    if (this.state === 'closed') throw this.error('Closed', 'it was closed');
  }

  /** Returns whether this was the first time. */
  close(): boolean {
    if (this.state === 'closed') return false;
    this.state = 'closed';
    this.closing.abort(this.error('Closed', 'it was closed'));
    return true;
  }

  private error(code: 'AlreadyStarted' | 'NotStarted' | 'Closed', message: string): RecipeError {
    return new RecipeError(code, this.recipe, this.path, message);
  }
}
