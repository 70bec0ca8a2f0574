// Names of users and services: components and a realm, `zookeeper/host.example@EXAMPLE`. Source: RFC 4120, 6.2, and RFC 1964, 2.1.1.

import { asInteger, asText, Fields, integer, list, listOf, type Read, sequence, text } from './der.js';
import { KerberosError } from './errors.js';

export interface Principal {
  readonly components: readonly string[];
  readonly realm: string;
}

const NT_PRINCIPAL = 1;
const NT_SRV_INST = 2;
const MOST_COMPONENTS = 16;

/**
 * @param defaultRealm for a name without one
 * @throws KerberosError if it is no name, or has no realm and there is no default
 */
export function parsePrincipal(name: string, defaultRealm?: string): Principal {
  const match = /^([^@\\]+)(?:@([^@/\\]+))?$/.exec(name);
  const components = match?.[1]?.split('/') ?? [''];
  if (components.some((part) => part === '')) throw new KerberosError(`${name} is no principal`);
  const realm = match?.[2] ?? defaultRealm;
  if (realm === undefined) throw new KerberosError(`principal ${name} has no realm, and there is no default one`);
  return { components, realm };
}

/** @throws KerberosError if a component holds what separates components, so that one name could stand for another */
export function formatPrincipal({ components, realm }: Principal): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they have no place in names either
  if ([...components, realm].some((part) => part === '' || /[/@\\\x00-\x1f\x7f]/.test(part))) {
    throw new KerberosError('a name with separators or control characters in it');
  }
  return `${components.join('/')}@${realm}`;
}

export function samePrincipal(a: Principal, b: Principal): boolean {
  return (
    a.realm === b.realm &&
    a.components.length === b.components.length &&
    a.components.every((part, i) => part === b.components[i])
  );
}

// PrincipalName ::= SEQUENCE { name-type [0] Int32, name-string [1] SEQUENCE OF KerberosString }
export const asComponents: Read<string[]> = (element) => {
  const fields = new Fields(element);
  fields.get(0, asInteger);
  return fields.get(1, listOf(asText, MOST_COMPONENTS));
};

export function principalName(components: readonly string[]): Buffer {
  const type = components.length > 1 ? NT_SRV_INST : NT_PRINCIPAL;
  return sequence({ 0: integer(type), 1: list(components.map(text)) });
}
