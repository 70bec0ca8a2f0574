// A copy of a subtree in memory, kept equal by one persistent watch. Source: CuratorCache of Apache Curator.
var __addDisposableResource = (this && this.__addDisposableResource) || function (env, value, async) {
    if (value !== null && value !== void 0) {
        if (typeof value !== "object" && typeof value !== "function") throw new TypeError("Object expected.");
        var dispose, inner;
        if (async) {
            if (!Symbol.asyncDispose) throw new TypeError("Symbol.asyncDispose is not defined.");
            dispose = value[Symbol.asyncDispose];
        }
        if (dispose === void 0) {
            if (!Symbol.dispose) throw new TypeError("Symbol.dispose is not defined.");
            dispose = value[Symbol.dispose];
            if (async) inner = dispose;
        }
        if (typeof dispose !== "function") throw new TypeError("Object not disposable.");
        if (inner) dispose = function() { try { inner.call(this); } catch (e) { return Promise.reject(e); } };
        env.stack.push({ value: value, dispose: dispose, async: async });
    }
    else if (async) {
        env.stack.push({ async: true });
    }
    return value;
};
var __disposeResources = (this && this.__disposeResources) || (function (SuppressedError) {
    return function (env) {
        function fail(e) {
            env.error = env.hasError ? new SuppressedError(e, env.error, "An error was suppressed during disposal.") : e;
            env.hasError = true;
        }
        var r, s = 0;
        function next() {
            while (r = env.stack.pop()) {
                try {
                    if (!r.async && s === 1) return s = 0, env.stack.push(r), Promise.resolve().then(next);
                    if (r.dispose) {
                        var result = r.dispose.call(r.value);
                        if (r.async) return s |= 2, Promise.resolve(result).then(next, function(e) { fail(e); return next(); });
                    }
                    else s |= 1;
                }
                catch (e) {
                    fail(e);
                }
            }
            if (s === 1) return env.hasError ? Promise.reject(env.error) : Promise.resolve();
            if (env.hasError) throw env.error;
        }
        return next();
    };
})(typeof SuppressedError === "function" ? SuppressedError : function (error, suppressed, message) {
    var e = new Error(message);
    return e.name = "SuppressedError", e.error = error, e.suppressed = suppressed, e;
});
import { isKeeperError, } from '@nodekeeper/client';
import { RecipeEmitter } from '../base/emitter.js';
import { RecipeError } from '../base/errors.js';
import { Lifecycle } from '../base/lifecycle.js';
import { join, nameOf, parentOf, recipePath } from '../base/paths.js';
import { isSessionOver } from '../base/persist.js';
import { onStateChange } from '../base/session-hub.js';
import { Limit, unlessAborted } from '../base/wait.js';
import { BatchReader } from './batch-reader.js';
/**
 * Follows a subtree. What the cache shows is what some server showed, never older than what it has shown before, node by
 * node; states that lasted too short are not seen. After a lost connection or session everything is read again, and what
 * was missed is told as if it happened then. Needs a server of 3.6 or later.
 */
