#!/usr/bin/env node
// The nodekeeper command. Running a server takes the short way: nothing is loaded that the server does not need.

const [verb] = process.argv.slice(2);
if (verb === 'start-foreground') {
  const { startForeground } = await import('./start-foreground.js');
  await startForeground(process.argv.slice(3));
} else if (verb === 'shell') {
  const { runShell } = await import('./shell/index.js');
  process.exitCode = await runShell(process.argv.slice(3));
} else if (verb === 'tools') {
  const { runTools } = await import('./tools/index.js');
  process.exitCode = await runTools(process.argv.slice(3));
} else if (verb === 'doctor') {
  const { runDoctor } = await import('./doctor/index.js');
  process.exitCode = await runDoctor(process.argv.slice(3));
} else {
  const { runCommand } = await import('./commands.js');
  await runCommand(process.argv.slice(2));
}
