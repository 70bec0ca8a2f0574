// Where the report goes: bench/results/ and, if wanted, the README between its markers.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { REPOSITORY } from '../servers/commands.js';
import type { Environment } from './environment.js';
import type { Results } from './results.js';

const BEGIN = '<!-- bench:begin -->';
const END = '<!-- bench:end -->';

/** Writes the report and the raw figures into bench/results/ and returns the path without its ending. */
export function saveResults(report: string, results: Results, environment: Environment): string {
  const folder = join(REPOSITORY, 'bench/results');
  mkdirSync(folder, { recursive: true });
  const base = join(folder, environment.date.slice(0, 19).replaceAll(':', '-'));
  writeFileSync(`${base}.md`, report);
  writeFileSync(`${base}.json`, `${JSON.stringify({ environment, ...results.toJSON() }, null, 2)}\n`);
  return base;
}

/** Replaces what stands between the markers in README.md. Throws if they are not there. */
export function updateReadme(report: string): void {
  updateSection('README.md', report);
}

/** Replaces what stands between the markers in a file of the repository. Throws if they are not there. */
export function updateSection(name: string, report: string): void {
  const file = join(REPOSITORY, name);
  const text = readFileSync(file, 'utf8');
  const begin = text.indexOf(BEGIN);
  const end = text.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`${name} has no ${BEGIN} … ${END}`);
  writeFileSync(file, `${text.slice(0, begin + BEGIN.length)}\n\n${report}\n${text.slice(end)}`);
}
