// Rules for znode paths. Source: PathUtils.validatePath of Apache ZooKeeper, tried on 3.8.0.

/** Why `path` is no valid absolute path, or null if it is one. For a sequential create, pass the path with a digit added. */
export function pathProblem(path: string): string | null {
  if (path.length === 0) return 'path is empty';
  if (path.charCodeAt(0) !== 0x2f) return 'path must start with /';
  if (path.length === 1) return null;
  if (path.charCodeAt(path.length - 1) === 0x2f) return 'path must not end with /';
  let componentStart = 1;
  for (let i = 1; i <= path.length; i++) {
    const c = i === path.length ? 0x2f : path.charCodeAt(i);
    if (c === 0x2f) {
      const n = i - componentStart;
      if (n === 0) return `empty component at ${componentStart}`;
      if (path.charCodeAt(componentStart) === 0x2e) {
        if (n === 1 || (n === 2 && path.charCodeAt(componentStart + 1) === 0x2e)) {
          return `relative component at ${componentStart}`;
        }
      }
      componentStart = i + 1;
    } else if (isForbidden(c)) {
      return `invalid character U+${c.toString(16).padStart(4, '0').toUpperCase()} at ${i}`;
    }
  }
  return null;
}

function isForbidden(c: number): boolean {
  if (c < 0x20) return true;
  if (c < 0x7f) return false;
  return c <= 0x9f || (c >= 0xd800 && c <= 0xf8ff) || c >= 0xfff0;
}

/** The path of the parent: `/a` of `/a/b`, `/` of `/a`. The argument is not `/`. */
export function parentPath(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash <= 0 ? '/' : path.slice(0, slash);
}
