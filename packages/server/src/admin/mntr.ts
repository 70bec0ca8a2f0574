// The text of the word mntr: `zk_<key>`, a tab and the value, a line each.

import { metricRows } from './metrics.js';
import type { ServerView } from './server-view.js';

export function mntrText(view: ServerView): string {
  let text = '';
  for (const [key, value] of metricRows(view)) text += `zk_${key}\t${value}\n`;
  return text;
}
