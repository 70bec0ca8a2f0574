// What is said where no more files may be opened: by this process, or on this machine.

/** Undefined for any other error. */
export function tooManyFiles(error: unknown): string | undefined {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'EMFILE')
    return `${message}: allow more with ulimit -n 65536 before the start, or LimitNOFILE=65536 in the systemd unit`;
  if (code === 'ENFILE') return `${message}: the machine has no more; close some, or raise fs.file-max with sysctl`;
  return undefined;
}
