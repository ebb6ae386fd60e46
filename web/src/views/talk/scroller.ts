// A list of messages in the order of time, with a line for each day. It follows the newest as long as its reader is
// at the end, and otherwise keeps what is being read where it is, whatever comes before or after.

import { h, keyed, setText } from '../../dom.ts';
import { count } from '../../words.ts';
import { dayWords } from './times.ts';

/** So many at first, and so many more whenever the reader comes near the first one. */
export const PAGE = 50;
const NEAR_TOP = 240;
const NEAR_END = 96;
/** Changes within this time are drawn together. */
const TOGETHER_MS = 30;

export interface Entry {
  id: string;
  time: Date;
  mine: boolean;
  /** Whoever goes on writing within a few minutes is not named again. */
  author: string;
}

export interface Source<T extends Entry> {
  label: string;
  empty: string;
  /** All that is here, the oldest first. */
  entries(): readonly T[];
  /** Fetches older ones; whether there may be more. */
  older(): Promise<boolean>;
  make(): HTMLElement;
  fill(element: HTMLElement, entry: T, follows: boolean): void;
  /** The reader has seen the newest one. */
  seen(): void;
}

type Item<T> = { key: string } & ({ day: Date } | { unread: true } | { entry: T; follows: boolean });

const FOLLOWS_MS = 5 * 60_000;

export class Scroller<T extends Entry> {
  readonly element: HTMLElement;
  readonly #source: Source<T>;
  readonly #list: HTMLElement;
  readonly #edge = h('p', { class: 'edge' });
  readonly #lines = h('ol', { class: 'messages' });
  readonly #jump = h('button', { type: 'button', class: 'jump', hidden: true });
  readonly #closing = new AbortController();
  #shown = PAGE;
  #more = true;
  /** Until it has begun, nothing older is asked for. */
  #loading = true;
  #follows = true;
  /** Where the list was scrolled to when this was looked at last; not known of one that was hidden since. */
  #place: number | undefined;
  #inView = false;
  /** Above it stands that what follows is new; until the reader has seen it and something else is. */
  #firstUnread: string | undefined;
  #markSeen = false;
  #newest: string | undefined;
  #behind = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(source: Source<T>) {
    this.#source = source;
    this.#lines.dataset['empty'] = source.empty;
    this.#list = h('div', { class: 'scroll', role: 'log', tabindex: '0', 'aria-label': source.label }, this.#edge, this.#lines);
    this.element = h('div', { class: 'scroller' }, this.#list, this.#jump);
    this.#list.addEventListener('scroll', () => this.#scrolled(), { passive: true });
    this.#jump.addEventListener('click', () => (this.#toEnd(), this.#list.focus({ preventScroll: true })));
    this.#watch(this.#closing.signal);
  }

