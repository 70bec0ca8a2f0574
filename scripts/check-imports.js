// Holds the architecture: imports between packages and folders only point down, and the core stays free of the outside world.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

/** Packages and what they may import. */
const PACKAGES = {
  protocol: [],
  client: ['protocol'],
  recipes: ['client'],
  kerberos: [],
  server: ['protocol', 'kerberos'],
  testing: ['protocol', 'client', 'recipes', 'server'],
  cli: ['protocol', 'kerberos', 'client', 'server', 'testing'],
};
/** Folders of the server's core: synchronous and deterministic. */
const CORE = ['tree', 'session', 'request', 'quorum', 'election', 'broadcast'];
const FORBIDDEN = [
  [/from 'node:/, 'imports a module of Node'],
  [/\bDate\.now\b|\bnew Date\b|\bperformance\./, 'reads a clock'],
  [/\bMath\.random\b/, 'uses chance'],
  [/\basync\b|\bawait\b|\bPromise\b/, 'uses a promise'],
  [/\bset(Timeout|Interval|Immediate)\b|\bqueueMicrotask\b/, 'uses a timer'],
  [/\bprocess\./, 'uses the process'],
  [/\bnodeRuntime\b/, 'uses the real clocks'],
];
/** Folders of the server and the folders beside them that they may import. `.` is the package's top. */
const FOLDERS = {
  tree: [],
  session: [],
  request: ['tree', 'session', 'quorum'],
  quorum: [],
  election: ['quorum'],
  broadcast: ['quorum', 'election', 'tree', 'session', 'request'],
  storage: [],
  net: ['quorum', 'broadcast', 'election', 'request', 'session', 'tree'],
  config: ['quorum'],
  admin: ['quorum', 'broadcast', 'election', 'net', 'request', 'session', 'tree', 'storage', 'config', '.'],
};

const problems = [];

function* sources(dir) {
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) yield* sources(path);
    else if (entry.name.endsWith('.ts')) yield path;
  }
}

for (const [name, allowed] of Object.entries(PACKAGES)) {
  const root = join('packages', name, 'src');
  for (const path of sources(root)) {
    const text = readFileSync(path, 'utf8');
    if (!/^(#!.*\n)?\/\/ \S/.test(text)) problems.push(`${path}: the first line does not say what the file is for`);
    for (const [, target] of text.matchAll(/(?:from|import\()\s*'([^']+)'/g)) {
      const sibling = /^@nodekeeper\/([a-z]+)/.exec(target)?.[1];
      if (sibling !== undefined && !allowed.includes(sibling))
        problems.push(`${path}: ${name} must not import ${sibling}`);
      if (name === 'server' && target.startsWith('.')) checkFolder(root, path, target);
    }
    const folder = path.slice(root.length + 1).split('/')[0];
    if (name === 'server' && CORE.includes(folder)) {
      const code = text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
      for (const [pattern, what] of FORBIDDEN) if (pattern.test(code)) problems.push(`${path}: the core ${what}`);
    }
  }
}

function checkFolder(root, path, target) {
  const folderOf = (p) => {
    const parts = p.slice(root.length + 1).split('/');
    return parts.length === 1 ? '.' : parts[0];
  };
  const from = folderOf(path);
  const to = folderOf(normalize(join(dirname(path), target)));
  if (from === '.' || from === to || target.endsWith('/runtime.js')) return;
  if (!FOLDERS[from]?.includes(to))
    problems.push(`${path}: ${from}/ must not import ${to === '.' ? target : `${to}/`}`);
}

for (const problem of problems) console.error(problem);
console.log(problems.length === 0 ? 'imports: as they should be' : `imports: ${problems.length} problems`);
process.exit(problems.length === 0 ? 0 : 1);
