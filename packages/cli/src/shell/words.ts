// How a line of the shell is cut into words: at blanks, except within quotes. Source: the behaviour of zkCli.

/** What Java takes for a blank: those of ASCII alone, where JavaScript knows more. */
const BLANK = '[ \\t\\n\\v\\f\\r]';
const OTHER = '[^ \\t\\n\\v\\f\\r]';
const WORD = new RegExp(`${BLANK}*([^"']${OTHER}*|"[^"]*"|'[^']*')${BLANK}*`, 'g');
const ENDS = new RegExp(`^${BLANK}+|${BLANK}+$`, 'g');

/** The words of a line; quotes around a whole word are taken off. */
export function splitWords(line: string): string[] {
  return [...line.replace(ENDS, '').matchAll(WORD)].map(([, word = '']) =>
    /^(["']).*\1$/s.test(word) ? word.slice(1, -1) : word,
  );
}
