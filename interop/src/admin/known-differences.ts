// Where ours is meant to tell something else than Apache's 3.8.0, with the reason.

interface Known {
  readonly why: string;
  readonly covers: (asked: string, apache: string, ours: string) => boolean;
}

const KNOWN: readonly Known[] = [
  {
    why: "Apache's command has failed (a null pointer, where no client port belongs to the server): ours has not",
    covers: (_asked, apache, ours) => apache.startsWith('500 ') && ours.startsWith('200 '),
  },
  {
    why: "Apache's leader that serves no clients forgets its client port's settings in this command",
    covers(asked, apache, ours) {
      const strip = (answer: string): string =>
        answer.replace(/"client_port": ".*"/, '').replace(/"max_client_cnxns": ".*"/, '');
      const forgotten = apache.includes('"client_port": "-1"');
      return asked === '/commands/configuration' && forgotten && strip(apache) === strip(ours);
    },
  },
  {
    why: 'Apache counts what waits in its own queue, by a mistake into the negative; ours counts the bytes that wait in the socket',
    covers(asked, apache, ours) {
      const strip = (answer: string): string => answer.replace(/"queued_packets_size": "-?\d+"/g, '');
      return asked === '/commands/observers' && strip(apache) === strip(ours);
    },
  },
];

/** Why two answers may differ as they do; undefined if they may not. */
export function knownDifference(asked: string, apache: string, ours: string): string | undefined {
  return KNOWN.find(({ covers }) => covers(asked, apache, ours))?.why;
}
