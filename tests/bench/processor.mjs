// How much of the processor a process has used, or a program with all its processes, and which processes there are.

import { readFileSync, readdirSync } from 'node:fs';

const TICKS_PER_SECOND = 100;

/** Seconds. */
export function processorTime(pid) {
  return statusOf(pid).seconds;
}

/** Seconds of all processes of this name that descend from this one; those that have ended do not count. */
export function descendantsTime(name) {
  return descendants()
    .filter((status) => status.name === name)
    .reduce((sum, { seconds }) => sum + seconds, 0);
}

/** All processes that descend from this one: `{pid, name, parent, seconds}`. */
export function descendants() {
  const all = new Map(readdirSync('/proc').filter(isNumber).flatMap(known));
  const descends = (pid) => pid === process.pid || (all.has(pid) && descends(all.get(pid).parent));
  return [...all].filter(([pid]) => descends(pid)).map(([pid, status]) => ({ pid, ...status }));
}

function isNumber(text) {
  return /^\d+$/.test(text);
}

function known(pid) {
  try {
    return [[Number(pid), statusOf(pid)]];
  } catch {
    // It has ended in between.
    return [];
  }
}

function statusOf(pid) {
  const [, name, rest] = /^\d+ \((.*)\) (.*)$/s.exec(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  const fields = rest.split(' ');
  return { name, parent: Number(fields[1]), seconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND };
}
