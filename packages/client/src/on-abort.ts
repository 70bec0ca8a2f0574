// One listener per AbortSignal, however many calls share the signal: thousands of listeners would be slow and draw warnings.

interface Dispatcher {
  readonly actions: Set<() => void>;
  readonly listener: () => void;
}

const dispatchers = new WeakMap<AbortSignal, Dispatcher>();

/** Has `action` done when the signal is aborted, once. Returns what undoes that. The caller has looked whether it is aborted. */
export function onAbort(signal: AbortSignal, action: () => void): () => void {
  let dispatcher = dispatchers.get(signal);
  if (dispatcher === undefined) {
    const actions = new Set<() => void>();
    const listener = (): void => {
      dispatchers.delete(signal);
      for (const one of actions) one();
    };
    dispatcher = { actions, listener };
    dispatchers.set(signal, dispatcher);
    signal.addEventListener('abort', listener, { once: true });
  }
  const { actions, listener } = dispatcher;
  actions.add(action);
  return () => {
    if (!actions.delete(action) || actions.size > 0) return;
    // A signal that outlives many clients must not hold anything of them.
    signal.removeEventListener('abort', listener);
    dispatchers.delete(signal);
  };
}
