// Who takes part in an election, and who leads: for participants and for those who only look on.
import { EventStream, isKeeperError } from '@nodekeeper/client';
import { RecipeError } from '../base/errors.js';
import { join, recipePath } from '../base/paths.js';
import { persist } from '../base/persist.js';
import { compareSequences, sequenceAfter } from '../base/sequence.js';
import { changed } from '../base/watching.js';
import { contendersAmong } from '../locks/names.js';
export const LATCH_MARK = 'latch-';
/** Of a LeaderLatch. */
export function latchOrder(children) {
    return children
        .flatMap((name) => {
        const sequence = sequenceAfter(name, LATCH_MARK);
        return sequence === undefined ? [] : [{ name, sequence }];
    })
        .sort((a, b) => compareSequences(a.sequence, b.sequence))
        .map(({ name }) => name);
}
/** Of a LeaderSelector, and of kazoo's Election: a lock decides. */
export function selectorOrder(children) {
    return contendersAmong(children).map(({ name }) => name);
}
/** All participants, the leader first. */
export async function getParticipants(client, path, order) {
    const names = order(await childrenOf(client, path));
    const found = await Promise.all(names.map((name) => read(client, join(path, name))));
    return found.flatMap((one) => (one === undefined ? [] : [one])).map((one, i) => ({ ...one, isLeader: i === 0 }));
}
async function childrenOf(client, path) {
    try {
        return (await persist(() => client.getChildren(path))).children;
    }
    catch (error) {
        if (isKeeperError(error, 'NoNode'))
            return [];
        throw error;
    }
}
async function read(client, path) {
    try {
        const { data, stat } = await persist(() => client.getData(path));
        return { id: data?.toString() ?? '', path, isLeader: false, fencingToken: stat.czxid };
    }
    catch (error) {
        if (isKeeperError(error, 'NoNode'))
            return undefined;
        throw error;
    }
}
/**
 * The leader now, and each one that follows; undefined while there is none. For those who do not take part. It costs one
 * watch, which fires when the leader goes. Ends with the signal, with `return`, or with the client.
 * @throws RecipeError BadPath
 */
export function followLeader(client, path, { signal, election = 'latch' } = {}) {
    recipePath('followLeader', path);
    const stop = new AbortController();
    const stream = new EventStream(() => {
        signal?.removeEventListener('abort', abort);
        stop.abort(new RecipeError('Closed', 'followLeader', path, 'it was ended'));
    });
    const abort = () => stream.end();
    signal?.addEventListener('abort', abort, { once: true });
    if (signal?.aborted)
        abort();
    void follow(client, path, election === 'latch' ? latchOrder : selectorOrder, stop.signal, (one) => stream.push(one))
        .catch(() => { }) // the client is at its end, or it was stopped
        .finally(() => stream.end());
    return stream;
}
async function follow(client, path, order, signal, tell) {
    let known = null;
    const onLeader = (leader) => {
        if (leader?.path !== known)
            tell(leader);
        known = leader?.path;
    };
    while (!signal.aborted) {
        try {
            await untilNext(client, path, order, signal, onLeader);
        }
        catch (error) {
            if (!isKeeperError(error, 'SessionExpired') || client.isOver)
                throw error;
        }
    }
}
/** Returns when somebody else may lead. */
async function untilNext(client, path, order, signal, onLeader) {
    const [first] = order(await childrenOf(client, path));
    if (first !== undefined) {
        const own = join(path, first);
        await changed(client, own, 'data', signal, ({ data, stat }) => {
            onLeader({ id: data?.toString() ?? '', path: own, isLeader: true, fencingToken: stat.czxid });
        });
        return;
    }
    const isThere = await changed(client, path, 'children', signal, ({ children }) => {
        const isEmpty = order(children).length === 0;
        if (isEmpty)
            onLeader(undefined);
        return isEmpty;
    });
    if (isThere)
        return;
    await changed(client, path, 'exists', signal, (stat) => {
        if (stat === null)
            onLeader(undefined);
        return stat === null;
    });
}
//# sourceMappingURL=participants.js.map