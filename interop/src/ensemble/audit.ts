// Compares what writers recorded with the tree that an ensemble has in the end: nothing acknowledged may be lost, nothing refused
// may be there, and nobody's session may have ended.

import type { Load, Write, Writer } from './load.js';
import type { Tree } from './tree.js';

/** @throws Error that lists what is wrong, at most twenty things */
export function audit(load: Load, tree: Tree): void {
  const faults = [...uniqueZxids(load), ...load.writers.flatMap((w) => [...auditWriter(w, tree)])];
  if (faults.length === 0) return;
  const told = faults.slice(0, 20).join('\n    ');
  throw new Error(`${faults.length} faults after ${load.acknowledged} acknowledged writes:\n    ${told}`);
}

function* uniqueZxids(load: Load): Generator<string> {
  const seen = new Map<number, string>();
  for (const write of load.writers.flatMap((w) => w.writes)) {
    if (write.outcome !== 'acknowledged') continue;
    const other = seen.get(write.zxid);
    if (other !== undefined) yield `${hex(write.zxid)} was given to two writes: ${other} and ${write.paths[0]}`;
    seen.set(write.zxid, write.paths[0]);
  }
}

function* auditWriter(writer: Writer, tree: Tree): Generator<string> {
  for (const id of writer.expired) yield `session ${hex(id)} of ${writer.root} has expired`;
  yield* increasing(writer);
  const expected = new Map<string, { made: Write; gone: Write | undefined }>();
  const sets: Write[] = [];
  for (const write of writer.writes) {
    if (write.kind === 'set') sets.push(write);
    else if (write.kind === 'delete') {
      const of = expected.get(write.paths[0]);
      if (of !== undefined) of.gone = write;
    } else for (const path of write.paths) expected.set(path, { made: write, gone: undefined });
  }
  for (const [path, { made, gone }] of expected) yield* auditNode(writer, path, made, gone, tree);
  yield* halfMultis(writer, tree);
  yield* auditRegister(writer, sets, tree);
}

/** A session's writes are executed in its order. */
function* increasing(writer: Writer): Generator<string> {
  let last = 0;
  for (const { outcome, zxid, paths } of writer.writes) {
    if (outcome !== 'acknowledged') continue;
    if (zxid <= last) yield `${paths[0]} has ${hex(zxid)}, and the same session's write before it ${hex(last)}`;
    last = zxid;
  }
}

function* auditNode(writer: Writer, path: string, made: Write, gone: Write | undefined, tree: Tree): Generator<string> {
  const node = tree.get(path);
  if (made.outcome === 'refused') {
    yield `${path}: its creation was refused with error ${made.error}`;
    if (node !== undefined) yield `${path}: its creation was refused, and it is there`;
    return;
  }
  if (node === undefined) {
    if (made.outcome === 'acknowledged' && (gone === undefined || gone.outcome === 'refused'))
      yield `${path}: acknowledged as ${hex(made.zxid)}, and lost`;
    return;
  }
  if (gone?.outcome === 'acknowledged')
    yield `${path}: its deletion was acknowledged as ${hex(gone.zxid)}, and it is there`;
  if (gone?.outcome === 'refused' && made.outcome === 'acknowledged')
    yield `${path}: its deletion was refused with error ${gone.error}`;
  if (node.data?.toString() !== made.data) yield `${path}: has other data than it was created with`;
  if (made.outcome === 'acknowledged' && node.stat.czxid !== made.zxid)
    yield `${path}: acknowledged as ${hex(made.zxid)}, and czxid is ${hex(node.stat.czxid)}`;
  const owner = made.kind === 'ephemeral' ? writer.session.id : 0n;
  if (node.stat.ephemeralOwner !== owner)
    yield `${path}: its owner is ${hex(node.stat.ephemeralOwner)}, not ${hex(owner)}`;
}

function* halfMultis(writer: Writer, tree: Tree): Generator<string> {
  for (const { kind, paths } of writer.writes) {
    if (kind === 'multi' && tree.has(paths[0]) !== tree.has(paths[1])) yield `${paths.join(' and ')}: half of a multi`;
  }
}

function* auditRegister(writer: Writer, sets: readonly Write[], tree: Tree): Generator<string> {
  const path = `${writer.root}/register`;
  const node = tree.get(path);
  if (node === undefined) {
    yield `${path} is lost`;
    return;
  }
  const last = sets.findLastIndex((s) => s.outcome === 'acknowledged');
  const text = node.data?.toString();
  const at = text === 'new' ? -1 : sets.findIndex((s) => s.data === text);
  if (at < 0 && text !== 'new') yield `${path} has data that nobody wrote`;
  if (at < last) yield `${path} has the value of write ${at}, and ${last} was acknowledged as ${hex(sets[last].zxid)}`;
  if (at >= 0 && sets[at].outcome === 'refused') yield `${path} has a value that was refused`;
  if (at >= 0 && sets[at].outcome === 'acknowledged' && node.stat.mzxid !== sets[at].zxid)
    yield `${path}: mzxid is ${hex(node.stat.mzxid)}, acknowledged was ${hex(sets[at].zxid)}`;
  const sure = sets.filter((s) => s.outcome === 'acknowledged').length;
  const most = sets.filter((s) => s.outcome !== 'refused').length;
  if (node.stat.version < sure || node.stat.version > most)
    yield `${path} has version ${node.stat.version} after ${sure} acknowledged and ${most - sure} unknown writes`;
}

const hex = (id: number | bigint): string => `0x${id.toString(16)}`;
