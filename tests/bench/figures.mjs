// From measured numbers to rows: median, spread, whether the goal is met. No measuring here.

export function summary(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const at = (share) => {
    const place = (sorted.length - 1) * share;
    const below = Math.floor(place);
    return sorted[below] + (sorted[Math.ceil(place)] - sorted[below]) * (place - below);
  };
  return { median: at(0.5), low: at(0.25), high: at(0.75), most: at(0.95), min: sorted[0], max: sorted.at(-1) };
}

/**
 * `goal`: {ratio} is the largest ratio ours / rival, {floor} the smallest, {ours} the largest number of ours, {least}
 * the smallest; without any of them the row is only shown. A rival of `null` is none.
 */
export function row(name, ours, rival, unit, goal, more = {}) {
  const ratio = rival === null ? null : ours / rival;
  const { met, words } = judged(goal, ours, ratio, unit);
  const shown = (number, digits) => (number === null ? null : rounded(number, digits));
  return { name, ours: rounded(ours), rival: shown(rival), unit, ratio: shown(ratio, 3), goal: words, met, ...more };
}

function judged(goal, ours, ratio, unit) {
  if (goal.ratio !== undefined) return { met: ratio <= goal.ratio, words: `ratio ≤ ${goal.ratio}` };
  if (goal.floor !== undefined) return { met: ratio >= goal.floor, words: `ratio ≥ ${goal.floor}` };
  if (goal.ours !== undefined) return { met: ours <= goal.ours, words: `ours ≤ ${goal.ours} ${unit}` };
  if (goal.least !== undefined) return { met: ours >= goal.least, words: `ours ≥ ${goal.least} ${unit}` };
  return { met: null, words: 'shown' };
}

export function rounded(number, digits = 1) {
  return Number(number.toFixed(digits));
}

/** What a reader sees; machines get one JSON object per line. */
export function print(rows, asJson) {
  if (asJson) {
    for (const line of rows) console.log(JSON.stringify(line));
    return;
  }
  const cells = rows.map((line) => [
    line.name,
    withSpread(line.ours, line.unit, line.oursSpread),
    withSpread(line.rival, line.unit, line.rivalSpread),
    line.ratio === null ? '' : String(line.ratio),
    line.goal,
    line.met === null ? '' : line.met ? 'met' : 'not met',
  ]);
  const table = [['', 'ours', 'rival', 'ratio', 'goal', ''], ...cells];
  const widths = table[0].map((_, column) => Math.max(...table.map((cell) => cell[column].length)));
  for (const line of table) console.log(line.map((cell, column) => cell.padEnd(widths[column])).join('  ').trimEnd());
}

function withSpread(value, unit, spread) {
  if (value === null) return '';
  if (!spread) return `${value} ${unit}`;
  return `${value} ${unit} (half within ${rounded(spread.low)}–${rounded(spread.high)}, all ${rounded(spread.min)}–${rounded(spread.max)})`;
}
