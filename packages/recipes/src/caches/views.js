// The cache as one wants it for a node, for children, for a tree. The names are Apache Curator's.
import { Cache } from './cache.js';
/** One node. */
export class NodeCache extends Cache {
    constructor(client, path, options = {}) {
        super(client, path, { ...options, maxDepth: 0 }, 'NodeCache');
    }
    /** Undefined if there is no such node. */
    get current() {
        return this.get(this.path);
    }
}
/** The children of a node, without what is below them; the node itself is part of it. */
export class PathChildrenCache extends Cache {
    constructor(client, path, options = {}) {
        super(client, path, { ...options, maxDepth: 1 }, 'PathChildrenCache');
    }
    /** By name. */
    get current() {
        return this.children(this.path);
    }
}
/** A node and what is below it, as deep and as far as the options say. */
export class TreeCache extends Cache {
    constructor(client, path, options = {}) {
        super(client, path, options, 'TreeCache');
    }
}
//# sourceMappingURL=views.js.map