// The admin side's face. The HTTP server and Prometheus are not here: they are imported when clients are already served.

export {
  Audit,
  type AuditEvent,
  type AuditOperation,
  type AuditSink,
  aclText,
  auditLine,
  auditUser,
  createAuditSink,
  serverUser,
  znodeType,
} from './audit.js';
export { allowedWords, FourLetterWords, isFourLetterWord, runFourLetterWord, type WordRequest } from './four-letter.js';
export { type GaugeValue, metricRows } from './metrics.js';
export { mntrText } from './mntr.js';
export type {
  ConfView,
  ConnectionSession,
  ConnectionView,
  Counts,
  ServerView,
  SnapshotStream,
  SummaryView,
} from './server-view.js';
export { viewOf } from './view-of-server.js';
