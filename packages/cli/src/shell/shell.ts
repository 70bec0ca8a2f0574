// The shell: takes lines, does what they say, prints what comes of it. Knows nothing of terminals.

import { Client, isKeeperError, KeeperError, type SessionState, type StateChange } from '@nodekeeper/client';
import { ErrorCode } from '@nodekeeper/protocol';
import type { ShellArguments } from './arguments.js';
import { type Colours, PLAIN } from './colours.js';
import type { Command, Reply } from './command.js';
import { NotedError } from './commands/nodes.js';
import { COMMANDS, helpLines, OWN_COMMANDS, usageLines } from './commands.js';
import { CommandError, exitCodeOf, failureJson, failureText } from './failure.js';
import { parseOptions } from './options.js';
import { hex } from './texts.js';
import { type ShownEvent, WatchBook } from './watch-book.js';
import { splitWords } from './words.js';

/** How long a command waits for a connection, in milliseconds. */
const CONNECT_WAIT = 5000;
/** As shells tell it of a command that Ctrl-C ended. */
const INTERRUPTED = 130;
/** Lines that `history` shows before the last. */
const SHOWN_LINES = 10;

export interface ShellOutput {
  /** A line to stdout. */
  line(text: string): void;
  /** A line to stderr. */
  note(text: string): void;
  readonly colours?: Colours;
}

const STATES: Readonly<Record<SessionState, string>> = {
  connecting: 'CONNECTING',
  connected: 'CONNECTED',
  connectedReadOnly: 'CONNECTEDREADONLY',
  suspended: 'CONNECTING',
  expired: 'CLOSED',
  authFailed: 'AUTH_FAILED',
  closed: 'CLOSED',
};

const EVENTS: Readonly<Partial<Record<SessionState, string>>> = {
  connected: 'SyncConnected',
  connectedReadOnly: 'ConnectedReadOnly',
  suspended: 'Disconnected',
  expired: 'Expired',
  authFailed: 'AuthFailed',
  closed: 'Closed',
};

export class Shell {
  /** Of the last command: 0, 1, or 127 if there was no such command. */
  exitCode = 0;
  /** Set by `quit`. */
  isOver = false;
  client: Client;
  private readonly options: ShellArguments;
  private readonly output: ShellOutput;
  private readonly colours: Colours;
  private target: string;
  private watches: WatchBook;
  private printsWatches: boolean;
  private readonly lines: string[] = [];

  constructor(options: ShellArguments, output: ShellOutput, printsWatches: boolean) {
    this.options = options;
    this.output = output;
    this.colours = output.colours ?? PLAIN;
    this.printsWatches = printsWatches;
    this.target = options.server;
    ({ client: this.client, watches: this.watches } = this.open());
  }

  private open(): { client: Client; watches: WatchBook } {
    const { timeout, readOnly, client: settings } = this.options;
    const client = new Client(this.target, {
      sessionTimeout: timeout,
      readOnly,
      ...settings,
      onEvent: (event) => watches.told(event),
    });
    const watches = new WatchBook(client, (event) => this.showEvent(event));
    client.on('state', (change) => this.showState(change));
    client.start();
    return { client, watches };
  }

  /** Waits until there is a connection. Rejects with ConnectionLoss if there is none in time. */
  async connected(): Promise<void> {
    try {
      await this.client.connected({ timeout: Math.min(CONNECT_WAIT, this.options.timeout) });
    } catch (error) {
      if (!isKeeperError(error, 'OperationTimeout')) throw error;
      const reason = error.message.split(': ').slice(1).join(': ');
      const message = `KeeperErrorCode = ConnectionLoss: no connection to ${this.target}: ${reason}`;
      throw new CommandError(message, 1, 'ConnectionLoss');
    }
  }

  /** What stands before the line that is typed. */
  get prompt(): string {
    const state = STATES[this.client.state];
    const shown = state === 'CONNECTED' ? this.colours.good(state) : this.colours.error(state);
    return `[zk: ${this.target}(${shown}) ${this.lines.length}] `;
  }

  /** Does what a line says; an empty one nothing. */
  async execute(line: string): Promise<void> {
    const words = splitWords(line);
    if (words.length === 0) return;
    this.lines.push(line);
    await this.run(words);
  }

  /** Does a single command. Never rejects: what fails is printed, and is the exit code. */
  async run(words: readonly string[]): Promise<void> {
    try {
      const isPartial = await this.dispatch(words);
      this.exitCode = isPartial ? 1 : 0;
    } catch (error) {
      if (this.exitCode === INTERRUPTED && this.isOver) return;
      this.exitCode = exitCodeOf(error instanceof NotedError ? error.cause : error);
      this.fail(error);
    }
  }

  /** Ends the shell, and the command that runs, if one does. */
  interrupt(): void {
    this.isOver = true;
    this.exitCode = INTERRUPTED;
    void this.close();
  }

  async close(): Promise<void> {
    this.printsWatches = false;
    await this.client.close();
  }

  private fail(error: unknown): void {
    if (error instanceof NotedError) {
      if (!this.options.json) for (const note of error.notes) this.output.note(note);
      this.fail(error.cause);
      return;
    }
    this.output.note(this.options.json ? JSON.stringify(failureJson(error)) : this.colours.error(failureText(error)));
  }

