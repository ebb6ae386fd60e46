// What the benchmarks are asked on the command line: counts, and whether a machine reads the answer.

import { parseArgs } from 'node:util';

/** The counts with these defaults, `json`, and `say`, which tells a person how far it is. */
export function readOptions(defaults) {
  const counted = Object.entries(defaults).map(([name, value]) => [name, { type: 'string', default: String(value) }]);
  const options = { json: { type: 'boolean', default: false }, ...Object.fromEntries(counted) };
  const { values } = parseArgs({ options });
  const counts = Object.keys(defaults).map((name) => [name, count(name, values[name])]);
  const say = (text) => values.json || process.stderr.write(`${text}\n`);
  return { json: values.json, say, ...Object.fromEntries(counts) };
}

function count(name, text) {
  const number = Number(text);
  if (Number.isInteger(number) && number > 0) return number;
  console.error(`cause: --${name} ${text} is not a count\nremedy: give a whole number from 1`);
  process.exit(2);
}
