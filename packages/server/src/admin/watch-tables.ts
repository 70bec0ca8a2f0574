// The watch tables as commands tell them, walked so that other work can go on in between.

import type { ServerView } from './server-view.js';

/** After so many paths a walk offers a pause. */
const PAUSE_EVERY = 1000;

/** Makes the table by session; yields empty pieces as places to pause, returns the paths (not copied) by session. */
export function* collectBySession(view: ServerView): Generator<'', Map<bigint, string[]>> {
  const bySession = new Map<bigint, string[]>();
  let walked = 0;
  for (const [path, sessions] of view.watchesByPath()) {
    for (const id of sessions) {
      const paths = bySession.get(id);
      if (paths === undefined) bySession.set(id, [path]);
      else paths.push(path);
    }
    if (++walked % PAUSE_EVERY === 0) yield '';
  }
  return bySession;
}

/** Counts the sessions that have data watches, with places to pause likewise. */
export function* countWatchingSessions(view: ServerView): Generator<'', number> {
  const sessions = new Set<bigint>();
  let walked = 0;
  for (const [, ids] of view.watchesByPath()) {
    for (const id of ids) sessions.add(id);
    if (++walked % PAUSE_EVERY === 0) yield '';
  }
  return sessions.size;
}
