// An election in which the leader leads until it goes. Source: LeaderLatch of Apache Curator.
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
import { protectedName } from '../base/create.js';
import { RecipeEmitter } from '../base/emitter.js';
import { Lifecycle } from '../base/lifecycle.js';
import { watchOwnNode } from '../base/own-node.js';
import { recipePath } from '../base/paths.js';
import { deleteForSure, deleteSoon } from '../base/persist.js';
import { Tenure } from '../base/tenure.js';
import { Limit, unlessAborted } from '../base/wait.js';
import { contend } from '../locks/contend.js';
import { leadershipOf } from './leadership.js';
import { getParticipants, LATCH_MARK, latchOrder } from './participants.js';
const RECIPE = 'LeaderLatch';
/**
 * Takes part in an election from `start` to `close`. Who came first leads; when it goes or its session ends, the next in
 * line does, woken by one watch. A participant whose leadership is lost joins again at the end.
 */
export class LeaderLatch extends RecipeEmitter {
    path;
    id;
    client;
    options;
    life;
    who;
    tenure;
    running;
    /** @throws RecipeError BadPath */
    constructor(client, path, options = {}) {
        super();
        this.path = recipePath(RECIPE, path);
        this.id = options.id ?? '';
        this.client = client;
        this.options = options;
        this.life = new Lifecycle(RECIPE, path);
        this.who = { recipe: RECIPE, path };
    }
    /** Joins the election, and rejoins whenever that is needed. @throws RecipeError AlreadyStarted, Closed */
    start() {
        this.life.start();
        this.running = this.run().catch((error) => {
            if (!this.life.isClosed)
                this.fail(error);
        });
        return this;
    }
    get hasLeadership() {
        return this.tenure !== undefined;
    }
    /** Of this participant; undefined while another leads. */
    get leadership() {
        return this.tenure === undefined ? undefined : leadershipOf(this.tenure);
    }
    /** Resolves when this participant leads. Rejects with Timeout, the signal's reason, NotStarted or Closed. */
    async awaitLeadership(options = {}) {
        const env_1 = { stack: [], error: void 0, hasError: false };
        try {
            this.life.check();
            if (this.tenure !== undefined)
                return leadershipOf(this.tenure);
            const limit = __addDisposableResource(env_1, new Limit(options, this.who), false);
            let listener = () => { };
            const elected = new Promise((resolve) => {
                listener = resolve;
            });
            this.on('isLeader', listener);
            try {
                return await unlessAborted(unlessAborted(elected, this.life.signal), limit.signal);
            }
            finally {
                this.removeListener('isLeader', listener);
            }
        }
        catch (e_1) {
            env_1.error = e_1;
            env_1.hasError = true;
        }
        finally {
            __disposeResources(env_1);
        }
    }
    /** All participants, the leader first. */
    getParticipants() {
        return getParticipants(this.client, this.path, latchOrder);
    }
    async getLeader() {
        return (await this.getParticipants())[0];
    }
    /** Gives the leadership to the next in line, and joins again behind all. Nothing happens if another leads. */
    async handOver() {
        this.life.check();
        await this.resign();
    }
    /** Leaves the election. The leader's node is gone when it resolves, unless there is no connection. */
    async close() {
        if (!this.life.close())
            return;
        await this.resign();
        await this.running;
        this.endStreams();
    }
    [Symbol.asyncDispose]() {
        return this.close();
    }
    async run() {
        const contest = {
            path: this.path,
            newName: () => protectedName(LATCH_MARK),
            data: this.id,
            blocker: (children, own) => {
                const line = latchOrder(children);
                return line[line.indexOf(own) - 1];
            },
        };
        while (!this.life.isClosed) {
            const seat = await contend(this.client, contest, true, this.life.signal);
            if (seat !== undefined)
                await this.lead(seat);
        }
    }
    /** Resolves when the leadership is over. */
    async lead(seat) {
        const tenure = new Tenure(this.client, seat, this.who, this.options);
        if (this.life.isClosed || tenure.isLost) {
            tenure.end();
            await deleteForSure(this.client, seat.path);
            return;
        }
        const over = new Promise((resolve) => {
            tenure.over.addEventListener('abort', () => resolve(), { once: true });
        });
        this.tenure = tenure;
        watchOwnNode(this.client, tenure);
        this.tell('isLeader', leadershipOf(tenure));
        await over;
        this.tenure = undefined;
        this.tell('notLeader');
        // Should the session live on; who resigns has seen to it already.
        if (tenure.isLost)
            await deleteForSure(this.client, seat.path);
    }
    async resign() {
        const { tenure } = this;
        if (tenure === undefined)
            return;
        tenure.end();
        await deleteSoon(this.client, tenure.seat.path);
    }
}
//# sourceMappingURL=leader-latch.js.map