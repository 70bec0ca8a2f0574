// Reads of many nodes in few requests: those that are asked for in the same turn go together.
import { isKeeperError, KeeperError } from '@nodekeeper/client';
/** So many nodes of the servers' default size limit stay within the client's limit of an answer. */
const BATCH = 50;
export class BatchReader {
    client;
    handler;
    wanted = new Set();
    sending = false;
    /** Nodes that were asked for and are not answered. */
    pending = 0;
    idleWaiters = [];
    constructor(client, handler) {
        this.client = client;
        this.handler = handler;
    }
    /** Asks for a node, once if it is asked for again before the request leaves. */
    read(path) {
        if (this.wanted.has(path))
            return;
        this.wanted.add(path);
        this.pending++;
        if (this.sending)
            return;
        this.sending = true;
        queueMicrotask(() => void this.send());
    }
    /** Resolves when all reads that were asked for are answered. */
    idle() {
        if (this.pending === 0)
            return Promise.resolve();
        return new Promise((resolve) => {
            this.idleWaiters.push(resolve);
        });
    }
    async send() {
        while (this.wanted.size > 0) {
            const paths = [...this.wanted];
            this.wanted = new Set();
            for (let i = 0; i < paths.length; i += BATCH) {
                void this.readTogether(paths.slice(i, i + BATCH));
                await this.client.drained();
            }
        }
        this.sending = false;
    }
    async readTogether(paths) {
        try {
            const results = await this.client.multiRead(paths.map((path) => ({ op: 'getData', path })));
            for (const [i, result] of results.entries()) {
                const path = paths[i];
                if (!(result instanceof KeeperError))
                    this.handler.onRead(path, result);
                else if (isKeeperError(result, 'NoNode'))
                    this.handler.onRead(path, null);
                else
                    this.handler.onFailure(path, result);
            }
        }
        catch (error) {
            for (const path of paths)
                this.handler.onFailure(path, error);
        }
        finally {
            this.pending -= paths.length;
            if (this.pending === 0)
                for (const resolve of this.idleWaiters.splice(0))
                    resolve();
        }
    }
}
//# sourceMappingURL=batch-reader.js.map