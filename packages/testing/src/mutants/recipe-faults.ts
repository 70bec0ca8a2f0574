// Faults to plant into the recipes and the client below them, as into the server.

import type { PlantedFault } from './faults.js';

/** In an ensemble of three, with clients that use the one recipe. */
function inRecipe(name: string, recipe: string, file: string, from: string, to: string): PlantedFault {
  return { name, package: '@nodekeeper/recipes', recipe, file, from, to };
}

export const PLANTED_IN_RECIPES: readonly PlantedFault[] = [
  inRecipe(
    'who waits takes the lock when the one before it in line gives up',
    'mutex',
    'locks/contend.js',
    'if (isGone && ahead.length === 1 && !canLeaveReader(blocker))',
    'if (isGone && !canLeaveReader(blocker))',
  ),
  inRecipe(
    'a node that may have been made is made again',
    'mutex',
    'base/create.js',
    'isInDoubt ||= error.outcomeUnknown || isNextSession;',
    '',
  ),
  inRecipe(
    'who gives up leaves its node behind',
    'mutex',
    'base/create.js',
    'creating.then(({ path }) => deleteForSure(client, path))',
    'creating.then(() => {})',
  ),
  inRecipe(
    'a holder is not told of the end of its session',
    'mutex',
    'base/tenure.js',
    'const { state, sessionId } = this.client;',
    'if (this.seat.token > 0) return; const { state, sessionId } = this.client;',
  ),
  inRecipe(
    'a reader takes the place of a writer that is gone',
    'readWriteLock',
    'locks/contend.js',
    "return children.includes(contest.heir.of) ? 'turn' : 'again';",
    "return 'turn';",
  ),
  inRecipe(
    'a writer that becomes a reader gets a token of its own',
    'readWriteLock',
    'locks/contend.js',
    'token: contest.heir?.fencingToken ?? created.stat.czxid',
    'token: created.stat.czxid',
  ),
  inRecipe(
    'a semaphore counts to one too many',
    'semaphore',
    'locks/semaphore.js',
    'else if (children.length <= this.maxLeases)',
    'else if (children.length <= this.maxLeases + 1)',
  ),
  inRecipe(
    'the latch takes the highest number for the first',
    'latch',
    'election/participants.js',
    '.sort((a, b) => compareSequences(a.sequence, b.sequence))',
    '.sort((a, b) => compareSequences(b.sequence, a.sequence))',
  ),
  inRecipe(
    'a selector keeps its node after leading',
    'selector',
    'election/leader-selector.js',
    'const letGo = () => deleteSoon(this.client, seat.path);',
    'const letGo = async () => {};',
  ),
  inRecipe(
    'an increment of which nobody knows is repeated',
    'counter',
    'counters/set-if-version.js',
    "if (fate === 'unknown')\n                    throw error;",
    "if (fate === 'unknown')\n                    version = found?.stat.version ?? version;",
  ),
  inRecipe(
    'an item that may be in the queue is put again',
    'queue',
    'queues/queue-core.js',
    'if (error.outcomeUnknown && ++lost === losses)\n                        throw error;',
    '',
  ),
  inRecipe(
    'an item is worked on as it was before it was locked',
    'lockedQueue',
    'queues/queue-core.js',
    "if (isKeeperError(error, 'NoNode'))\n                return undefined;\n            throw error;\n        }\n    }\n    /** The lock, if it is ours. */",
    "if (isKeeperError(error, 'NoNode'))\n                return { seat, data: null };\n            throw error;\n        }\n    }\n    /** The lock, if it is ours. */",
  ),
  inRecipe(
    'consumers do not hear of the death of one that holds an item',
    'lockedQueue',
    'queues/queue-core.js',
    'if (missed.length === 0) {',
    'if (true) {',
  ),
  inRecipe(
    'an edit that is in the history is made again if others have written since',
    'configuration',
    'configuration/live-configuration.js',
    'if (made?.id === id && now !== null)\n                return now;',
    'if (made?.id === id && now !== null)\n                return now.stat.version === version ? now : undefined;',
  ),
  inRecipe(
    'a subscriber gives up when its session ends',
    'topic',
    'cluster/topic.js',
    'const reads = fresh.map(({ name }) => persistOverSessions(this.client, () => this.client.getData(join(this.path, name)))',
    'const reads = fresh.map(({ name }) => this.client.getData(join(this.path, name))',
  ),
  inRecipe(
    'a cache does not read again what it may have missed',
    'cache',
    'caches/cache.js',
    "if (event.type === 'resync')\n            this.wantScan();",
    "if (event.type === 'resync')\n            return;",
  ),
  inRecipe('a cache keeps what was deleted while it was away', 'cache', 'caches/cache.js', 'this.dropUnseen();', ''),
  {
    name: 'an event overtakes who was answered before it',
    package: '@nodekeeper/client',
    recipe: 'cache',
    file: 'session.js',
    from: 'onTurn() {\n        while (this.waiting.length > 0',
    to: 'onTurn() {\n        this.answered = false;\n        while (this.waiting.length > 0',
    finds: 'liveness',
  },
];