export class Cache extends RecipeEmitter {
    path;
    client;
    recipe;
    options;
    life;
    nodes = new Map();
    /** Names of the children of those that have any. */
    names = new Map();
    reader;
    depthOfRoot;
    watch;
    forgetState = () => { };
    isScanning = false;
    isScanWanted = false;
    /** Counts scans, so that what a scan does not find can be told from what it does. */
    scan = 0;
    failure;
    isFilled = false;
    /** @throws RecipeError BadPath, BadArgument */
    constructor(client, path, options = {}, recipe = 'Cache') {
        super();
        this.path = path === '/' ? path : recipePath(recipe, path);
        this.recipe = recipe;
        this.client = client;
        this.options = options;
        this.life = new Lifecycle(recipe, path);
        this.depthOfRoot = depthOf(path);
        const { maxDepth = 0 } = options;
        if (!(maxDepth >= 0))
            throw new RecipeError('BadArgument', recipe, path, `maxDepth cannot be ${maxDepth}`);
        this.reader = new BatchReader(client, {
            onRead: (at, node) => this.onRead(at, node),
            onFailure: (_at, error) => this.onFailure(error),
        });
    }
    /**
     * Begins to follow. Resolves when the cache is filled. Rejects with AlreadyStarted, Closed, or the server's error.
     * A lost connection only takes longer.
     */
    async start() {
        this.life.start();
        try {
            this.forgetState = onStateChange(this.client, (change) => {
                this.tell('state', change);
                this.tell('event', { type: 'state', change });
            });
            this.watch = await this.client.addWatch(this.path, (event) => this.onEvent(event), {
                recursive: this.options.maxDepth !== 0,
            });
            if (this.life.isClosed)
                this.watch.close();
            this.wantScan();
            await this.initialized();
        }
        catch (error) {
            await this.close();
            throw error;
        }
        return this;
    }
    /** Whether all that was there when it was started is in the cache. */
    get isInitialized() {
        return this.isFilled;
    }
    /** Resolves when the cache is filled. Rejects with Timeout, the signal's reason, Closed, or the server's error. */
    async initialized(options = {}) {
        const env_1 = { stack: [], error: void 0, hasError: false };
        try {
            if (this.isFilled)
                return;
            const limit = __addDisposableResource(env_1, new Limit(options, { recipe: this.recipe, path: this.path }), false);
            let finish = () => { };
            const settled = new Promise((resolve) => {
                finish = resolve;
            });
            this.once('initialized', finish);
            this.life.signal.addEventListener('abort', finish, { once: true });
            try {
                if (!this.life.isClosed)
                    await unlessAborted(settled, limit.signal);
            }
            finally {
                this.removeListener('initialized', finish);
                this.life.signal.removeEventListener('abort', finish);
            }
            if (!this.isFilled)
                throw this.failure ?? this.life.signal.reason;
        }
        catch (e_1) {
            env_1.error = e_1;
            env_1.hasError = true;
        }
        finally {
            __disposeResources(env_1);
        }
    }
    get(path) {
        return this.nodes.get(path);
    }
    get size() {
        return this.nodes.size;
    }
    /** All nodes, parents before their children. Nodes that change meanwhile may be seen either way. */
    *all() {
        yield* this.nodes.values();
    }
    /** Names of the cached children of a node. */
    childNames(path) {
        return [...(this.names.get(path) ?? [])];
    }
    /** The cached children of a node, by name. */
    children(path) {
        const found = new Map();
        for (const name of this.names.get(path) ?? []) {
            const node = this.nodes.get(join(path, name));
            if (node !== undefined)
                found.set(name, node);
        }
        return found;
    }
    /** Changes from now on, until the cache is closed. */
    changes() {
        this.life.check();
        return this.streamOf('event');
    }
    /** Ends the following and forgets the nodes. */
    async close() {
        if (!this.life.close())
            return;
        this.watch?.close();
        this.forgetState();
        this.endStreams();
        this.nodes.clear();
        this.names.clear();
    }
    [Symbol.asyncDispose]() {
        return this.close();
    }
    // ---- what is told ----
    onEvent(event) {
        if (this.life.isClosed)
            return;
        if (event.type === 'resync')
            this.wantScan();
        else if (event.type === 'nodeDeleted')
            this.drop(event.path);
        else if (event.type === 'none')
            this.end(new RecipeError('Closed', this.recipe, this.path, 'the client is closed'));
        else if (event.type !== 'nodeChildrenChanged' && this.isKept(event.path))
            this.reader.read(event.path);
    }
    isKept(path) {
        if (path === this.path)
            return true;
        const { maxDepth = Number.POSITIVE_INFINITY, selector } = this.options;
        if (depthOf(path) - this.depthOfRoot > maxDepth)
            return false;
        if (selector === undefined)
            return true;
        for (let at = path; at !== this.path; at = parentOf(at))
            if (!selector(at))
                return false;
        return true;
    }
    onRead(path, read) {
        if (this.life.isClosed)
            return;
        if (read === null) {
            this.drop(path);
            return;
        }
        const { data, stat } = read;
        const previous = this.nodes.get(path);
        if (previous !== undefined) {
            previous.scan = this.scan;
            if (stat.mzxid === previous.stat.mzxid && stat.pzxid === previous.stat.pzxid)
                return;
        }
        const node = new Entry(path, data, stat, this.scan, this.recipe, this.options.serializer);
        this.nodes.set(path, node);
        if (previous === undefined) {
            this.register(path);
            this.tell('created', node);
            this.tell('event', { type: 'created', node });
        }
        else if (previous.stat.mzxid !== stat.mzxid) {
            this.tell('changed', node, previous);
            this.tell('event', { type: 'changed', node, previous });
        }
    }
    drop(path) {
        const node = this.nodes.get(path);
        if (node === undefined)
            return;
        this.nodes.delete(path);
        const siblings = this.names.get(parentOf(path));
        siblings?.delete(nameOf(path));
        if (siblings?.size === 0)
            this.names.delete(parentOf(path));
        this.tell('deleted', node);
        this.tell('event', { type: 'deleted', node });
    }
    register(path) {
        if (path === this.path)
            return;
        const parent = parentOf(path);
        const siblings = this.names.get(parent);
        if (siblings === undefined)
            this.names.set(parent, new Set([nameOf(path)]));
        else
            siblings.add(nameOf(path));
    }
    // ---- reading all ----
    wantScan() {
        this.isScanWanted = true;
        if (!this.isScanning)
            void this.runScans();
    }
    async runScans() {
        this.isScanning = true;
        while (this.isScanWanted && !this.life.isClosed) {
            this.isScanWanted = false;
            try {
                await this.scanAll();
            }
            catch (error) {
                // A lost connection: a resync follows when there is one again.
                if (!isKeeperError(error, 'ConnectionLoss') && !isKeeperError(error, 'SessionExpired'))
                    this.end(error);
            }
        }
        this.isScanning = false;
    }
    async scanAll() {
        this.scan++;
        this.failure = undefined;
        let level = [this.path];
        while (level.length > 0 && !this.life.isClosed) {
            for (const path of level)
                this.reader.read(path);
            await this.reader.idle();
            this.throwFailure();
            level = await this.listBelow(level);
        }
        await this.reader.idle(); // with what events have asked for meanwhile
        this.throwFailure();
        if (this.life.isClosed || this.isScanWanted)
            return;
        this.dropUnseen();
        if (this.isFilled)
            return;
        this.isFilled = true;
        this.tell('initialized');
        this.tell('event', { type: 'initialized' });
    }
    async listBelow(level) {
        const below = [];
        const calls = [];
        for (const parent of level) {
            const isLast = depthOf(parent) - this.depthOfRoot >= (this.options.maxDepth ?? Number.POSITIVE_INFINITY);
            if (isLast || !this.nodes.get(parent)?.stat.numChildren)
                continue;
            calls.push(this.client.getChildren(parent).then(({ children }) => {
                for (const name of children) {
                    const path = join(parent, name);
                    if (this.options.selector?.(path) ?? true)
                        below.push(path);
                }
            }, (error) => {
                if (!isKeeperError(error, 'NoNode'))
                    throw error;
            }));
            await this.client.drained();
        }
        for (const result of await Promise.allSettled(calls))
            if (result.status === 'rejected')
                throw result.reason;
        return below;
    }
    /** Deepest first, as a server deletes. */
    dropUnseen() {
        const unseen = [];
        for (const node of this.nodes.values())
            if (node.scan !== this.scan)
                unseen.push(node.path);
        for (const path of unseen.reverse())
            this.drop(path);
    }
    throwFailure() {
        if (this.failure !== undefined)
            throw this.failure;
    }
    onFailure(error) {
        const isPassing = isKeeperError(error, 'ConnectionLoss') || isSessionOver(error);
        if (this.isScanning)
            this.failure ??= error;
        else if (!isPassing)
            this.fail(error);
    }
    end(error) {
        if (this.life.isClosed)
            return;
        this.failure = error;
        if (this.isFilled)
            this.fail(error);
        void this.close();
    }
}
class Entry {
    path;
    data;
    stat;
    scan;
    recipe;
    serializer;
    made;
    constructor(path, data, stat, scan, recipe, serializer) {
        this.path = path;
        this.data = data;
        this.stat = stat;
        this.scan = scan;
        this.recipe = recipe;
        this.serializer = serializer;
    }
    get value() {
        if (this.made === undefined) {
            if (this.serializer === undefined) {
                throw new RecipeError('BadArgument', this.recipe, this.path, 'the cache has no serializer');
            }
            try {
                this.made = { value: this.serializer.deserialize(this.data ?? Buffer.alloc(0)) };
            }
            catch (error) {
                throw new RecipeError('BadData', this.recipe, this.path, `cannot be read: ${error}`, error);
            }
        }
        return this.made.value;
    }
}
function depthOf(path) {
    if (path === '/')
        return 0;
    let depth = 0;
    for (let i = 0; i < path.length; i++)
        if (path.charCodeAt(i) === 0x2f)
            depth++;
    return depth;
}
//# sourceMappingURL=cache.js.map