// Java's login configuration files: `Section { module.Class required option="value" …; };`.

export interface LoginModule {
  readonly className: string;
  readonly options: ReadonlyMap<string, string>;
}

const TOKEN = /\s+|\/\/.*|\/\*[\s\S]*?\*\/|"((?:\\.|[^"\\])*)"|([{};=])|([\w$.*-]+)/gy;
const FLAGS = ['required', 'requisite', 'sufficient', 'optional'];
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r' };

/**
 * The login modules by section.
 * @throws Error that says what is wrong and in which line
 */
export function parseJaas(text: string): Map<string, LoginModule[]> {
  const tokens = [...scan(text)];
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
        options.set(option, word('a value'));
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

function* scan(text: string): Generator<{ text: string; mark: boolean; line: number }> {
  TOKEN.lastIndex = 0;
  for (let line = 1; TOKEN.lastIndex < text.length; ) {
    const start = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (match === null) throw new Error(`line ${line}: '${text[start]}' is not understood`);
    const [all, quoted, sign, plain] = match;
    if (quoted !== undefined) {
      yield { text: quoted.replace(/\\(.)/gs, (_, c: string) => ESCAPES[c] ?? c), mark: false, line };
    } else if (sign !== undefined) yield { text: sign, mark: true, line };
    else if (plain !== undefined) yield { text: plain, mark: false, line };
    line += all.split('\n').length - 1;
  }
}
