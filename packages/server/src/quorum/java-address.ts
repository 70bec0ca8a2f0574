// Internet addresses as Java writes them: servers compare the texts of their members, and tools read what they know.

const BYTE = '(?:\\d|[1-9]\\d|1\\d\\d|2[0-4]\\d|25[0-5])';
const MAPPED = new RegExp(`^::ffff:(${BYTE}(?:\\.${BYTE}){3})$`);

/** An IPv6 address with its eight groups, one of IPv4 that is mapped to IPv6 plainly, anything else as it is. */
export function javaAddress(text: string): string {
  if (!text.includes(':')) return text;
  // As the system tells of each client by IPv4 at a port for both: soon done.
  const mapped = MAPPED.exec(text)?.[1];
  if (mapped !== undefined) return mapped;
  const [address = '', zone] = text.split('%', 2);
  const groups = groupsOf(address);
  if (groups === undefined) return text;
  const [high = 0, low = 0] = groups.slice(6);
  if (groups.slice(0, 6).join() === '0,0,0,0,0,65535') return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.');
  const plain = groups.map((group) => group.toString(16)).join(':');
  return zone === undefined ? plain : `${plain}%${zone}`;
}

/** An address or a name as it stands in front of a port. */
export function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

/** Whether it stands for every address of the machine. */
export function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || javaAddress(host) === '0:0:0:0:0:0:0:0';
}

/** The groups of an IPv6 address; undefined if it is none. */
function groupsOf(address: string): number[] | undefined {
  const [head = [], tail, ...more] = address
    .split('::')
    .map((half) => (half === '' ? [] : half.split(':').flatMap(valuesOf)));
  const missing = 8 - head.length - (tail?.length ?? 0);
  if (more.length > 0 || (tail === undefined ? missing !== 0 : missing < 1)) return undefined;
  const groups = [...head, ...new Array<number>(missing).fill(0), ...(tail ?? [])];
  return groups.some(Number.isNaN) ? undefined : groups;
}

/** What a part between colons stands for: one group, or two where it is written as an IPv4 address. */
function valuesOf(part: string): number[] {
  if (/^[0-9a-f]{1,4}$/i.test(part)) return [Number.parseInt(part, 16)];
  const bytes = part.split('.').map((byte) => (/^\d{1,3}$/.test(byte) ? Number(byte) : 256));
  const [a = 0, b = 0, c = 0, d = 0] = bytes;
  return bytes.length === 4 && bytes.every((byte) => byte < 256) ? [a * 256 + b, c * 256 + d] : [Number.NaN];
}
