// Paths of recipes: checked when a recipe is made, not when the server first refuses one.

import { RecipeError } from './errors.js';

/**
 * Returns the path. It is one that can have children: absolute, and not the root.
 * @throws RecipeError BadPath
 */
export function recipePath(recipe: string, path: string): string {
  const problem = problemOf(path);
  if (problem !== undefined) throw new RecipeError('BadPath', recipe, String(path), problem);
  return path;
}

/** Returns the name, which is to be a node's. @throws RecipeError BadArgument */
export function nodeName(recipe: string, path: string, name: string): string {
  const problem = name.includes('/') ? 'contains /' : problemOf(`/${name}`);
  if (problem !== undefined) throw new RecipeError('BadArgument', recipe, path, `no node name: '${name}': ${problem}`);
  return name;
}

// The rules are the server's; the full set of characters is left to it.
function problemOf(path: unknown): string | undefined {
  if (typeof path !== 'string') return 'a path is a string';
  if (!path.startsWith('/')) return 'a path begins with /';
  if (path === '/') return 'the root cannot be used';
  if (path.endsWith('/')) return 'a path does not end with /';
  if (path.includes('//')) return 'a path has no empty names';
  if (path.split('/').some((name) => name === '.' || name === '..')) return 'a path has no relative names';
  if (path.includes('\0')) return 'a path has no null characters';
  return undefined;
}

export function join(parent: string, name: string): string {
  return parent === '/' ? `/${name}` : `${parent}/${name}`;
}

export function parentOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash <= 0 ? '/' : path.slice(0, slash);
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
