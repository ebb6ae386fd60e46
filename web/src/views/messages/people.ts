// Whom this profile writes with: remembered by the page, because the engine keeps messages and no list of people.

import { recall, remember } from '../talk/kept.ts';

export interface Person {
  /** The key, in hex. */
  author: string;
  /** What it was called in a room; anybody may be called that. */
  nick: string;
  unread: number;
}

/** More are forgotten by the page, not by the engine. */
const KEPT = 100;

export class People {
  readonly #place: string | undefined;
  #all: Person[];

  /** An identity that ends with the tab leaves nothing behind. */
  constructor(me: string, ephemeral: boolean) {
    this.#place = ephemeral ? undefined : `people:${me}`;
    this.#all = this.#place === undefined ? [] : recall<Person[]>(this.#place, []);
  }

  /** Those with whom something happened last come first. */
  get all(): readonly Person[] {
    return this.#all;
  }

  /** Makes somebody known, and the first of all. */
  meet(author: string, nick = ''): Person {
    const known = this.#all.find((one) => one.author === author) ?? { author, nick, unread: 0 };
    if (nick !== '') known.nick = nick;
    this.#all = [known, ...this.#all.filter((one) => one !== known)].slice(0, KEPT);
    this.keep();
    return known;
  }

  keep(): void {
    if (this.#place !== undefined) remember(this.#place, this.#all);
  }
}
