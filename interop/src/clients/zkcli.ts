// Types the recorded session of interop/clients/zkcli/session.txt into zkCli.sh and compares all it prints. In that file
// `# feature` starts a section, `> ` is a command, `! ` an event of a watch, every other line output. It was recorded
// with Apache's server; times and ids are masked. To record it anew: --server apache --only zkcli --record.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Check, type Feature, featureOf } from './features.js';
import type { Stage } from './stage.js';

const SESSION = fileURLToPath(new URL('../../clients/zkcli/session.txt', import.meta.url));
const SCRIPT = '/usr/share/zookeeper/bin/zkCli.sh';
/** A command that needs no connection, and what it answers: the end of the output of the one before. */
const MARK = 'printwatches';
const MARKED = /^printwatches is (on|off)$/;
const LIMIT_MS = 20_000;
/** While recording, how long events are waited for after a command. */
const QUIET_MS = 700;

interface Step {
  readonly feature: Feature;
  readonly command: string;
  readonly output: readonly string[];
  readonly events: readonly string[];
}

export async function runZkCli(stage: Stage, record: boolean, seen: (check: Check) => void): Promise<Check[]> {
  const steps = parse(readFileSync(SESSION, 'utf8'));
  const shell = new Shell(stage.port);
  const checks: Check[] = [];
  const recorded: Step[] = [];
  const tell = (check: Check): void => {
    checks.push(check);
    seen(check);
  };
  try {
    await shell.ready();
    for (const step of steps) {
      const got = await shell.run(step, record);
      recorded.push(got);
      tell(compare(step, got));
    }
    tell({ feature: 'program', name: 'quit ends the shell', ...ended(await shell.quit()) });
  } catch (error) {
    tell({ feature: 'program', name: 'answers every command', ok: false, message: String(error) });
  } finally {
    shell.kill();
  }
  if (record && recorded.length === steps.length) writeFileSync(SESSION, format(recorded));
  return checks;
}

function ended(code: number | null): Pick<Check, 'ok' | 'message'> {
  return { ok: code === 0, message: code === 0 ? '' : `exit ${code}` };
}

function compare(step: Step, got: Step): Check {
  const expected = [...step.output, ...step.events.map((event) => `! ${event}`)].join('\n');
  const actual = [...got.output, ...got.events.map((event) => `! ${event}`)].join('\n');
  const ok = expected === actual;
  const message = ok ? '' : `printed another answer than with Apache's server\n--- Apache's\n${expected}\n--- this one's\n${actual}`;
  return { feature: step.feature, name: step.command, ok, message };
}

function parse(text: string): Step[] {
  const steps: { feature: Feature; command: string; output: string[]; events: string[] }[] = [];
  let feature: Feature = 'session';
  for (const line of text.trimEnd().split('\n')) {
    if (line.startsWith('# ')) feature = featureOf(line.slice(2));
    else if (line.startsWith('> ')) steps.push({ feature, command: line.slice(2), output: [], events: [] });
    else if (line.startsWith('! ')) steps.at(-1)?.events.push(line.slice(2));
    else steps.at(-1)?.output.push(line);
  }
  return steps;
}

function format(steps: readonly Step[]): string {
  let feature = '';
  let text = '';
  for (const step of steps) {
    if (step.feature !== feature) text += `# ${step.feature}\n`;
    feature = step.feature;
    text += [`> ${step.command}`, ...step.output, ...step.events.map((event) => `! ${event}`)].join('\n');
    text += '\n';
  }
  return text;
}

/** Times, ids and ports differ from run to run. */
function mask(line: string): string {
  return line
    .replace(/\b0x[0-9a-f]+/g, '0x…')
    .replace(/\b[A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d \S+ \d{4}/g, '<time>')
    .replace(/127\.0\.0\.1:\d+/g, '127.0.0.1:<port>')
    .replace(/^ZooKeeper CLI version: .*/, 'ZooKeeper CLI version: …')
    .trimEnd();
}

/** zkCli.sh, reading from a pipe: without a terminal it prints no prompt. */
class Shell {
  readonly #child: ChildProcess;
  readonly #exited: Promise<[number | null]>;
  readonly #port: number;
  #rest = '';
  #lines: string[] = [];
  #events: string[] = [];
  #changed: () => void = () => undefined;

  constructor(port: number) {
    this.#port = port;
    // Both of its outputs go into one pipe, so that their order is kept.
    this.#child = spawn('bash', ['-c', `exec ${SCRIPT} -server 127.0.0.1:${port} 2>&1`], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, JAVA_TOOL_OPTIONS: '', CLIENT_JVMFLAGS: '-Dfile.encoding=UTF-8 -XX:TieredStopAtLevel=1', LC_ALL: 'C.UTF-8' },
    });
    this.#exited = once(this.#child, 'close') as Promise<[number | null]>;
    this.#child.stdin?.on('error', () => undefined);
    this.#child.stdout?.setEncoding('utf8');
    this.#child.stdout?.on('data', (text: string) => this.#read(text));
  }

  /** Waits until it is connected. */
  async ready(): Promise<void> {
    await this.#until(() => this.#events.length > 0, 'the connection');
    await this.#mark();
    this.#lines = [];
    this.#events = [];
  }

  async run(step: Step, record: boolean): Promise<Step> {
    this.#child.stdin?.write(`${step.command.replaceAll('<port>', String(this.#port))}\n`);
    await this.#mark();
    // An event's line is written by another thread, and may come after the answer's.
    if (record) await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
    else if (this.#events.length < step.events.length) {
      await this.#until(() => this.#events.length >= step.events.length, `an event of ${step.command}`).catch(() => undefined);
    }
    const output = this.#lines;
    const events = this.#events.sort();
    this.#lines = [];
    this.#events = [];
    return { feature: step.feature, command: step.command, output, events };
  }

  async quit(): Promise<number | null> {
    this.#child.stdin?.write('quit\n');
    const [code] = await this.#exited;
    return code;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  async #mark(): Promise<void> {
    this.#child.stdin?.write(`${MARK}\n`);
    await this.#until(() => this.#lines.some((line) => MARKED.test(line)), 'the end of an answer');
    this.#lines = this.#lines.filter((line) => !MARKED.test(line));
  }

  #read(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line.startsWith('WatchedEvent ')) this.#events.push(mask(line));
      else if (line !== '' && line !== 'WATCHER::') this.#lines.push(mask(line));
    }
    this.#changed();
  }

  async #until(condition: () => boolean, what: string): Promise<void> {
    const end = Date.now() + LIMIT_MS;
    while (!condition()) {
      if (Date.now() > end) throw new Error(`${what} didn't come: ${this.#lines.join('\n')}${this.#rest}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 1_000);
        this.#changed = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }
}
