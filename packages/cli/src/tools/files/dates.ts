// Dates as Java's DateFormat prints them in English.

/** `11/21/26, 8:48:13 AM UTC`. @param ms milliseconds since 1970 */
export function shortDate(ms: number): string {
  const date = new Date(ms).toLocaleDateString('en-US', { year: '2-digit', month: 'numeric', day: 'numeric' });
  return `${date}, ${time(ms, 'short')}`;
}

/** `Nov 21, 2026, 8:48:13 AM`. @param ms milliseconds since 1970 */
export function mediumDate(ms: number): string {
  const date = new Date(ms).toLocaleDateString('en-US', { year: 'numeric', month: 'short', day: 'numeric' });
  return `${date}, ${time(ms, undefined)}`;
}

function time(ms: number, timeZoneName: 'short' | undefined): string {
  const options = { hour: 'numeric', minute: '2-digit', second: '2-digit', hour12: true } as const;
  const text = new Date(ms).toLocaleTimeString(
    'en-US',
    timeZoneName === undefined ? options : { ...options, timeZoneName },
  );
  return text.replace(/\u202f/g, ' ');
}
