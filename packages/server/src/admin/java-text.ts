// Values as Java prints them, where Apache's outputs show it: dates, doubles, 64-bit hexadecimals.

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
/** Zones without summer time that no such language has a name for. */
const ZONES: Readonly<Record<string, string>> = {
  'America/Bogota': 'COT',
  'America/Buenos_Aires': 'ART',
  'America/Lima': 'PET',
  'America/Sao_Paulo': 'BRT',
  'Asia/Bangkok': 'ICT',
  'Asia/Calcutta': 'IST',
  'Asia/Dhaka': 'BDT',
  'Asia/Dubai': 'GST',
  'Asia/Hong_Kong': 'HKT',
  'Asia/Jakarta': 'WIB',
  'Asia/Karachi': 'PKT',
  'Asia/Kolkata': 'IST',
  'Asia/Kuala_Lumpur': 'MYT',
  'Asia/Manila': 'PST',
  'Asia/Riyadh': 'AST',
  'Asia/Saigon': 'ICT',
  'Asia/Seoul': 'KST',
  'Asia/Shanghai': 'CST',
  'Asia/Singapore': 'SGT',
  'Asia/Taipei': 'CST',
  'Asia/Tokyo': 'JST',
  'Europe/Istanbul': 'TRT',
  'Europe/Moscow': 'MSK',
};

/**
 * Java's Date.toString: `Sat Nov 21 03:14:19 UTC 2026`.
 * @param ms milliseconds since 1970
 */
export function javaDate(ms: number): string {
  const d = new Date(ms);
  const two = (n: number): string => String(n).padStart(2, '0');
  return `${DAYS[d.getDay()]} ${MONTHS[d.getMonth()]} ${two(d.getDate())} ${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())} ${zoneName(d)} ${d.getFullYear()}`;
}

const QUARTER_MS = 900_000;
/** The last one that was looked up: many dates in a row are near each other, and no zone changes within a quarter of an hour. */
const lastZone = { key: '', name: '' };

function zoneName(at: Date): string {
  const key = `${process.env.TZ} ${Math.floor(at.getTime() / QUARTER_MS)}`;
  if (lastZone.key !== key) Object.assign(lastZone, { key, name: lookUpZone(at) });
  return lastZone.name;
}

/** Java's short name of the time zone at that time: here each language knows those of its countries. */
function lookUpZone(at: Date): string {
  const known = ZONES[formatOf('en-US').resolvedOptions().timeZone];
  if (known !== undefined) return known;
  for (const locale of ['en-US', 'en-GB', 'en-AU', 'en-ZA']) {
    const name = nameIn(locale, at);
    if (!/^GMT[+-]/.test(name)) return name;
  }
  return nameIn('en-US', at);
}

function nameIn(locale: string, at: Date): string {
  const parts = formatOf(locale).formatToParts(at);
  return parts.find(({ type }) => type === 'timeZoneName')?.value ?? 'UTC';
}

/** By time zone and language. One takes a hundred times as long to make as to use. */
const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(locale: string): Intl.DateTimeFormat {
  const key = `${process.env.TZ} ${locale}`;
  let format = formats.get(key);
  if (format === undefined) {
    format = new Intl.DateTimeFormat(locale, { timeZoneName: 'short' });
    formats.set(key, format);
  }
  return format;
}

/** A number that Java holds as a double, so that it is printed with a decimal point. */
export class JavaDouble {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }

  /** An average, rounded to four decimals as Apache does. */
  static average(value: number): JavaDouble {
    return new JavaDouble(Math.round(value * 10_000) / 10_000);
  }

  /** Java's Double.toString for finite numbers: `0.0`, `0.8065`, `5.0E-4`, `1.2E7`. */
  toString(): string {
    const size = Math.abs(this.value);
    if (size === 0 || (size >= 1e-3 && size < 1e7)) return withPoint(String(this.value));
    const [digits = '0', exponent = '0'] = this.value.toExponential().split('e');
    return `${withPoint(digits)}E${Number(exponent)}`;
  }
}

function withPoint(digits: string): string {
  return digits.includes('.') ? digits : `${digits}.0`;
}

/** `0x` and the hexadecimal digits of a Java long; -1 is `0xffffffffffffffff`. */
export function hex(n: bigint | number): string {
  return `0x${bareHex(n)}`;
}

/** The same without `0x`. */
export function bareHex(n: bigint | number): string {
  return (typeof n === 'number' && n >= 0 ? n : BigInt.asUintN(64, BigInt(n))).toString(16);
}
