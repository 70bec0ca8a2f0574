// What tests in other languages can do to their testing servers: commands with named values, `kill server=2`, answered with JSON.

import { CHAOS_KINDS, type Chaos, type ChaosKind, type ReplyHeader, type TestEnsemble } from '@nodekeeper/testing';

/** What JSON can say. */
type Answer = Readonly<Record<string, unknown>>;

/** What chaos takes, in milliseconds and servers. */
const CHAOS_NUMBERS = ['duration', 'longest', 'pause', 'atOnce'] as const;

const hex = (n: bigint | number): string => `0x${n.toString(16)}`;

/** The values of one command. */
class Values {
  private readonly values: ReadonlyMap<string, string>;

  constructor(values: ReadonlyMap<string, string>) {
    this.values = values;
  }

  text(name: string): string | undefined {
    return this.values.get(name);
  }

  number(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    if (!/^\d+$/.test(text)) throw new Error(`${name}=${text}: a whole number is expected`);
    return Number(text);
  }

  needed(name: string): number {
    const value = this.number(name);
    if (value === undefined) throw new Error(`${name}=… is missing`);
    return value;
  }

  /** A 64-bit id, as `0x…` or in decimals; negative ones are what Java prints for the large ones. */
  id(name: string): bigint | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    if (!/^(0x[0-9a-f]{1,16}|-?\d+)$/i.test(text)) throw new Error(`${name}=${text}: an id is expected, as in 0x1000…`);
    return BigInt.asUintN(64, BigInt(text));
  }
}

interface Command {
  /** Names of values. */
  readonly takes: readonly string[];
  /** What it returns or resolves with is told in the answer. */
  run(values: Values): unknown;
}

/** Carries out commands, one after the other. */
export class TestingControl {
  private readonly servers: TestEnsemble;
  private chaos: Chaos | undefined;
  private readonly dropped: ReplyHeader[] = [];
  private last: Promise<unknown> = Promise.resolve();

  constructor(servers: TestEnsemble) {
    this.servers = servers;
  }

  /** Carries out a command when those before it are done. Never rejects: the answer has `ok`, and an `error` if that is false. */
  run(name: string, values: ReadonlyMap<string, string>): Promise<Answer> {
    const answer = this.last.then(() => this.carryOut(name, values));
    this.last = answer;
    return answer;
  }

  /** Carries out a line: the command's name and its values, divided by blanks. */
  runLine(line: string): Promise<Answer> {
    const [name = '', ...words] = line.trim().split(/\s+/);
    const values = new Map(words.map((word) => /^([^=]*)=?(.*)$/.exec(word)?.slice(1) as [string, string]));
    return this.run(name, values);
  }

  private async carryOut(name: string, values: ReadonlyMap<string, string>): Promise<Answer> {
    try {
      const command = Object.hasOwn(this.commands, name) ? this.commands[name] : undefined;
      if (command === undefined)
        throw new Error(`'${name}' is no command; there are ${Object.keys(this.commands).join(', ')}`);
      for (const given of values.keys())
        if (!command.takes.includes(given)) throw new Error(`'${name}' takes no ${given}=…`);
      const told = await command.run(new Values(values));
      return { ok: true, ...(typeof told === 'object' ? told : {}) };
    } catch (e) {
      return { ok: false, error: e instanceof Error ? e.message : String(e) };
    }
  }

  /** A command for one server; the first if none is named. */
  private one(action: (id: number, values: Values) => unknown, ...takes: string[]): Command {
    return { takes: ['server', ...takes], run: (values) => action(values.number('server') ?? 1, values) };
  }

  private readonly commands: Readonly<Record<string, Command>> = {
    status: { takes: [], run: () => this.status() },
    ready: { takes: [], run: () => this.servers.ready().then(() => this.status()) },
    start: this.one((id) => this.servers.start(id)),
    stop: this.one((id) => this.servers.stop(id)),
    kill: this.one((id) => this.servers.kill(id)),
    restart: this.one((id) => this.servers.restart(id)),
    partition: {
      takes: ['groups'],
      run: (values) => this.servers.partition(...groupsOf(values.text('groups') ?? '')),
    },
    heal: { takes: [], run: () => this.servers.heal() },
    freeze: this.one((id) => this.servers.freeze(id)),
    thaw: this.one((id) => this.servers.thaw(id)),
    'delay-replies': this.one((id, values) => this.servers.delayReplies(id, values.needed('ms')), 'ms'),
    'drop-next-reply': { takes: ['server', 'session'], run: (values) => this.dropNextReply(values) },
    'slow-disk': this.one((id, values) => this.servers.slowDisk(id, values.needed('ms')), 'ms'),
    'fail-disk': this.one((id, values) => this.servers.failDisk(id, values.text('code')), 'code'),
    'heal-disk': this.one((id) => this.servers.healDisk(id)),
    expire: {
      takes: ['session'],
      run: (values) => {
        const session = values.id('session');
        if (session === undefined) throw new Error('session=… is missing');
        return { expired: this.servers.expireSession(session) };
      },
    },
    advance: {
      takes: ['ms', 'silent'],
      run: (values) => this.servers.advance(values.needed('ms'), { silent: values.text('silent') === 'true' }),
    },
    chaos: {
      takes: ['seed', 'kinds', ...CHAOS_NUMBERS],
      run: (values) => this.startChaos(values),
    },
    'stop-chaos': { takes: [], run: () => this.stopChaos() },
  };

  private status(): Answer {
    const { servers } = this;
    return {
      leader: servers.leader ?? null,
      servers: servers.ids.map((id) => ({
        id,
        connectString: servers.connectStringOf(id),
        running: servers.isRunning(id),
        failure: servers.failure(id)?.message ?? null,
      })),
      dropped: this.dropped.map(({ session, xid, zxid, error }) => ({
        session: hex(session),
        xid,
        zxid: hex(zxid),
        error,
      })),
    };
  }

  private dropNextReply(values: Values): void {
    const choice = { server: values.number('server'), session: values.id('session') };
    void this.servers.dropNextReply(choice).dropped.then((reply) => this.dropped.push(reply));
  }

  private startChaos(values: Values): Answer {
    if (this.chaos !== undefined) throw new Error('there is chaos already; stop-chaos ends it');
    const numbers = CHAOS_NUMBERS.map((name) => [name, values.number(name)] as const);
    const seed = values.text('seed');
    const kinds = values.text('kinds')?.split(',').map(kindOf);
    this.chaos = this.servers.chaos({
      ...Object.fromEntries(numbers.filter(([, value]) => value !== undefined)),
      ...(seed === undefined ? {} : { seed }),
      ...(kinds === undefined ? {} : { kinds }),
    });
    return { seed: this.chaos.seed, plan: this.chaos.plan };
  }

  private async stopChaos(): Promise<Answer> {
    const { chaos } = this;
    if (chaos === undefined) throw new Error('there is no chaos');
    this.chaos = undefined;
    await chaos.stop();
    return { seed: chaos.seed, lines: chaos.lines };
  }
}

function kindOf(text: string): ChaosKind {
  const kind = CHAOS_KINDS.find((known) => known === text);
  if (kind === undefined) throw new Error(`kinds=${text}: expected are ${CHAOS_KINDS.join(', ')}`);
  return kind;
}

/** `1|2,3`: server 1 on one side, 2 and 3 on the other. */
function groupsOf(text: string): number[][] {
  if (!/^\d+(,\d+)*(\|\d+(,\d+)*)+$/.test(text)) throw new Error(`groups=${text}: expected as in 1|2,3`);
  return text.split('|').map((group) => group.split(',').map(Number));
}
