// The package's public face.
export { isRecipeError, RecipeError, type RecipeErrorCode } from './base/errors.js';
export type { TenureOptions } from './base/tenure.js';
export type { WaitOptions } from './base/wait.js';
export type { LockHold } from './locks/hold.js';
export type { AcquireOptions, LockOptions, RevocableHold } from './locks/lock.js';
export { InterProcessMutex } from './locks/mutex.js';
export type { LockLayout } from './locks/names.js';
export { attemptRevoke } from './locks/revocation.js';
