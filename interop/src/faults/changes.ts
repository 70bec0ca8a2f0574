// Members that leave and join while clients work: every server starts on the configuration that it has written down itself.

import { readFileSync } from 'node:fs';
import type { Ensemble } from '../ensemble/ensemble.js';
import type { Member } from '../ensemble/member.js';
import { HOST } from '../ensemble/ports.js';
import { Session } from '../ensemble/session.js';
import { until } from '../ensemble/until.js';

const JOINED_MS = 60_000;

export class Changes {
  readonly #ensemble: Ensemble;
  readonly #gone = new Set<Member>();

  private constructor(ensemble: Ensemble) {
    this.#ensemble = ensemble;
  }

  /** Gives every member, of which none runs yet, a configuration that can change. */
  static of(ensemble: Ensemble): Changes {
    for (const member of ensemble.members) {
      delete member.cfg.clientPort;
      delete member.cfg.clientPortAddress;
      member.cfg.reconfigEnabled = 'true';
      member.cfg.standaloneEnabled = 'false';
      for (const other of ensemble.members) member.cfg[`server.${other.id}`] = line(other);
    }
    return new Changes(ensemble);
  }

  /** Asks that the member shall leave; whether that comes about is not waited for. */
  async leave(member: Member): Promise<void> {
    this.#gone.add(member);
    const session = await this.#session().catch(() => undefined);
    void session?.reconfig(undefined, String(member.id)).then(
      () => session.close(),
      () => session.detach(),
    );
  }

  /**
   * Starts a member on its own configuration. One that has written down that it is no member any more would refuse that: it gets what
   * an operator gives a server that shall join.
   */
  start(member: Member): void {
    if (isMember(member)) member.startOnOwnConfig();
    else member.start();
  }

  /** All are members again. To be called when all run. */
  async undo(): Promise<void> {
    for (const member of [...this.#gone]) {
      await until(`server ${member.id} is a member again`, JOINED_MS, async () => {
        const session = await this.#session().catch(() => undefined);
        const reply = await session?.reconfig(`server.${member.id}=${line(member)}`).catch(() => undefined);
        session?.detach();
        return reply?.error === 0;
      });
      this.#gone.delete(member);
    }
  }

  /** At a server that serves. */
  async #session(): Promise<Session> {
    for (const member of this.#ensemble.running)
      if ((await member.mode()) !== undefined) return Session.openSuper(member.ports.client);
    throw new Error('no server serves');
  }
}

/** Whether the configuration that the member would start on names it. */
function isMember({ id, configFile }: Member): boolean {
  const dynamic = /^dynamicConfigFile=(.*)$/m.exec(readFileSync(configFile, 'latin1'))?.[1];
  return dynamic === undefined || readFileSync(dynamic, 'latin1').includes(`server.${id}=`);
}

function line({ ports, cfg }: Member): string {
  const role = cfg.peerType ?? 'participant';
  return `${HOST}:${ports.quorum}:${ports.election}:${role};${HOST}:${ports.client}`;
}