  /** Returns whether the command has failed in part. */
  private async dispatch(words: readonly string[]): Promise<boolean> {
    const [name = '', ...rest] = words;
    const command = COMMANDS.get(name);
    if (command !== undefined) return this.runCommand(command, rest);
    if (name === 'help') this.help(rest[0]);
    else if (name === 'close' && this.isAlive) {
      await this.client.close();
      return false;
    } else if (OWN_COMMANDS.has(name)) await this.runOwn(name, rest);
    else {
      if (!this.options.json) for (const line of usageLines()) this.output.note(line);
      throw new CommandError(`Command not found: Command not found ${name}`, 127);
    }
    // zkCli tells this behind whatever was typed.
    if (!this.isAlive && !this.isOver && name !== 'help') this.notConnected();
    return false;
  }

  private get isAlive(): boolean {
    return !this.client.isOver;
  }

  private notConnected(): void {
    if (this.options.json) this.output.note(JSON.stringify({ error: { message: 'Not connected', code: 'Closed' } }));
    else this.output.line('Not connected');
  }

  private async runCommand(command: Command, words: readonly string[]): Promise<boolean> {
    if (!this.isAlive) {
      this.notConnected();
      return true;
    }
    const usage = `${command.name} ${command.usage}`.trimEnd();
    const parsed = parseOptions(words, command);
    if (parsed.rest.length < (command.least ?? 0)) throw new CommandError(usage);
    if (command.isLocal !== true && !this.client.isConnected) await this.connected();
    const reply = await command.run({ client: this.client, watches: this.watches, json: this.options.json }, parsed);
    this.print(reply);
    return reply.isPartial === true;
  }

  private print({ lines = [], notes = [], value }: Reply): void {
    if (this.options.json) {
      this.output.line(JSON.stringify(value ?? {}));
      return;
    }
    for (const note of notes) this.output.note(note);
    for (const line of lines) this.output.line(line);
  }

  private help(name: string | undefined): void {
    const lines = helpLines(name);
    if (lines === undefined) throw new CommandError(`Command not found ${name}`, 127);
    if (this.options.json) this.output.line(JSON.stringify({ help: lines }));
    else for (const line of lines) this.output.line(line);
  }

  private async runOwn(name: string, words: readonly string[]): Promise<void> {
    switch (name) {
      case 'quit':
        this.isOver = true;
        break;
      case 'connect':
        await this.client.close();
        this.target = words[0] ?? this.target;
        ({ client: this.client, watches: this.watches } = this.open());
        break;
      case 'history':
        this.history();
        break;
      case 'redo':
        await this.redo(words[0]);
        break;
      case 'printwatches':
        if (words[0] !== undefined) this.printsWatches = words[0] === 'on';
        else
          this.output.line(this.options.json ? JSON.stringify({ printwatches: this.printsWatches }) : this.printsText);
    }
  }

  private get printsText(): string {
    return `printwatches is ${this.printsWatches ? 'on' : 'off'}`;
  }

  private history(): void {
    const last = this.lines.length - 1;
    const first = Math.max(0, last - SHOWN_LINES);
    const shown = this.lines.slice(first).map((line, i) => ({ number: first + i, line }));
    if (this.options.json) this.output.line(JSON.stringify({ history: shown }));
    else for (const { number, line } of shown) this.output.line(`${number} - ${line}`);
  }

  private async redo(text: string | undefined): Promise<void> {
    if (text === undefined) return;
    const index = Number(text);
    const line = this.lines[index];
    if (line === undefined || index >= this.lines.length - 1) throw new CommandError('Command index out of range');
    const words = splitWords(line);
    if (words[0] === 'redo') throw new CommandError('No redoing redos');
    this.lines[this.lines.length - 1] = line;
    await this.run(words);
  }

  private showState({ state }: StateChange): void {
    const shown = EVENTS[state];
    if (shown !== undefined) this.showEvent({ state: shown, type: 'None', path: null });
  }

  private showEvent(event: ShownEvent): void {
    if (!this.printsWatches) return;
    if (this.options.json) {
      const { zxid, ...rest } = event;
      this.output.line(JSON.stringify({ event: { ...rest, ...(zxid === undefined ? {} : { zxid: hex(zxid) }) } }));
      return;
    }
    const { state, type, path } = event;
    this.output.line('');
    this.output.line('WATCHER::');
    this.output.line('');
    this.output.line(this.colours.event(`WatchedEvent state:${state} type:${type} path:${path}`));
  }
}

/** What a path can be completed to; none if it cannot be asked. */
export async function completePath(client: Client, path: string): Promise<string[]> {
  const slash = path.lastIndexOf('/');
  const parent = slash <= 0 ? '/' : path.slice(0, slash);
  try {
    if (!client.isConnected) throw new KeeperError(ErrorCode.ConnectionLoss, 'getChildren', parent);
    const { children } = await client.getChildren(parent, { timeout: 2000 });
    const at = parent === '/' ? '/' : `${parent}/`;
    const found = children
      .map((name) => at + name)
      .filter((one) => one.startsWith(path))
      .sort();
    if (found.length !== 1 || found[0] !== path) return found;
    // The path is complete: on into what is below.
    const stat = await client.exists(path, { timeout: 2000 });
    return (stat?.numChildren ?? 0) > 0 ? [`${path}/`] : found;
  } catch {
    return [];
  }
}
