// Runs the interop tests (interop/src/clients/main.ts), with the arguments given to this script.

import '../interop/dist/clients/main.js';
