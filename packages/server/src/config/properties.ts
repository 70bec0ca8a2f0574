// Java's properties syntax, as zoo.cfg has it, keeping the line of each key.

export interface Property {
  readonly key: string;
  readonly value: string;
  /** From 1. */
  readonly line: number;
}

/** Comments (`#`, `!`), continuation lines, escapes and the separators `=`, `:` and blank. Later keys win. */
export function parseProperties(text: string): Property[] {
  const found = new Map<string, Property>();
  const lines = text.split(/\r\n|\n|\r/);
  for (let i = 0; i < lines.length; i++) {
    const first = i + 1;
    let logical = (lines[i] ?? '').trimStart();
    if (logical === '' || logical.startsWith('#') || logical.startsWith('!')) continue;
    while (/(^|[^\\])(\\\\)*\\$/.test(logical) && i + 1 < lines.length) {
      logical = logical.slice(0, -1) + (lines[++i] ?? '').trimStart();
    }
    const match = /^((?:\\.|[^\\=:\s])*)\s*[=:]?\s*(.*)$/s.exec(logical);
    if (match === null) continue;
    const key = unescaped(match[1] ?? '');
    found.set(key, { key, value: unescaped(match[2] ?? '').trim(), line: first });
  }
  return [...found.values()];
}

function unescaped(text: string): string {
  return text.replace(/\\(u[0-9a-fA-F]{4}|.)/gs, (_, code: string) => {
    if (code.length === 5) return String.fromCharCode(Number.parseInt(code.slice(1), 16));
    return { t: '\t', n: '\n', r: '\r', f: '\f' }[code] ?? code;
  });
}
