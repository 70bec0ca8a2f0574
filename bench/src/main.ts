// npm run bench: measures this server and Apache's by turns and reports.

import { helpText, type Options, parseOptions } from './options.js';
import { describeEnvironment } from './report/environment.js';
import { saveResults, updateReadme } from './report/files.js';
import { renderReport } from './report/markdown.js';
import { runAll } from './runner.js';
import { workloads } from './workloads/index.js';

function readOptions(): Options {
  try {
    return parseOptions(process.argv.slice(2), workloads);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
    process.exit(2);
  }
}

const options = readOptions();
if (options.help) {
  process.stdout.write(helpText(workloads));
} else {
  const environment = describeEnvironment(options.kinds, options);
  const results = await runAll(options, workloads);
  const report = renderReport(results, environment, options.rounds);
  process.stdout.write(report);
  process.stderr.write(`written to ${saveResults(report, results, environment)}.md and .json\n`);
  if (options.readme) updateReadme(report);
  if (results.failures.length > 0) process.exitCode = 1;
}
