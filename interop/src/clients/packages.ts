// Debian's packages the clients come from: what is missing is installed, and their versions are read.

import { spawnSync } from 'node:child_process';

/** The installed version, or undefined. */
export function versionOf(name: string): string | undefined {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own placeholders
  const asked = spawnSync('dpkg-query', ['-W', '-f', '${db:Status-Status} ${Version}', name], { encoding: 'utf8' });
  const [status, version] = (asked.stdout ?? '').split(' ');
  return asked.status === 0 && status === 'installed' ? version : undefined;
}

/**
 * Installs those of the packages that aren't there, with apt-get.
 * @throws if any is missing and this machine has no apt-get, or this user may not use it.
 */
export function installMissing(names: readonly string[]): void {
  const missing = [...new Set(names)].filter((name) => versionOf(name) === undefined);
  if (missing.length === 0) return;
  const list = missing.join(' ');
  if (spawnSync('apt-get', ['--version']).status !== 0) {
    throw new Error(`the interop tests need Debian's packages ${list}, and there is no apt-get here`);
  }
  if (process.getuid?.() !== 0) {
    throw new Error(
      `the interop tests need packages: run as root, or run: apt-get install --no-install-recommends ${list}`,
    );
  }
  process.stdout.write(`# installing ${list}\n`);
  apt(['update']);
  apt(['install', '--yes', '--no-install-recommends', ...missing]);
}

function apt(args: readonly string[]): void {
  const run = spawnSync('apt-get', ['-qq', ...args], {
    encoding: 'utf8',
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  if (run.status !== 0) throw new Error(`apt-get ${args.join(' ')} failed:\n${run.stderr}${run.stdout}`);
}
