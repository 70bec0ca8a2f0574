// How a line of the shell is cut into words: at blanks, except within quotes. Source: the behaviour of zkCli.

const WORD = /\s*([^"']\S*|"[^"]*"|'[^']*')\s*/g;

/** The words of a line; quotes around a whole word are taken off. */
export function splitWords(line: string): string[] {
  return [...line.trim().matchAll(WORD)].map(([, word = '']) =>
    /^(["']).*\1$/s.test(word) ? word.slice(1, -1) : word,
  );
}
