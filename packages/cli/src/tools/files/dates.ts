// Dates as Java's DateFormat prints them in English. The formats are made once: that takes a hundred times as long as using one.

const TIME = { hour: 'numeric', minute: '2-digit', second: '2-digit', hour12: true } as const;

const shortDay = new Intl.DateTimeFormat('en-US', { year: '2-digit', month: 'numeric', day: 'numeric' });
const shortTime = new Intl.DateTimeFormat('en-US', { ...TIME, timeZoneName: 'short' });
const mediumDay = new Intl.DateTimeFormat('en-US', { year: 'numeric', month: 'short', day: 'numeric' });
const mediumTime = new Intl.DateTimeFormat('en-US', TIME);

/** `11/21/26, 8:48:13 AM UTC`. @param ms milliseconds since 1970 */
export function shortDate(ms: number): string {
  return `${shortDay.format(ms)}, ${timeOf(shortTime, ms)}`;
}

/** `Nov 21, 2026, 8:48:13 AM`. @param ms milliseconds since 1970 */
export function mediumDate(ms: number): string {
  return `${mediumDay.format(ms)}, ${timeOf(mediumTime, ms)}`;
}

function timeOf(format: Intl.DateTimeFormat, ms: number): string {
  return format.format(ms).replace(/\u202f/g, ' ');
}
