// Lines from a terminal: with history over sessions, and completion of commands, options and paths.

import { appendFileSync, chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { clearLine, createInterface, cursorTo } from 'node:readline';
import { COMMANDS, NAMES } from './commands.js';
import { completePath, type Shell } from './shell.js';
import type { Streams } from './streams.js';

const HISTORY_LIMIT = 1000;
/** Lines that carry secrets are not kept. */
const SECRET = /^\s*addauth\b/;

/** Reads and does lines until `quit`, the end of input, or an interrupt. */
export async function runTerminal(shell: Shell, streams: Streams, history: History = new History()): Promise<void> {
  const reader = createInterface({
    input: process.stdin,
    output: process.stdout,
    historySize: HISTORY_LIMIT,
    history: history.read(),
    removeHistoryDuplicates: true,
    completer: (line: string, callback: (error: Error | null, result: [string[], string]) => void) => {
      complete(shell, line).then(
        (result) => callback(null, result),
        (error) => callback(error, [[], line]),
      );
    },
  });
  let isPrompting = false;
  const prompt = (): void => {
    streams.flush();
    reader.setPrompt(shell.prompt);
    reader.prompt();
    isPrompting = true;
  };
  // An event that comes while a line is typed is told above it.
  streams.around = (write) => {
    if (isPrompting) {
      cursorTo(process.stdout, 0);
      clearLine(process.stdout, 0);
    }
    write();
    if (!isPrompting) return;
    reader.setPrompt(shell.prompt);
    reader.prompt(true);
  };
  // What is typed is given up; a command that runs ends with its session; at an empty line the shell ends.
  reader.on('SIGINT', () => {
    if (isPrompting && reader.line !== '') {
      process.stdout.write('^C\n');
      reader.write(null, { ctrl: true, name: 'e' });
      reader.write(null, { ctrl: true, name: 'u' });
      prompt();
      return;
    }
    process.stdout.write(isPrompting ? '\n' : '^C\n');
    shell.interrupt();
    reader.close();
  });
  prompt();
  for await (const line of reader) {
    isPrompting = false;
    history.add(line);
    await shell.execute(line);
    if (shell.isOver) break;
    prompt();
  }
  isPrompting = false;
  reader.close();
}

/** The words that a line can end with, and what of the line they stand for: the last word. */
export async function complete(shell: Shell, line: string): Promise<[string[], string]> {
  const words = line.split(/\s+/);
  const last = words.at(-1) ?? '';
  if (words.length <= 1) return [startingWith([...NAMES, 'help'], last).map((name) => `${name} `), last];
  if (words[0] === 'help') return [startingWith(NAMES, last), last];
  if (last.startsWith('-')) {
    const { flags = [], values = [] } = COMMANDS.get(words[0] ?? '') ?? {};
    const options = [...flags, ...values].map((name) => `-${name}`);
    return [startingWith(options, last), last];
  }
  if (!last.startsWith('/')) return [last === '' ? ['/'] : [], last];
  return [await completePath(shell.client, last), last];
}

function startingWith(all: readonly string[], start: string): string[] {
  return all.filter((one) => one.startsWith(start)).sort();
}

/** Lines of earlier sessions, in a file that only its owner can read. */
export class History {
  private readonly file: string;

  constructor(file = process.env.NODEKEEPER_HISTORY ?? join(homedir(), '.nodekeeper_history')) {
    this.file = file;
  }

  /** The last one first. */
  read(): string[] {
    try {
      const lines = readFileSync(this.file, 'utf8').split('\n').filter(Boolean);
      if (lines.length > 2 * HISTORY_LIMIT) writeFileSync(this.file, `${lines.slice(-HISTORY_LIMIT).join('\n')}\n`);
      return lines.slice(-HISTORY_LIMIT).reverse();
    } catch {
      return [];
    }
  }

  /** A history that cannot be written is no reason to stop. */
  add(line: string): void {
    if (line.trim() === '' || SECRET.test(line)) return;
    try {
      appendFileSync(this.file, `${line}\n`, { mode: 0o600 });
      chmodSync(this.file, 0o600);
    } catch {}
  }
}
