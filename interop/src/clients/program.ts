// Runs a client's program and reads its checks. A program prints the Test Anything Protocol (`1..N`, then
// `ok I - feature: name` or `not ok I - feature: name` with `# why` lines below it), and lines that begin with `@` ask
// for something to be done to the connection or the server; it goes on when a line comes back on its standard input.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { type Check, featureOf } from './features.js';

const PLAN = /^1\.\.(\d+)$/;
const RESULT = /^(not )?ok \d+ - ([a-z-]+): (.*)$/;
/** A program that takes longer hangs. */
const LIMIT_MS = 400_000;

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Does what a program asks for in a line that begins with `@`; rejects if there is no such request. */
export interface Helper {
  ask(request: string): Promise<void>;
}

/** Starts the command and answers what it asks for. */
export async function runProgram(command: Command, helper: Helper, seen: (check: Check) => void): Promise<Check[]> {
  const child = spawn(command.file, command.args, {
    env: { ...process.env, ...command.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
  const stderr = tail(child);
  const exited = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
  // A program that died has closed its input: its exit is what gets reported.
  child.stdin.on('error', () => undefined);
  const checks: Check[] = [];
  let told = 0;
  // A check is told once what stands below it has been read.
  const tell = (): void => {
    for (; told < checks.length; told += 1) seen(checks[told]);
  };
  let planned = -1;
  for await (const line of createInterface({ input: child.stdout })) {
    const plan = PLAN.exec(line);
    const result = RESULT.exec(line);
    if (!line.startsWith('# ')) tell();
    if (plan !== null) planned = Number(plan[1]);
    else if (result !== null) checks.push(checkOf(result));
    else if (line.startsWith('# ')) addMessage(checks, line.slice(2));
    else if (line.startsWith('@')) child.stdin.write(`${await answer(helper, line.slice(1))}\n`);
  }
  const [code, signal] = await exited;
  clearTimeout(timer);
  checks.push(ending(planned, checks.length, code, signal, stderr()));
  tell();
  return checks;
}

function checkOf([, not, feature, name]: RegExpExecArray): Check {
  return { feature: featureOf(feature), name, ok: not === undefined, message: '' };
}

/** Appends a `# why` line to the check it stands below. */
function addMessage(checks: Check[], text: string): void {
  const last = checks.pop();
  if (last !== undefined) checks.push({ ...last, message: `${last.message}${text}\n` });
}

async function answer(helper: Helper, request: string): Promise<string> {
  try {
    await helper.ask(request);
    return 'done';
  } catch (error) {
    return `failed: ${String(error).replaceAll('\n', ' ')}`;
  }
}

/** Whether all planned checks were heard of and the program ended by itself. */
function ending(planned: number, heard: number, code: number | null, signal: string | null, stderr: string): Check {
  const ok = planned === heard && (code === 0 || code === 1);
  const message = ok ? '' : `${heard} checks of ${planned}, exit ${code ?? signal}\n${stderr}`;
  return { feature: 'program', name: 'runs every check and ends', ok, message };
}

function tail(child: ChildProcess): () => string {
  let text = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    text = (text + chunk.toString()).slice(-4_000);
  });
  return () => text;
}
