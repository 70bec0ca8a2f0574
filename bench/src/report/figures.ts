// How each figure is named and printed.

import type { Figure } from '../workload.js';

interface FigureStyle {
  readonly label: string;
  readonly unit: string;
  readonly digits: number;
}

export const figureStyles: Readonly<Record<Figure, FigureStyle>> = {
  rate: { label: 'rate', unit: '/s', digits: 0 },
  p50: { label: 'p50', unit: 'ms', digits: 3 },
  p99: { label: 'p99', unit: 'ms', digits: 3 },
  p999: { label: 'p99.9', unit: 'ms', digits: 3 },
  max: { label: 'max', unit: 'ms', digits: 1 },
  cpu: { label: 'CPU per operation', unit: 'µs', digits: 1 },
  rss: { label: 'RSS', unit: 'MB', digits: 0 },
  time: { label: 'time', unit: 'ms', digits: 0 },
  worstStall: { label: 'worst stall', unit: 'ms', digits: 1 },
  driver: { label: 'driver busy', unit: '', digits: 2 },
  driverLate: { label: "driver's own delay", unit: 'ms', digits: 1 },
};

/** The figure without its unit, or a dash if there is none. */
export function formatFigure(figure: Figure, value: number | undefined): string {
  if (value === undefined) return '–';
  const { digits } = figureStyles[figure];
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
