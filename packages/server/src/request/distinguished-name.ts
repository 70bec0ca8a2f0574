// Whether a text is a distinguished name, as the x509 scheme demands of ids in ACLs. Source: Java's X500Principal, RFC 2253.

/** The attributes that Java knows by name; others are given by number. */
const KEYWORDS = new Set(
  (
    'CN C L S ST O OU T IP STREET DC DNQUALIFIER DNQ SURNAME GIVENNAME INITIALS GENERATION EMAIL EMAILADDRESS UID ' +
    'SERIALNUMBER'
  ).split(' '),
);
/** A character behind a backslash: one that needs it, or a byte in hexadecimal. */
const ESCAPE = String.raw`\\(?:[,=+<>#;"\\ \n]|[0-9a-fA-F]{2})`;
/** A value: quoted, in hexadecimal, or plain. */
const VALUE = String.raw`(?:\s*"(?:${ESCAPE}|[^"\\])*"\s*|\s*#(?:[0-9a-fA-F]{2})+\s*|(?!\s*[#"])(?:${ESCAPE}|[^\\,;+"<>])*)`;
const PAIR = new RegExp(String.raw`\s*((?:OID\.)?\d+(?:\.\d+)+|[A-Za-z]+)\s*=${VALUE}`, 'suy');

export function isDistinguishedName(text: string): boolean {
  if (text === '') return true;
  PAIR.lastIndex = 0;
  for (;;) {
    const name = PAIR.exec(text)?.[1];
    if (name === undefined) return false;
    if (/^[a-z]+$/i.test(name) && !KEYWORDS.has(name.toUpperCase())) return false;
    const end = PAIR.lastIndex;
    if (end === text.length) return true;
    if (!',;+'.includes(text[end] as string)) return false;
    PAIR.lastIndex = end + 1;
  }
}