  #watch(signal: AbortSignal): void {
    const size = new ResizeObserver(() => {
      if (this.#list.clientHeight === 0) this.#place = undefined;
      else if (this.#follows) this.#toEnd();
    });
    const place = new IntersectionObserver((places) => ((this.#inView = places.at(-1)?.isIntersecting ?? false), this.#look()));
    size.observe(this.#list);
    place.observe(this.element);
    signal.addEventListener('abort', () => (size.disconnect(), place.disconnect(), clearTimeout(this.#timer)));
    for (const event of ['visibilitychange', 'focusin']) document.addEventListener(event, () => this.#look(), { signal });
    addEventListener('focus', () => this.#look(), { signal });
  }

  close(): void {
    this.#closing.abort();
  }

  /** Begins with what is here; `unread` of the others' messages are new to the reader. */
  async begin(unread: number): Promise<void> {
    this.#list.setAttribute('aria-busy', 'true');
    setText(this.#edge, 'Loading…');
    this.#more = await this.#source.older().catch(() => false);
    this.#mark(unread);
    this.#newest = this.#source.entries().at(-1)?.id;
    this.#loading = false;
    this.#draw();
    this.#toEnd();
    this.#list.removeAttribute('aria-busy');
  }

  /** Something has changed. */
  changed(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#draw();
    }, TOGETHER_MS);
  }

  /** After it was hidden: what came meanwhile is looked at; `unread` of it is new. */
  shown(unread: number): void {
    this.#mark(unread);
    this.#draw();
    if (this.#follows) this.#toEnd();
    this.#look();
  }

  /** Older messages than the first one are known only here; those that come in before it wait for their turn. */
  takes(time: Date): boolean {
    const first = this.#source.entries()[0];
    return !this.#more || first === undefined || time >= first.time;
  }

  /** To a message, if it is here. */
  show(id: string): void {
    const found = [...this.#lines.children].find((child) => (child as HTMLElement).dataset['key'] === id) as HTMLElement | undefined;
    found?.scrollIntoView({ block: 'center' });
    found?.querySelector<HTMLElement>('button')?.focus({ preventScroll: true });
  }

  /** Back to the newest one. */
  follow(): void {
    this.#draw();
    this.#toEnd();
  }

  #mark(unread: number): void {
    const others = this.#source.entries().filter((entry) => !entry.mine);
    this.#firstUnread = unread > 0 ? others.at(-unread)?.id : undefined;
    this.#markSeen = false;
  }

  #draw(): void {
    // The browser tells of scrolling a moment later: whoever has just left the end is not taken back.
    if (this.#place !== undefined && this.#list.scrollTop !== this.#place) this.#scrolled();
    const all = this.#source.entries();
    this.#count(all);
    const entries = all.slice(-this.#shown);
    const held = this.#follows ? undefined : this.#hold();
    keyed(this.#lines, this.#items(entries), ({ key }) => key, (item) => this.#make(item), (element, item) => this.#fill(element, item));
    setText(this.#edge, this.#edgeWords(entries.length, all.length));
    if (held) this.#list.scrollTop += held.element.getBoundingClientRect().top - held.top;
    else this.#list.scrollTop = this.#list.scrollHeight;
    this.#remember();
    this.#jump.hidden = this.#follows;
    setText(this.#jump, this.#behind === 0 ? 'To the newest' : `${count(this.#behind, 'new message')} below`);
    this.#look();
    // A list that cannot be scrolled cannot ask for more by being scrolled.
    if (this.#list.clientHeight > 0 && this.#list.scrollHeight <= this.#list.clientHeight + NEAR_TOP) void this.#older();
  }

  /** What came since the reader has left the end. */
  #count(all: readonly T[]): void {
    const newest = all.at(-1)?.id;
    if (newest === this.#newest) return;
    const known = all.findIndex(({ id }) => id === this.#newest);
    const fresh = all.slice(known + 1);
    this.#newest = newest;
    const others = fresh.filter(({ mine }) => !mine);
    if (fresh.length > others.length) this.#firstUnread = undefined;
    else if (others[0] && !this.#isWatched() && (this.#markSeen || this.#firstUnread === undefined)) {
      this.#firstUnread = others[0].id;
      this.#markSeen = false;
    }
    if (this.#follows) return;
    this.#shown += fresh.length;
    this.#behind += others.length;
  }

  #items(entries: readonly T[]): Item<T>[] {
    const items: Item<T>[] = [];
    let before: T | undefined;
    for (const entry of entries) {
      const day = entry.time.toDateString();
      const sameDay = before?.time.toDateString() === day;
      if (!sameDay) items.push({ key: `day ${day}`, day: entry.time });
      const unread = entry.id === this.#firstUnread;
      if (unread) items.push({ key: 'unread', unread });
      const soon = before !== undefined && entry.time.getTime() - before.time.getTime() < FOLLOWS_MS;
      items.push({ key: entry.id, entry, follows: sameDay && soon && !unread && before?.author === entry.author });
      before = entry;
    }
    return items;
  }

  #make(item: Item<T>): HTMLElement {
    if ('day' in item) return h('li', { class: 'day' }, h('span', {}));
    if ('unread' in item) return h('li', { class: 'day unread' }, h('span', {}, 'New'));
    return this.#source.make();
  }

  #fill(element: HTMLElement, item: Item<T>): void {
    if ('day' in item) setText(element.firstElementChild as Element, dayWords(item.day, new Date()));
    else if ('entry' in item) this.#source.fill(element, item.entry, item.follows);
  }

  #edgeWords(shown: number, all: number): string {
    if (this.#loading) return 'Loading…';
    if (shown === 0 || this.#more || shown < all) return '';
    return 'This is the beginning.';
  }

  /** The first line that can be seen, and where it is. */
  #hold(): { element: Element; top: number } | undefined {
    const { top } = this.#list.getBoundingClientRect();
    for (const element of this.#lines.children) {
      const box = element.getBoundingClientRect();
      if (box.bottom > top && !element.classList.contains('day')) return { element, top: box.top };
    }
    return undefined;
  }

  #scrolled(): void {
    const { scrollTop, clientHeight, scrollHeight } = this.#list;
    if (clientHeight === 0) return;
    this.#place = scrollTop;
    const atEnd = scrollTop + clientHeight >= scrollHeight - NEAR_END;
    if (atEnd !== this.#follows) {
      this.#follows = atEnd;
      if (atEnd) this.#behind = 0;
      this.#jump.hidden = atEnd;
      setText(this.#jump, 'To the newest');
      this.#look();
    }
    if (scrollTop < NEAR_TOP) void this.#older();
  }

  async #older(): Promise<void> {
    const all = this.#source.entries().length;
    if (this.#loading || (this.#shown >= all && !this.#more)) return;
    this.#loading = true;
    // Nobody wants to have a hundred old messages read out.
    this.#list.setAttribute('aria-busy', 'true');
    if (this.#shown + PAGE > all && this.#more) {
      setText(this.#edge, 'Loading…');
      this.#more = await this.#source.older().catch(() => false);
    }
    this.#shown += PAGE;
    this.#loading = false;
    this.#draw();
    this.#list.removeAttribute('aria-busy');
  }

  #toEnd(): void {
    this.#follows = true;
    this.#behind = 0;
    this.#jump.hidden = true;
    this.#list.scrollTop = this.#list.scrollHeight;
    this.#remember();
    this.#look();
  }

  #remember(): void {
    this.#place = this.#list.clientHeight === 0 ? undefined : this.#list.scrollTop;
  }

  #isWatched(): boolean {
    return this.#inView && this.#follows && !document.hidden && document.hasFocus();
  }

  #look(): void {
    if (!this.#isWatched() || this.#source.entries().length === 0) return;
    this.#markSeen = true;
    this.#source.seen();
  }
}
