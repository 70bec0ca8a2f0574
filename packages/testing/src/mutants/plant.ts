// Plants a fault: from now on the module it belongs to is loaded with the replacement made. To be called before the package is loaded.

import { readFileSync } from 'node:fs';
import { register } from 'node:module';
import { PLANTED, type PlantedFault } from './faults.js';

/** @throws Error if the text to replace is not there exactly once */
export function plant(name: string): PlantedFault {
  const fault = PLANTED.find((one) => one.name === name);
  if (fault === undefined) throw new Error(`no fault is called '${name}'`);
  const { url, source } = changed(fault);
  register(new URL('./hooks.js', import.meta.url), { data: { url, source } });
  return fault;
}

/** The module that a fault changes, and its text with the change. */
export function changed({ name, package: owner = '@nodekeeper/server', file, from, to }: PlantedFault): {
  readonly url: string;
  readonly source: string;
} {
  const url = new URL(file, import.meta.resolve(owner));
  const source = readFileSync(url, 'utf8');
  const found = source.split(from).length - 1;
  if (found !== 1) throw new Error(`${name}: what is to be replaced stands ${found} times in ${file}`);
  return { url: url.href, source: source.replace(from, () => to) };
}
