// Types a recorded session into a client's shell and compares all it prints. In the file of the session `# feature`
// starts a section, `> ` is a command, `! ` an event of a watch, every other line output; `<port>` in a command stands
// for the port of the server. It was recorded with Apache's server (--server apache --record), with times and ids masked.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Check, type Feature, featureOf } from './features.js';

const LIMIT_MS = 20_000;
/** While recording, how long events are waited for after a command. */
const QUIET_MS = 500;

export interface ShellKind {
  /** The file of the session, in interop/clients/. */
  readonly session: string;
  /** How the shell is started; for bash, so that both of its outputs can go into one pipe and keep their order. */
  readonly command: (port: number) => string;
  readonly env?: Readonly<Record<string, string>>;
  /** A command that does nothing, and the line that answers it: the end of the output of the one before. */
  readonly mark: string;
  readonly marked: RegExp;
  /** A line that tells of an event. */
  readonly event: RegExp;
  /** Lines that say nothing about a command. */
  readonly noise: RegExp;
  /** Neighbouring lines of which the order means nothing. */
  readonly unordered: RegExp;
  /** Takes out of a line what differs from run to run. */
  readonly mask: (line: string) => string;
}

interface Step {
  readonly feature: Feature;
  readonly command: string;
  readonly output: readonly string[];
  readonly events: readonly string[];
}

/** Runs the session against the server on the port; with `record`, what is seen becomes what is expected. */
export async function runRecorded(
  kind: ShellKind,
  port: number,
  record: boolean,
  seen: (check: Check) => void,
): Promise<Check[]> {
  const file = fileURLToPath(new URL(`../../clients/${kind.session}`, import.meta.url));
  const steps = parse(readFileSync(file, 'utf8'));
  const shell = new Shell(kind, port);
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
    const code = await shell.quit();
    tell({
      feature: 'program',
      name: 'quit ends the shell',
      ok: code === 0,
      message: code === 0 ? '' : `exit ${code}`,
    });
  } catch (error) {
    tell({ feature: 'program', name: 'answers every command', ok: false, message: String(error) });
  } finally {
    shell.kill();
  }
  if (record && recorded.length === steps.length) writeFileSync(file, format(recorded));
  return checks;
}

function compare(step: Step, got: Step): Check {
  const expected = [...step.output, ...step.events.map((event) => `! ${event}`)].join('\n');
  const actual = [...got.output, ...got.events.map((event) => `! ${event}`)].join('\n');
  const ok = expected === actual;
  const message = ok
    ? ''
    : `another answer than with Apache's server\n--- Apache's\n${expected}\n--- this one's\n${actual}`;
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

/** The lines, each run of those that match in the order of their text. */
function sortRuns(lines: readonly string[], unordered: RegExp): string[] {
  const sorted: string[] = [];
  let run: string[] = [];
  for (const line of lines) {
    if (unordered.test(line)) run.push(line);
    else {
      sorted.push(...run.sort(), line);
      run = [];
    }
  }
  return [...sorted, ...run.sort()];
}

class Shell {
  readonly #kind: ShellKind;
  readonly #port: number;
  readonly #child: ChildProcess;
  readonly #exited: Promise<[number | null]>;
  #rest = '';
  #lines: string[] = [];
  #events: string[] = [];
  #changed: () => void = () => undefined;

  constructor(kind: ShellKind, port: number) {
    this.#kind = kind;
    this.#port = port;
    this.#child = spawn('bash', ['-c', `exec ${kind.command(port)} 2>&1`], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, LC_ALL: 'C.UTF-8', TZ: 'UTC', ...kind.env },
    });
    this.#exited = once(this.#child, 'close') as Promise<[number | null]>;
    this.#child.stdin?.on('error', () => undefined);
    this.#child.stdout?.setEncoding('utf8');
    this.#child.stdout?.on('data', (text: string) => this.#read(text));
  }

  /** Waits until it is connected, which it tells as an event. */
  async ready(): Promise<void> {
    await this.#until(() => this.#events.length > 0, 'the connection');
    await this.#mark();
    this.#lines = [];
    this.#events = [];
  }

  async run(step: Step, record: boolean): Promise<Step> {
    this.#type(step.command.replaceAll('<port>', String(this.#port)));
    await this.#mark();
    // An event is told by another thread, and may come after the answer.
    if (record) await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
    else if (this.#events.length < step.events.length) {
      await this.#until(() => this.#events.length >= step.events.length, 'an event').catch(() => undefined);
    }
    const got = { ...step, output: sortRuns(this.#lines, this.#kind.unordered), events: this.#events.sort() };
    this.#lines = [];
    this.#events = [];
    return got;
  }

  /** Ends it as its user would; its exit code. */
  async quit(): Promise<number | null> {
    this.#type('quit');
    const [code] = await this.#exited;
    return code;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  #type(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  async #mark(): Promise<void> {
    this.#type(this.#kind.mark);
    await this.#until(() => this.#lines.some((line) => this.#kind.marked.test(line)), 'the end of an answer');
    this.#lines = this.#lines.filter((line) => !this.#kind.marked.test(line));
  }

  #read(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      if (this.#kind.noise.test(line)) continue;
      const masked = this.#kind.mask(line).trimEnd();
      (this.#kind.event.test(line) ? this.#events : this.#lines).push(masked);
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
