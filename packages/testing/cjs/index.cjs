// For `require`. Node itself loads the modules, also under a runner that puts a loader of its own in the way (Jest): no runner has to
// understand or transform them, and they run where Node's errors and buffers are what they say.

// Buffer is Node's own in every context, and so is what made it: code made by that one runs outside of the runner's context.
const { getBuiltinModule } = Buffer.constructor('return process')();

module.exports = getBuiltinModule('node:module').createRequire(__filename)('../dist/index.js');
