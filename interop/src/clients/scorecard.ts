// Writes docs/compatibility.md: which feature was seen to work with which client.

import { type Check, FEATURES } from './features.js';

/** What one client did. */
export interface Outcome {
  readonly id: string;
  readonly title: string;
  readonly version: string;
  readonly checks: readonly Check[];
}

/** A suite that isn't a client's: the differential test, the storage round trip. */
export interface SuiteResult {
  readonly title: string;
  readonly command: string;
  readonly ok: boolean;
  /** The suite's own last line. */
  readonly summary: string;
}

export function scorecard(server: string, outcomes: readonly Outcome[], suites: readonly SuiteResult[]): string {
  return `${[
    '# Compatibility',
    '',
    `Unmodified clients from Debian's packages against ${server}, standalone. Written by \`npm run test:interop\`; don't edit.`,
    '',
    'A cell counts the checks that passed of those made; – is a feature the client has no call for.',
    '',
    ...matrix(outcomes),
    '',
    ...suiteTable(suites),
    '## Failures',
    '',
    ...failures(outcomes),
    '',
    '## Every check',
    '',
    ...outcomes.flatMap(checksOf),
  ]
    .join('\n')
    .trimEnd()}\n`;
}

function matrix(outcomes: readonly Outcome[]): string[] {
  const rows = FEATURES.map(([id, title]) => [title, ...outcomes.map((outcome) => cell(outcome.checks, id))]);
  const all = outcomes.map(({ checks }) => score(checks));
  return table(
    ['', ...outcomes.map(({ title, version }) => `${title} ${version}`)],
    [...rows, ['**All**', ...all.map((text) => `**${text}**`)]],
  );
}

function cell(checks: readonly Check[], feature: string): string {
  const those = checks.filter((check) => check.feature === feature);
  return those.length === 0 ? '–' : score(those);
}

function score(checks: readonly Check[]): string {
  const passed = checks.filter(({ ok }) => ok).length;
  return `${passed === checks.length ? '✓' : '✗'} ${passed}/${checks.length}`;
}

function suiteTable(suites: readonly SuiteResult[]): string[] {
  if (suites.length === 0) return [];
  const rows = suites.map(({ title, command, ok, summary }) => [title, `\`${command}\``, ok ? '✓' : '✗', summary]);
  return ['## Against Apache’s server', '', ...table(['', 'command', '', 'result'], rows), ''];
}

function failures(outcomes: readonly Outcome[]): string[] {
  const lines = outcomes.flatMap(({ title, checks }) =>
    checks
      .filter(({ ok }) => !ok)
      .map(({ feature, name, message }) => {
        return `- ${title}, ${feature}: ${name}: ${message.trim().split('\n')[0]}`;
      }),
  );
  return lines.length === 0 ? ['None.'] : lines;
}

function checksOf({ title, version, checks }: Outcome): string[] {
  const lines = FEATURES.flatMap(([id]) =>
    checks.filter(({ feature }) => feature === id).map(({ ok, name }) => `- ${ok ? '✓' : '✗'} ${id}: ${name}`),
  );
  return [`### ${title} ${version}`, '', ...lines, ''];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((text) => text.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)];
}
