// The types for `require`.

export type * from '../dist/index.js' with { 'resolution-mode': 'import' };

type Testing = typeof import('../dist/index.js', { with: { 'resolution-mode': 'import' }});

export declare const CHAOS_KINDS: Testing['CHAOS_KINDS'];
export declare const simulate: Testing['simulate'];
export declare const startEnsemble: Testing['startEnsemble'];
export declare const startServer: Testing['startServer'];
export declare const TestEnsemble: Testing['TestEnsemble'];
export declare const TestServer: Testing['TestServer'];
export type TestEnsemble = Testing['TestEnsemble']['prototype'];
export type TestServer = Testing['TestServer']['prototype'];
