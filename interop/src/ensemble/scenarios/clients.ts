// Unmodified third-party clients that know all members, while members die and come back.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { compileJava, java, SOURCES } from '../../clients/clients.js';
import type { Check } from '../../clients/features.js';
import { type Command, type Helper, runProgram } from '../../clients/program.js';
import type { Ensemble } from '../ensemble.js';
import type { Member } from '../member.js';
import type { Scenario, Stage } from '../scenario.js';

export const kazoo: Scenario = {
  id: 'kazoo',
  title: 'kazoo goes from member to member with its session, watches and locks',
  run: (stage) =>
    withProgram(stage, (_dir, hosts) => ({
      file: '/usr/bin/python3',
      args: [join(SOURCES, 'python/kazoo_ensemble.py'), hosts],
    })),
};

export const curator: Scenario = {
  id: 'curator',
  title: 'Curator goes from member to member with its session, watches and locks',
  run: (stage) =>
    withProgram(stage, (dir, hosts) => {
      compileJava(dir, ['Checks.java', 'CuratorEnsemble.java']);
      const { file, args } = java(dir, 'CuratorEnsemble');
      return { file, args: [...args, hosts] };
    }),
};

async function withProgram(stage: Stage, command: (dir: string, hosts: string) => Command): Promise<void> {
  // Sessions of half a minute: a member that comes back may take longer than the usual ones last.
  const ensemble = await stage.three({ cfg: { maxSessionTimeout: '30000' } });
  const dir = join(ensemble.dir, 'program');
  mkdirSync(dir);
  const failed: Check[] = [];
  let passed = 0;
  await runProgram(command(dir, ensemble.hosts), new Stagehand(ensemble), (check) => {
    if (check.ok) passed += 1;
    else failed.push(check);
  });
  stage.note(`${passed} checks passed`);
  if (failed.length > 0) throw new Error(failed.map((c) => `${c.feature}: ${c.name}: ${c.message}`).join('\n'));
}

/** Kills and starts members when a program asks for it. */
class Stagehand implements Helper {
  readonly #ensemble: Ensemble;

  constructor(ensemble: Ensemble) {
    this.#ensemble = ensemble;
  }

  async ask(request: string): Promise<void> {
    const [verb, port] = request.split(' ');
    if (verb === 'kill') await this.#memberAt(port).kill();
    else if (verb === 'start') await started(this.#memberAt(port));
    else if (verb === 'kill-leader') await (await this.#ensemble.leader()).kill();
    else if (verb === 'start-all') for (const member of this.#down()) await started(member);
    else if (verb === 'rolling-restart') await this.#rollingRestart();
    else throw new Error(`no such request: @${request}`);
  }

  #memberAt(port: string | undefined): Member {
    const member = this.#ensemble.members.find((m) => String(m.ports.client) === port);
    if (member === undefined) throw new Error(`no member has the client port ${port}`);
    return member;
  }

  #down(): Member[] {
    return this.#ensemble.members.filter((m) => !m.running);
  }

  async #rollingRestart(): Promise<void> {
    for (const member of this.#ensemble.members) {
      await member.stop();
      await started(member);
    }
  }
}

async function started(member: Member): Promise<void> {
  member.start();
  await member.inRole();
}
