// Watching the node by which something is held.
import { changed } from './watching.js';
/** Until the tenure is over, tells what the node holds, and again when that changes. If somebody deletes it, it is lost. */
export function watchOwnNode(client, tenure, onData = () => { }) {
    // What rejects is the end of the tenure or of the session; both are told elsewhere.
    void watchUntilOver(client, tenure, onData).catch(() => { });
}
async function watchUntilOver(client, tenure, onData) {
    while (await changed(client, tenure.seat.path, 'data', tenure.over, (data) => void onData(data)))
        ;
    tenure.lose('its node was deleted');
}
//# sourceMappingURL=own-node.js.map