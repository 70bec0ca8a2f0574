// Java's properties syntax, as zoo.cfg has it, keeping the line of each key.

export interface Property {
  readonly key: string;
  readonly value: string;
  /** From 1. */
  readonly line: number;
}

/** At the line with this number an escape cannot be read. */
export class PropertiesError extends Error {
  readonly line: number;

  constructor(line: number, message: string) {
    super(message);
    this.line = line;
  }
}

/**
 * Comments (`#`, `!`), continuation lines, escapes and the separators `=`, `:` and blank. Later keys win.
 * @throws PropertiesError
 */
export function parseProperties(text: string): Property[] {
  const found = new Map<string, Property>();
  const lines = text.replace(/^\ufeff/, '').split(/\r\n|\n|\r/); // editors of Windows begin a file with a byte order mark
  for (let i = 0; i < lines.length; i++) {
    const first = i + 1;
    let logical = withoutIndent(lines[i]);
    // A continuation of nothing is nothing: what follows may be a comment.
    if (logical === '' || logical === '\\' || logical.startsWith('#') || logical.startsWith('!')) continue;
    while (/(^|[^\\])(\\\\)*\\$/.test(logical)) logical = logical.slice(0, -1) + withoutIndent(lines[++i]);
    const match = /^((?:\\.|[^\\=: \t\f])*)[ \t\f]*[=:]?[ \t\f]*(.*)$/s.exec(logical);
    if (match === null) continue;
    if (/(^|[^\\])(\\\\)*\\u(?![0-9a-fA-F]{4})/.test(logical))
      throw new PropertiesError(first, 'four hexadecimal digits are expected behind \\u');
    const key = trimmed(unescaped(match[1] ?? '')); // as Apache's server does
    found.set(key, { key, value: trimmed(unescaped(match[2] ?? '')), line: first });
  }
  return [...found.values()];
}

function unescaped(text: string): string {
  return text.replace(/\\(u[0-9a-fA-F]{4}|.)/gs, (_, code: string) => {
    if (code.length === 5) return String.fromCharCode(Number.parseInt(code.slice(1), 16));
    return { t: '\t', n: '\n', r: '\r', f: '\f' }[code] ?? code;
  });
}

/** Other blanks than these belong to keys and values. */
const withoutIndent = (line: string | undefined): string => (line ?? '').replace(/^[ \t\f]+/, '');

/** As String.trim of Java. */
function trimmed(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && text.charCodeAt(start) <= 0x20) start++;
  while (end > start && text.charCodeAt(end - 1) <= 0x20) end--;
  return text.slice(start, end);
}
