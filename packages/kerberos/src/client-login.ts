// Kerberos as a client of ZooKeeper takes it: the option `sasl` of @nodekeeper/client, which has the same shape.

import { KerberosError } from './errors.js';
import { Initiator, type InitiatorOptions } from './initiator.js';
import { GssapiClient } from './sasl-client.js';

export interface KerberosLoginOptions extends InitiatorOptions {
  /**
   * The first part of the servers' principals, `zookeeper` by default; the second is the host as the connect string has it. Or one
   * whole principal for all of them, `zookeeper/host` or `zookeeper/host@REALM`.
   */
  readonly service?: string;
}

/** See SaslMechanism of @nodekeeper/client. */
export interface KerberosMechanism {
  readonly mechanism: 'GSSAPI';
  begin(host: string): Promise<KerberosExchange>;
}

/** See SaslExchange of @nodekeeper/client. */
export interface KerberosExchange {
  first(): Buffer;
  answer(token: Buffer | null): Buffer | undefined;
  refused(): boolean;
}

/**
 * Logs in with Kerberos.
 * @throws KerberosError if krb5.conf cannot be read
 */
export function kerberosLogin(options: KerberosLoginOptions = {}): KerberosMechanism {
  const { service = 'zookeeper' } = options;
  const initiator = new Initiator(options);
  return {
    mechanism: 'GSSAPI',
    async begin(host) {
      const name = service.includes('/') ? service : `${service}/${host.toLowerCase()}`;
      const { ticket, isNew } = await initiator.obtain(name);
      const refused = (): boolean => {
        initiator.refuse(ticket);
        return !isNew;
      };
      return exchange(new GssapiClient(ticket), refused);
    },
  };
}

function exchange(client: GssapiClient, refused: () => boolean): KerberosExchange {
  return {
    refused,
    first: () => client.first(),
    answer(token) {
      if (client.complete) return undefined;
      if (token === null) throw new KerberosError('the server offers no Kerberos login');
      return client.answer(token);
    },
  };
}
