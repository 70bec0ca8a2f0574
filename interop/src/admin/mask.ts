// What differs between two ensembles that were treated alike: names of places, times, and what no order is promised for.

import type { Watched } from './watched.js';

/** Puts names in the place of an ensemble's ports, directories and session ids. */
function named(text: string, watched: Watched): string {
  let out = text;
  const put = (found: string | RegExp, name: string): void => {
    out = out.replaceAll(found, name);
  };
  for (const { id, dataDir, ports, cfg } of watched.ensemble.members) {
    put(dataDir, `<data ${id}>`);
    for (const [what, port] of [...Object.entries(ports), ['admin', cfg['admin.serverPort']]])
      put(new RegExp(`(?<![0-9a-f])${port}(?![0-9a-f])`, 'g'), `<${what} ${id}>`);
  }
  for (const [name, { id }] of watched.sessions) {
    put(`0x${id.toString(16)}`, `<session ${name}>`);
    put(id.toString(), `<session ${name}>`);
  }
  return out;
}

type Rule = readonly [RegExp, string];

/** Ports of clients, dates, durations, sizes on disk and counts that the waiting for a server changes. */
const EVERYWHERE: readonly Rule[] = [
  [/(\/?127\.0\.0\.1):\d+/g, '$1:<port>'],
  [/^\d+ expire at .*:\n/gm, ''],
  [/(Sets) \(\d+\)/g, '$1 (n)'],
  [/^(Zookeeper version:) .*$/gm, '$1 <version>'],
  [/^(Latency min\/avg\/max:) \d+\/[\d.E-]+\/\d+$/gm, '$1 <times>'],
  [/^(Received|Sent): \d+$/gm, '$1: n'],
  [/(est|lresp|llat|minlat|avglat|maxlat)=\d+/g, '$1=<time>'],
  [/^(dataDirSize|dataLogSize)=\d+$/gm, '$1=n'],
  [/^((?:data|log)dir_size:) \d+$/gm, '$1 n'],
];

/** A word's answer as it is compared. */
export function maskWord(word: string, text: string, watched: Watched): string {
  let out = named(text, watched);
  for (const [pattern, by] of EVERYWHERE) out = out.replace(pattern, by);
  if (word === 'hash') return out.replace(/: \d+$/gm, ': <digest>');
  if (word === 'envi') return out.replace(/=.*$/gm, '=');
  if (word === 'dump' || word === 'wchc' || word === 'wchp') return sortedRows(out);
  if (word === 'stat' || word === 'cons') return out.replace(/(?:^ \/.*\n)+/gm, (lines) => sortedLines(lines));
  return out;
}

/** Sorts rows that have no order: a session's or a path's line with those below it that begin with a tab, and those among them. */
function sortedRows(text: string): string {
  const groups: string[][] = [];
  for (const line of text.split('\n')) {
    const group = groups.at(-1);
    if (line.startsWith('\t') && group !== undefined) group.push(line);
    else groups.push([line]);
  }
  const out: string[] = [];
  let rows: string[] = [];
  for (const [head = '', ...below] of groups) {
    const group = [head, ...below.sort()].join('\n');
    if (/^(<session|0x|\/)/.test(head)) {
      rows.push(group);
    } else {
      out.push(...rows.sort(), group);
      rows = [];
    }
  }
  return [...out, ...rows.sort()].join('\n');
}

function sortedLines(lines: string): string {
  return `${lines.trimEnd().split('\n').sort().join('\n')}\n`;
}

const VOLATILE =
  /^(digest|established|last_response_time|(last|min|avg|max)_latency|uptime|timestamp|packets_(sent|received)|.*dir_size)$/;

/** A command's answer as it is compared; a page stays as it is. Numbers become texts, and Java's beans and tables have no order. */
export function maskCommand(body: string, watched: Watched): string {
  if (body.startsWith('<')) return body;
  const texts = body.replace(/([:[,] )(-?\d[\d.E-]*)(?=[\s,\]}])/g, '$1"$2"');
  return JSON.stringify(simplified(JSON.parse(named(texts, watched))), undefined, 1);
}

function simplified(json: unknown): unknown {
  if (typeof json !== 'object' || json === null) return json;
  if (Array.isArray(json)) return json.map(simplified).sort(byText);
  return Object.fromEntries(
    Object.entries(json)
      .sort(byText)
      .map(([key, value]) => [key, masked(key, value)]),
  );
}

function masked(key: string, value: unknown): unknown {
  if (key === 'expiry_time_to_session_ids')
    return Object.values(value as object)
      .flat()
      .sort();
  if (key === 'version') return '<version>';
  if (VOLATILE.test(key) && /^-?\d[\d.E-]*$/.test(String(value))) return '<number>';
  if (key === 'remote_socket_address') return String(value).replace(/:\d+$/, ':<port>');
  return simplified(value);
}

function byText(a: unknown, b: unknown): number {
  return JSON.stringify(a) < JSON.stringify(b) ? -1 : 1;
}
