// What the benchmarks are asked on the command line: counts, sometimes words, and whether a machine reads the answer.

import { parseArgs } from 'node:util';

/** The counts with these defaults, those of `words` that are given, `json`, and `say`, which tells a person how far it is. */
export function readOptions(defaults, words = []) {
  const counted = Object.entries(defaults).map(([name, value]) => [name, { type: 'string', default: String(value) }]);
  const spoken = words.map((name) => [name, { type: 'string' }]);
  const options = { json: { type: 'boolean', default: false }, ...Object.fromEntries([...counted, ...spoken]) };
  const { values } = parseArgs({ options });
  const counts = Object.keys(defaults).map((name) => [name, count(name, values[name])]);
  const say = (text) => values.json || process.stderr.write(`${text}\n`);
  const said = words.map((name) => [name, values[name]]);
  return { json: values.json, say, ...Object.fromEntries([...counts, ...said]) };
}

function count(name, text) {
  const number = Number(text);
  if (Number.isInteger(number) && number > 0) return number;
  console.error(`cause: --${name} ${text} is not a count\nremedy: give a whole number from 1`);
  process.exit(2);
}
