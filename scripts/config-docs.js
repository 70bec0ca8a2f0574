// Writes docs/configuration.md from the server's table of options.
import { writeFileSync } from 'node:fs';
import { environmentName, KEY_FAMILIES, KEYS } from '../packages/server/dist/config/index.js';

const effects = { honoured: 'Honoured', ignored: 'Accepted without effect' };
const cell = (text) => String(text).replaceAll('|', '\\|').replaceAll('\n', ' ');
let text = `# Configuration

Options come from zoo.cfg, from environment variables and from flags; later ones win. Any option can be given as
\`--set key=value\`, as \`-Dzookeeper.key=value\` (also in SERVER_JVMFLAGS), and as the environment variable named in the table;
NODEKEEPER_SERVER_1 stands for server.1. The variables of ZooKeeper's Docker image (ZOO_TICK_TIME, ZOO_DATA_DIR …) are known but for those that list
members, and count less. What is given with -D counts less than zoo.cfg, as with Apache's server.
Options in \`java.env\`, \`zookeeper-env.sh\` or \`environment\` beside zoo.cfg, which zkServer.sh and packages' scripts run, are not read, but told.
An option that is not known is warned of with the nearest known one; a value that cannot be used stops the start.
Without a zoo.cfg the server listens on port 2181 and keeps its data in \`./data\`.

This page is made by \`node scripts/config-docs.js\`.
`;
for (const [effect, title] of Object.entries(effects)) {
  text += `\n## ${title}\n\n| Option | Default | Meaning | Environment variable |\n| --- | --- | --- | --- |\n`;
  for (const key of KEYS.filter((k) => k.effect === effect)) {
    const unit = key.unit === undefined || key.default === undefined ? '' : ` ${key.unit}`;
    const fallback = key.default === undefined ? '' : key.default === '' ? '(empty)' : `${key.default}${unit}`;
    const choices = key.choices === undefined ? '' : ` One of ${key.choices.map((c) => `\`${c}\``).join(', ')}.`;
    text += `| \`${key.name}\` | ${cell(fallback)} | ${cell(key.meaning)}${choices} | \`${environmentName(key.name)}\` |\n`;
  }
}
text += '\n## Families\n\n| Prefix | Meaning |\n| --- | --- |\n';
for (const family of KEY_FAMILIES) text += `| \`${family.prefix}…\` | ${cell(family.meaning)} |\n`;
writeFileSync('docs/configuration.md', text);
