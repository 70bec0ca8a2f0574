// The module loader's hooks that give one module another text.

import type { InitializeHook, LoadHook } from 'node:module';

let planted: { readonly url: string; readonly source: string };

export const initialize: InitializeHook<typeof planted> = (data) => {
  planted = data;
};

export const load: LoadHook = (url, context, nextLoad) =>
  url === planted.url ? { format: 'module', source: planted.source, shortCircuit: true } : nextLoad(url, context);
