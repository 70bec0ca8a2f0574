// The report as Markdown: where it was measured, the targets, and all figures.

import type { ServerKind } from '../servers/running-server.js';
import type { Figure } from '../workload.js';
import type { Environment } from './environment.js';
import { figureStyles, formatFigure } from './figures.js';
import type { Results } from './results.js';
import { type Target, targets } from './targets.js';

const DRIVER_LIMIT = 0.9;
const columns: readonly Figure[] = ['rate', 'p50', 'p99', 'p999', 'max', 'cpu', 'rss', 'time', 'worstStall', 'driver'];
const serverNames: Readonly<Record<ServerKind, string>> = {
  apache: 'Apache',
  ours: 'Nodekeeper',
  connected: 'connected',
};

export function renderReport(results: Results, environment: Environment, rounds: number): string {
  const { cpu, cores, memory, kernel, date, servers, warnings } = environment;
  const how = rounds === 1 ? 'one round' : `medians of ${rounds} rounds, servers by turns`;
  const parts = [
    `${cpu}, ${cores} cores, ${memory}, ${kernel}; ${date.slice(0, 10)}; ${how}. Server and driver share the machine; a window is refilled by one write for each read, so that large windows travel in bursts.`,
    Object.values(servers)
      .map((server) => `- ${server}`)
      .join('\n'),
    ...warnings.map((warning) => `**Warning:** ${warning}.`),
    targetTable(results),
    figureTable(results),
    ...notes(results),
    ...results.failures.map((failure) => `**Failed:** ${failure}`),
  ];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

function table(head: readonly string[], rows: readonly string[][]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}

/** A row for each target of which both sides were measured; the ratio is ours to Apache's. */
function targetTable(results: Results): string {
  const rows = targets.map((target) => targetRow(results, target)).filter((row) => row !== undefined);
  if (rows.length === 0) return '';
  return table(['', 'Apache', 'Nodekeeper', 'ratio', 'target', ''], rows);
}

function targetRow(results: Results, target: Target): string[] | undefined {
  const { sample, figure, of, bound, limit } = target;
  const apache = results.figure(sample, 'apache', figure);
  const ours = results.figure(sample, 'ours', figure);
  if (ours === undefined) return undefined;
  const ratio = apache === undefined ? undefined : ours / apache;
  const measured = of === 'ratio' ? ratio : ours;
  if (measured === undefined) return undefined;
  const met = bound === 'at least' ? measured >= limit : measured <= limit;
  const { label, unit } = figureStyles[figure];
  const sign = bound === 'at least' ? '≥' : '≤';
  return [
    `${sample}: ${label}`,
    withUnit(figure, apache),
    withUnit(figure, ours),
    ratio === undefined ? '–' : `${ratio.toFixed(2)}×`,
    of === 'ratio' ? `${sign} ${Number(limit.toFixed(2))}×` : `${sign} ${limit.toLocaleString('en')} ${unit}`,
    met ? 'met' : '**not met**',
  ];
}

function withUnit(figure: Figure, value: number | undefined): string {
  return value === undefined ? '–' : `${formatFigure(figure, value)} ${figureStyles[figure].unit}`.replace(' /s', '/s');
}

function figureTable(results: Results): string {
  const head = columns.map((figure) => [figureStyles[figure].label, figureStyles[figure].unit].join(' ').trim());
  const rows: string[][] = [];
  for (const [sample, kinds] of results.samples) {
    for (const kind of kinds.keys()) {
      const cells = columns.map((figure) => formatFigure(figure, results.figure(sample, kind, figure)));
      const saturated = (results.figure(sample, kind, 'driver') ?? 0) >= DRIVER_LIMIT;
      rows.push([sample, serverNames[kind] + (saturated ? ' †' : ''), ...cells]);
    }
  }
  const legend = rows.some((row) => row[1].endsWith('†')) ? '\n\n† the driver was the limit, not the server' : '';
  return table(['', 'server', ...head], rows) + legend;
}

/** What the workloads noted beside their figures, such as the worst stalls with their times. */
function notes(results: Results): string[] {
  const out: string[] = [];
  for (const [name, kinds] of results.samples) {
    for (const [kind, samples] of kinds) {
      for (const { notes = [] } of samples) {
        if (notes.length > 0)
          out.push(`${name}, ${serverNames[kind]}:\n${notes.map((note) => `- ${note}`).join('\n')}`);
      }
    }
  }
  return out;
}
