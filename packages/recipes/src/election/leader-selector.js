// An election in which leading is a function that runs. Source: LeaderSelector of Apache Curator; Election of kazoo.
import { RecipeEmitter } from '../base/emitter.js';
import { Lifecycle } from '../base/lifecycle.js';
import { watchOwnNode } from '../base/own-node.js';
import { recipePath } from '../base/paths.js';
import { deleteSoon } from '../base/persist.js';
import { Tenure } from '../base/tenure.js';
import { contend } from '../locks/contend.js';
import { newLockName, nextBefore } from '../locks/names.js';
import { leadershipOf } from './leadership.js';
import { getParticipants, selectorOrder } from './participants.js';
const RECIPE = 'LeaderSelector';
/**
 * Runs a function when it is this participant's turn, and gives the leadership on when the function returns or throws. What
 * it throws is told by the event `error`. In one participant it runs once at a time: a leadership that was lost is waited
 * for before the next one.
 */
export class LeaderSelector extends RecipeEmitter {
    path;
    id;
    client;
    options;
    takeLeadership;
    life;
    who;
    tenure;
    queued;
    /** @throws RecipeError BadPath */
    constructor(client, path, takeLeadership, options = {}) {
        super();
        this.path = recipePath(RECIPE, path);
        this.id = options.id ?? '';
        this.client = client;
        this.options = options;
        this.takeLeadership = takeLeadership;
        this.life = new Lifecycle(RECIPE, path);
        this.who = { recipe: RECIPE, path };
    }
    /** Stands in line for the leadership. @throws RecipeError AlreadyStarted, Closed */
    start() {
        this.life.start();
        this.requeue();
        return this;
    }
    /** Stands in line again, unless it does already. Returns whether it did not. @throws RecipeError NotStarted, Closed */
    requeue() {
        this.life.check();
        if (this.queued !== undefined)
            return false;
        this.queued = this.queue().finally(() => {
            this.queued = undefined;
        });
        return true;
    }
    get hasLeadership() {
        return this.tenure !== undefined;
    }
    /** Tells the function to stop, if it runs. */
    interruptLeadership() {
        this.tenure?.end();
    }
    /** All participants, the leader first. */
    getParticipants() {
        return getParticipants(this.client, this.path, selectorOrder);
    }
    async getLeader() {
        return (await this.getParticipants())[0];
    }
    /** Leaves the election; a function that runs is told to stop, and waited for. */
    async close() {
        if (!this.life.close())
            return;
        this.interruptLeadership();
        await this.queued;
        this.endStreams();
    }
    [Symbol.asyncDispose]() {
        return this.close();
    }
    async queue() {
        const { layout = 'curator', autoRequeue = false } = this.options;
        const contest = {
            path: this.path,
            newName: () => newLockName(layout, 'lock'),
            data: this.id,
            blocker: nextBefore,
        };
        try {
            do {
                const seat = await contend(this.client, contest, true, this.life.signal);
                if (seat !== undefined)
                    await this.lead(seat);
            } while (autoRequeue && !this.life.isClosed);
        }
        catch (error) {
            if (!this.life.isClosed)
                this.fail(error);
        }
    }
    async lead(seat) {
        const tenure = new Tenure(this.client, seat, this.who, this.options);
        if (this.life.isClosed)
            tenure.end();
        // A leadership that is lost is not in others' way while the function comes to its end.
        const letGo = () => deleteSoon(this.client, seat.path);
        tenure.signal.addEventListener('abort', () => void letGo(), { once: true });
        try {
            if (tenure.over.aborted)
                return;
            this.tenure = tenure;
            watchOwnNode(this.client, tenure);
            await this.takeLeadership(leadershipOf(tenure));
        }
        catch (error) {
            this.fail(error);
        }
        finally {
            this.tenure = undefined;
            tenure.end();
            await deleteSoon(this.client, seat.path);
        }
    }
}
//# sourceMappingURL=leader-selector.js.map