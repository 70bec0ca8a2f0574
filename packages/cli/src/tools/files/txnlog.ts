// `tools txnlog`: prints a transaction log, repairs its checksums, or cuts it at a zxid. After Apache's zkTxnLogToolkit.sh.

import { closeSync, existsSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { DecodeError } from '@nodekeeper/protocol';
import { Failure, type Output } from '../output.js';
import { shortDate } from './dates.js';
import { LogFile, LogFileError, type LogRecord, recordBytes } from './log-file.js';
import { readTxn, type Txn, txnJson, txnText } from './txn-text.js';

export interface TxnLogOptions {
  readonly recover?: boolean;
  readonly verbose?: boolean;
  readonly yes?: boolean;
  readonly chop?: boolean;
  readonly zxid?: string;
  readonly json?: boolean;
}

/** @throws Failure with an exit code */
export async function runTxnLog(path: string, options: TxnLogOptions, output: Output): Promise<void> {
  if (options.chop === true) {
    if (options.zxid === undefined) throw new Failure('--chop needs --zxid', 2);
    chop(path, options.zxid, output);
    return;
  }
  const target = `${path}.fixed`;
  if (options.recover === true && existsSync(target)) {
    throw new Failure(`Recovery file ${target} already exists or not writable`, 1);
  }
  const log = open(path);
  try {
    if (options.recover === true) await recover(log, target, options, output);
    else await dump(log, output);
  } catch (error) {
    throw error instanceof LogFileError ? new Failure(error.message, 2) : error;
  } finally {
    log.close();
  }
}

function open(path: string): LogFile {
  try {
    return new LogFile(path);
  } catch (error) {
    if (error instanceof LogFileError) throw new Failure(error.message, 2);
    throw new Failure(`File doesn't exist or not readable: ${path}`, 2);
  }
}

function printHead(log: LogFile, output: Output): void {
  if (output.json) return;
  output.line(`ZooKeeper Transactional Log File with dbid ${log.dbid} txnlog format version ${log.version}`);
}

async function dump(log: LogFile, output: Output): Promise<void> {
  printHead(log, output);
  let count = 0;
  for (const record of log.records()) {
    if (!isRight(record)) print(record, 'CRC ERROR', output);
    if (!output.json || isRight(record)) print(record, '', output);
    if (!record.isWhole) throw new Failure('Last transaction was partial.', 1);
    count++;
    await output.taken();
  }
  if (!output.json) output.line(`EOF reached after ${count} txns.`);
}

function isRight({ checksum, sum }: LogRecord): boolean {
  return checksum === BigInt(sum);
}

function print(record: LogRecord, prefix: string, output: Output): void {
  if (output.json) {
    const value = decoded(record, txnJson);
    output.value({ ...(prefix === '' ? {} : { problem: prefix, offset: record.offset }), ...value });
    return;
  }
  const text = decoded(record, (txn) => `${shortDate(txn.time)} ${txnText(txn)}`);
  output.line(`${prefix === '' ? '' : `${prefix} - `}${text.replace(/\n$/, '')}`);
}

/** What is made of a record's transaction. @throws LogFileError if it holds none */
function decoded<T>({ entry, offset }: LogRecord, make: (txn: Txn) => T): T {
  try {
    const txn = readTxn(entry);
    if (Number.isNaN(new Date(txn.time).getTime())) throw new DecodeError(`its time, ${txn.time}, is no date`);
    return make(txn);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw new LogFileError(`the record at offset ${offset} holds no transaction: ${error.message}`);
  }
}

async function recover(log: LogFile, target: string, options: TxnLogOptions, output: Output): Promise<void> {
  printHead(log, output);
  const file = openSync(target, 'wx');
  let counts: Counts;
  try {
    counts = await copyRepaired(log, file, options, output);
    fsyncSync(file);
  } catch (error) {
    rmSync(target); // a part of a log is no repaired one, and would be in the way of the next repair
    throw error;
  } finally {
    closeSync(file);
  }
  const { count, fixed } = counts;
  if (output.json) output.value({ file: target, transactions: count, fixed });
  else {
    output.line(`EOF reached after ${count} txns.`);
    output.line(`Recovery file ${target} has been written with ${fixed} fixed CRC error(s)`);
  }
}

interface Counts {
  readonly count: number;
  readonly fixed: number;
}

async function copyRepaired(log: LogFile, file: number, options: TxnLogOptions, output: Output): Promise<Counts> {
  const ask = options.yes === true ? undefined : questions(output);
  let count = 0;
  let fixed = 0;
  writeSync(file, log.header);
  for (const record of log.records()) {
    let { checksum } = record;
    if (!isRight(record)) {
      print(record, ask === undefined ? 'CRC FIXED' : 'CRC ERROR', output);
      if (ask === undefined || (await ask())) {
        checksum = BigInt(record.sum);
        fixed++;
      }
    }
    if (options.verbose === true) print(record, '', output);
    if (!record.isWhole) throw new Failure('Last transaction was partial.', 1);
    writeSync(file, recordBytes(checksum, record.entry));
    count++;
  }
  return { count, fixed };
}

/** Asks until the answer begins with y, n or a; the latter ends the repair. */
function questions(output: Output): () => Promise<boolean> {
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  return async () => {
    for (;;) {
      output.part('Would you like to fix it (Yes/No/Abort) ? ');
      const { value, done } = await lines.next();
      const answer = done ? 'a' : String(value).trim().toLowerCase().charAt(0);
      if (answer === 'y' || answer === 'n') return answer === 'y';
      if (answer === 'a') throw new Failure('Recovery aborted.', 0);
    }
  };
}

/** Copies everything up to the zxid into `<log>.chopped<zxid>`. */
function chop(path: string, text: string, output: Output): void {
  const zxid = Number(text);
  if (!Number.isSafeInteger(zxid) || zxid < 0) throw new Failure(`${text} is no zxid`, 2);
  const log = open(path);
  const kept: Buffer[] = [log.header];
  let isThere = false;
  let isBeyond = false;
  try {
    printHead(log, output);
    let previous: number | undefined;
    for (const record of log.records()) {
      if (!isRight(record)) throw new Failure(`CRC doesn't match ${record.checksum} vs ${record.sum}`, 1);
      if (!record.isWhole) throw new Failure('Last transaction was partial.', 1);
      const own = decoded(record, (txn) => txn.zxid);
      if (previous !== undefined) tellGap(previous, own, output);
      previous = own;
      isThere ||= own === zxid;
      isBeyond = own > zxid;
      if (isBeyond) break;
      kept.push(recordBytes(record.checksum, record.entry));
    }
  } catch (error) {
    throw error instanceof LogFileError ? new Failure(error.message, 2) : error;
  } finally {
    log.close();
  }
  if (!isBeyond) throw new Failure(`EOF reached after ${kept.length - 1} txns.\nFailed to chop ${path}`, 2);
  if (!isThere) throw new Failure(`This log does not contain zxid ${zxid.toString(16)}\nFailed to chop ${path}`, 2);
  const target = `${path}.chopped${zxid}`;
  const file = openSync(target, 'wx');
  for (const bytes of kept) writeSync(file, bytes);
  fsyncSync(file);
  closeSync(file);
  if (output.json) output.value({ file: target, transactions: kept.length - 1 });
  else output.line(`Chopping at ${zxid.toString(16)} new log has ${kept.length - 1} records`);
}

const EPOCH = 2 ** 32;

function tellGap(previous: number, zxid: number, output: Output): void {
  if (output.json || zxid === previous + 1) return;
  const isSameEpoch = Math.floor(previous / EPOCH) === Math.floor(zxid / EPOCH);
  const where = `between ${previous.toString(16)} and ${zxid.toString(16)}`;
  if (isSameEpoch) output.line(`There is intra-epoch gap ${where}`);
  else if (zxid % EPOCH !== 1) output.line(`There is inter-epoch gap ${where}`);
}
