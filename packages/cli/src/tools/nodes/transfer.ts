// `tools export` and `tools import`: a subtree as a file, and back.

import { closeSync, existsSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { parse as parseYaml, stringify as toYaml } from 'yaml';
import { Failure, type Output, printable } from '../output.js';
import { applyChanges, changesTo, printChanges } from './changes.js';
import { fromDocument, toDocument } from './document.js';
import type { Place } from './place.js';
import { isEphemeral, reading, readSubtree, type TreeNode } from './subtree.js';

export interface ExportOptions {
  readonly format: 'json' | 'yaml';
  /** Stdout if not given. */
  readonly file?: string;
  readonly acl: boolean;
}

export async function runExport(
  { client, path }: Place,
  { format, file, acl }: ExportOptions,
  output: Output,
): Promise<void> {
  const isNew = file !== undefined && !existsSync(file);
  // Before everything is read; what is there is left until then, and nothing is left if that is given up.
  if (file !== undefined) {
    written(file, () => closeSync(openSync(file, 'a')));
    if (isNew) rmSync(file);
  }
  const nodes = await readSubtree(client, path, { acl, onRead: reading(output) });
  const { document, ephemerals } = toDocument(path, nodes);
  const text = format === 'yaml' ? toYaml(document, { lineWidth: 0 }) : `${JSON.stringify(document, null, 2)}\n`;
  if (file === undefined) output.line(text.trimEnd());
  else written(file, () => writeFileSync(file, text));
  const left = ephemerals === 0 ? '' : `; ${ephemerals} ephemeral nodes left out`;
  output.note(`${document.nodes.length} nodes${left}`);
}

function written(file: string, write: () => void): void {
  try {
    write();
  } catch (error) {
    throw new Failure(`${file} cannot be written: ${error instanceof Error ? error.message : error}`, 2);
  }
}

export interface ImportOptions {
  readonly dryRun: boolean;
  /** Leave nodes alone that are there. */
  readonly keep: boolean;
  /** Delete nodes that are not in the file, but for ephemeral ones and what is above those. */
  readonly remove: boolean;
  readonly acl: boolean;
}

export async function runImport(
  file: string,
  { client, path }: Place,
  options: ImportOptions,
  output: Output,
): Promise<void> {
  const wanted = fromDocument(parse(read(file), file), options.acl);
  const existing = await present(readSubtree(client, path, { acl: true, onRead: reading(output) }));
  const changes = changesTo(path, wanted, existing, { overwrite: !options.keep, remove: options.remove });
  if (!options.dryRun) {
    if (existing.length === 0) await client.ensurePath(path.slice(0, path.lastIndexOf('/')) || '/');
    await applyChanges(client, changes, output);
  }
  printChanges(changes, !options.dryRun, output);
  if (output.json) return;
  const ephemerals = options.remove ? existing.filter(({ stat }) => isEphemeral(stat)).length : 0;
  const left = ephemerals === 0 ? '' : `; ${ephemerals} ephemeral nodes left, and what is above them`;
  output.note(`${changes.length} changes${options.dryRun ? ' would be made' : ''}${left}`);
}

/** What is there; nothing if the first node is not. */
async function present(nodes: Promise<TreeNode[]>): Promise<TreeNode[]> {
  return nodes.catch((error: unknown) => {
    if (error instanceof Failure) return [];
    throw error;
  });
}

function read(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    throw new Failure(`${file}: ${error instanceof Error ? error.message : error}`, 2);
  }
}

/** JSON is YAML too, but is read faster by its own parser. */
function parse(text: string, file: string): unknown {
  try {
    return text.trimStart().startsWith('{') ? JSON.parse(text) : parseYaml(text, { maxAliasCount: 100 });
  } catch (error) {
    // It shows the line.
    throw new Failure(`${file}: ${printable(error instanceof Error ? error.message : String(error))}`, 2);
  }
}
