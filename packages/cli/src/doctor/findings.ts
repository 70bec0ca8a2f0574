// What the doctor finds, each with what to do about it, and how that is told.

import { type Colours, PLAIN } from '../shell/colours.js';

export type Level = 'ok' | 'warning' | 'problem';

export interface Finding {
  readonly level: Level;
  /** What was looked at: `ports`, `member 2`, `disk` … */
  readonly about: string;
  readonly message: string;
  /** For warnings and problems. */
  readonly remedy?: string;
}

const SIGNS: Readonly<Record<Level, string>> = { ok: '✔', warning: '!', problem: '✘' };

/** Takes findings as they come and tells them. */
export class Report {
  readonly findings: Finding[] = [];
  private readonly say: (text: string) => void;
  private readonly json: boolean;
  private readonly colours: Colours;

  constructor(say: (text: string) => void, json: boolean, colours: Colours = PLAIN) {
    this.say = say;
    this.json = json;
    this.colours = colours;
  }

  ok(about: string, message: string): void {
    this.add({ level: 'ok', about, message });
  }

  warning(about: string, message: string, remedy: string): void {
    this.add({ level: 'warning', about, message, remedy });
  }

  problem(about: string, message: string, remedy: string): void {
    this.add({ level: 'problem', about, message, remedy });
  }

  add(finding: Finding): void {
    this.findings.push(finding);
    if (this.json) {
      this.say(JSON.stringify(finding));
      return;
    }
    const { level, about, message, remedy } = finding;
    const { good, event, error } = this.colours;
    const paint = { ok: good, warning: event, problem: error }[level];
    this.say(`${paint(SIGNS[level])} ${about}: ${message}`);
    if (remedy !== undefined) for (const line of remedy.split('\n')) this.say(`    → ${line}`);
  }

  count(level: Level): number {
    return this.findings.filter((finding) => finding.level === level).length;
  }

  /** Tells the sum. Returns the exit code: 1 if there is a problem. */
  end(): number {
    const [problems, warnings] = [this.count('problem'), this.count('warning')];
    if (!this.json) {
      this.say('');
      this.say(
        problems + warnings === 0
          ? 'Nothing is wrong.'
          : `${counted(problems, 'problem')}, ${counted(warnings, 'warning')}.`,
      );
    }
    return problems > 0 ? 1 : 0;
  }
}

function counted(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`;
}
