import type { Client, NodeData } from '@nodekeeper/client';
import type { Tenure } from './tenure.js';
/** Until the tenure is over, tells what the node holds, and again when that changes. If somebody deletes it, it is lost. */
export declare function watchOwnNode(client: Client, tenure: Tenure, onData?: (data: NodeData) => void): void;
