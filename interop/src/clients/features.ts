// The features a client's checks are counted under: the rows of the scorecard, in its order.

export const FEATURES = [
  ['session', 'Sessions: connect, negotiated timeout, re-attach with the password, close'],
  ['create', 'Create modes: persistent, ephemeral, sequential, container, TTL'],
  ['data', 'Get, set, exists, children, delete, versions, stat'],
  ['acl', 'ACLs and authentication: world, digest, auth, ip, super'],
  ['sasl', 'SASL: logging in with a name and a password'],
  ['multi', 'Transactions, committed and refused'],
  ['sync', 'Sync'],
  ['watch', 'One-shot watches: data, exists, children'],
  ['persistent-watch', 'Persistent and recursive watches, removal of watches'],
  ['reconnect', 'Reconnect after a lost connection: session, ephemerals, watches'],
  ['restart', 'Restart of the server under the client'],
  ['expiry', 'Session expiry'],
  ['introspection', 'getEphemerals, getAllChildrenNumber, whoami'],
  ['quota', 'Quotas'],
  ['words', 'Four-letter words'],
  ['big', 'Values and requests near 1 MB'],
  ['unicode', 'Unicode paths and values'],
  ['config', 'getConfig and reconfig on a standalone server'],
  ['recipes', "The client's recipes"],
  ['program', 'The program ran to its end'],
] as const;

export type Feature = (typeof FEATURES)[number][0];

/** The feature of that id; throws on one that isn't in the list, so a misspelt check can't vanish from the scorecard. */
export function featureOf(id: string): Feature {
  const found = FEATURES.find(([known]) => known === id);
  if (found === undefined) throw new Error(`'${id}' is no feature: see interop/src/clients/features.ts`);
  return found[0];
}

/** One thing a client was seen to do, or not to do. */
export interface Check {
  readonly feature: Feature;
  readonly name: string;
  readonly ok: boolean;
  /** What went wrong; empty if nothing did. */
  readonly message: string;
}
