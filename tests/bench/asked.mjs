// A program that answers each line on its standard input with one line.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

export class Asked {
  #child;
  #waiting = [];
  #ended;

  /** `prefix`: what starts it, in a network namespace for instance. */
  constructor(program, args, prefix = []) {
    const [command, ...words] = [...prefix, program, ...args];
    this.#child = spawn(command, words, { stdio: ['pipe', 'pipe', 'inherit'] });
    createInterface(this.#child.stdout).on('line', (line) => this.#waiting.shift()?.resolve(line));
    this.#ended = once(this.#child, 'close').then(([status, signal]) => {
      const error = new Error(`${program} ${args[0]} ended with ${signal ?? status}`);
      for (const { reject } of this.#waiting.splice(0)) reject(error);
    });
    // Writing to a program that has ended fails here, and its answers fail above.
    this.#child.stdin.on('error', () => {});
  }

  get pid() {
    return this.#child.pid;
  }

  /** The next line, without a question. */
  line() {
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  ask(question) {
    const answer = this.line();
    this.#child.stdin.write(`${question}\n`);
    return answer;
  }

  /** Ends it as it wants to be ended: there are no more questions. */
  async end() {
    this.#child.stdin.end();
    await this.#ended;
  }
}
