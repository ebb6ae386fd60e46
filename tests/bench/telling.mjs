// A program that tells what happens, a line of JSON each, and ends when its standard input does or when it is asked to.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

export class Telling {
  #child;
  #lines = [];
  #waiting;
  #ended;

  constructor([command, ...words]) {
    this.#child = spawn(command, words, { stdio: ['pipe', 'pipe', 'inherit'] });
    createInterface(this.#child.stdout).on('line', (line) => {
      this.#lines.push(JSON.parse(line));
      this.#look();
    });
    this.#child.stdin.on('error', () => {});
    this.#ended = once(this.#child, 'close').then(([status, signal]) => {
      this.#waiting?.reject(new Error(`${words.join(' ')} ended with ${signal ?? status}`));
    });
  }

  get pid() {
    return this.#child.pid;
  }

  /** The next event of this name. */
  event(name, ms) {
    return this.line(({ event }) => event === name, ms);
  }

  /** The next line of this kind; those before it are forgotten. One at a time. */
  line(fits, ms) {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`${fits} was not told in ${ms} ms`)), ms);
      const settled = (settle) => (value) => {
        clearTimeout(late);
        this.#waiting = undefined;
        settle(value);
      };
      this.#waiting = { fits, resolve: settled(resolve), reject: settled(reject) };
      this.#look();
    });
  }

  /** Ends it, if it has not ended. */
  async end() {
    this.#child.stdin.end();
    if (this.#child.exitCode === null) this.#child.kill('SIGTERM');
    await this.#ended;
  }

  #look() {
    while (this.#waiting && this.#lines.length > 0) {
      const line = this.#lines.shift();
      if (this.#waiting.fits(line)) this.#waiting.resolve(line);
    }
  }
}
