// How a server proves to another who it is, and who may: by a password (DIGEST-MD5) or a ticket (GSSAPI). Source: SecurityUtils,
// SaslQuorumServerCallbackHandler of Apache ZooKeeper.

import {
  Acceptor,
  GssapiClient,
  Initiator,
  type InitiatorOptions,
  KerberosError,
  type Keytab,
  type Principal,
} from '@nodekeeper/kerberos';
import { DigestMd5Client, DigestMd5Server, SaslError, type SaslService } from './digest-md5.js';
import { KerberosLogin, type SaslLogin } from './login.js';

export interface QuorumAuthSettings {
  /** Who may connect: passwords by user, for DIGEST-MD5. */
  readonly users: ReadonlyMap<string, string>;
  /** As what this server takes connections with GSSAPI; if it is there, it is the only way. */
  readonly service: { readonly principal: Principal; readonly keytab: Keytab } | undefined;
  /** Whether nobody else may. */
  readonly serverRequires: boolean;
  /** As whom this server connects; undefined if it proves nothing (learnerRequireSasl=false). */
  readonly login: PasswordLogin | TicketLogin | undefined;
}

export interface PasswordLogin {
  readonly user: string;
  readonly password: string;
}

export interface TicketLogin extends InitiatorOptions {
  /** The principal of the other servers, `_HOST` in it standing for the host that is dialled. */
  readonly servicePrincipal: string;
}

/** The dialler's side of a login. */
export interface SaslProof {
  /** The first token; empty if the other is to speak first. */
  first(): Buffer;
  /** @throws SaslError if the other is not to be believed */
  answer(token: Buffer): Buffer;
  /** Whether the other has proved who it is. */
  readonly complete: boolean;
  /** To be called when the login has failed: what it was begun with is not to be used again. */
  refused?(): void;
}

const QUORUM: SaslService = { protocol: 'zookeeper-quorum', realm: 'zk-quorum-sasl-md5' };

/**
 * Makes logins of others.
 * @param now milliseconds since 1970
 * @param hosts of the members: a principal is admitted if its second part is one of these, and its realm this server's
 */
export function memberLogins(
  { users, service }: QuorumAuthSettings,
  now: () => number,
  hosts: () => ReadonlySet<string>,
): () => SaslLogin {
  if (service === undefined) return () => new DigestMd5Server(QUORUM, (user) => users.get(user));
  const { principal, keytab } = service;
  const acceptor = new Acceptor({ principal, keys: () => keytab.keysOf(principal), now });
  const admit = (name: string, authorizationId: string): string => {
    const [, host = '', realm] = /^[^/@]+\/([^/@]+)@(.+)$/.exec(name) ?? [];
    if (!hosts().has(host) || realm !== principal.realm) throw new KerberosError(`${name} is no member's principal`);
    if (authorizationId !== '' && authorizationId !== name)
      throw new KerberosError(`${name} wants to be somebody else`);
    return name;
  };
  return () => new KerberosLogin(acceptor, admit);
}

/** Prepares proofs of who this server is, for the host that is dialled. Undefined if it proves nothing. */
export function ownProofs({ login }: QuorumAuthSettings): ((host: string) => Promise<SaslProof>) | undefined {
  if (login === undefined) return undefined;
  if ('password' in login) return async () => new DigestMd5Client(QUORUM, login.user, login.password);
  const initiator = new Initiator(login);
  return async (host) => {
    const service = login.servicePrincipal.replace(/\/_HOST(?=@|$)/, `/${host.toLowerCase()}`);
    try {
      const ticket = await initiator.ticketFor(service);
      // The other server may have got another key since: its ticket would hold for hours.
      return ticketProof(new GssapiClient(ticket), () => initiator.refuse(ticket));
    } catch (error) {
      throw asSaslError(error);
    }
  };
}

function ticketProof(client: GssapiClient, refused: () => void): SaslProof {
  return {
    refused,
    first: () => client.first(),
    answer(token) {
      try {
        return client.answer(token);
      } catch (error) {
        throw asSaslError(error);
      }
    },
    get complete() {
      return client.complete;
    },
  };
}

function asSaslError(error: unknown): unknown {
  return error instanceof KerberosError ? new SaslError(error.message) : error;
}
