// Java's login configuration files: `Section { module.Class required option="value" …; };`. Source: the JDK's ConfigFile, by
// which words begin with a letter and passwords therefore stand in quotes.

export interface LoginModule {
  readonly className: string;
  readonly options: ReadonlyMap<string, string>;
}

const TOKEN =
  /\s+|\/\/.*|\/\*[\s\S]*?\*\/|"((?:\\[\s\S]|[^"\\\r\n])*)"|([{};=])|([a-z_$*\u00a0-\uffff][\w$*.\u00a0-\uffff-]*)/giy;
const FLAGS = ['required', 'requisite', 'sufficient', 'optional'];
const ESCAPES: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

interface Token {
  readonly text: string;
  readonly mark: boolean;
  readonly line: number;
}

/**
 * The login modules by section.
 * @throws Error that says what is wrong and in which line
 */
export function parseJaas(text: string): Map<string, LoginModule[]> {
  const tokens = scan(text);
  let at = 0;
  const fail = (expected: string): never => {
    const line = tokens[at]?.line ?? text.split('\n').length;
    throw new Error(`line ${line}: ${expected} is expected`);
  };
  const word = (what: string): string => {
    const token = tokens[at];
    if (token === undefined || token.mark) return fail(what);
    at++;
    return token.text;
  };
  const mark = (sign: string): boolean => tokens[at]?.mark === true && tokens[at]?.text === sign;
  const skip = (sign: string): void => {
    if (!mark(sign)) fail(`'${sign}'`);
    at++;
  };
  const sections = new Map<string, LoginModule[]>();
  while (at < tokens.length) {
    const name = word('the name of a section');
    if (sections.has(name)) throw new Error(`section ${name} is there twice`);
    const modules: LoginModule[] = [];
    skip('{');
    while (!mark('}')) {
      const className = word('the class of a login module');
      if (!FLAGS.includes((tokens[at]?.text ?? '').toLowerCase())) fail("'required'");
      at++;
      const options = new Map<string, string>();
      while (!mark(';')) {
        const option = word("an option or ';'");
        skip('=');
        const value = word('a value');
        if (value.includes('${')) throw new Error(`option ${option}: Java's properties are not known here: ${value}`);
        options.set(option, value);
      }
      skip(';');
      modules.push({ className, options });
    }
    skip('}');
    skip(';');
    sections.set(name, modules);
  }
  return sections;
}

function scan(text: string): Token[] {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  for (let line = 1; TOKEN.lastIndex < text.length; ) {
    const start = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (match === null) throw new Error(`line ${line}: '${text[start]}' is not understood; values stand in quotes`);
    const [all, quoted, sign, plain] = match;
    if (quoted !== undefined) tokens.push({ text: unescaped(quoted), mark: false, line });
    else if (sign !== undefined) tokens.push({ text: sign, mark: true, line });
    else if (plain !== undefined) tokens.push({ text: plain, mark: false, line });
    line += all.split('\n').length - 1;
  }
  return tokens;
}

function unescaped(quoted: string): string {
  return quoted.replace(/\\([0-3]?[0-7]{1,2}|[\s\S])/g, (_, code: string) =>
    /^[0-7]/.test(code) ? String.fromCharCode(Number.parseInt(code, 8)) : (ESCAPES[code] ?? code),
  );
}
