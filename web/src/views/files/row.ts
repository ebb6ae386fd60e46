// A file in the list: what it is, how far it is, and what can be done with it.

import type { FetchedDirectory, FetchedFile, FetchProgress, FileInPlace } from 'warren-p2p';
import { copyButton } from '../../copy.ts';
import { h, setText } from '../../dom.ts';
import { errorCard } from '../../result.ts';
import { bar, drawBar } from './bar.ts';
import { showContents, saveContents, type Shown } from './contents.ts';
import { kindOf } from './kinds.ts';
import { namesDirectory, pageLink } from './links.ts';
import { showListing } from './listing.ts';
import type { Transfer } from './transfer.ts';
import { CHANGED, LOOKING, NEEDS_PERMISSION, aboutWords, progressWords } from './words.ts';

/** Something that is shown without being asked for is no larger than this. */
const SHOWN_AT_ONCE = 64 * 1024 * 1024;

/** A file of this tab, on its way or not. */
export interface Item {
  cid: string;
  name?: string | undefined;
  media?: string | undefined;
  tags: readonly string[];
  /** How many files a directory has. */
  files?: number | undefined;
  /** What is there; not known before its size is proven. */
  progress?: FetchProgress | undefined;
  /** How it is with one that is not copied. */
  inPlace?: FileInPlace | undefined;
  complete: boolean;
  transfer?: Transfer | undefined;
}

export interface RowHost {
  /** The file, when all of it is there. */
  open(item: Item): Promise<FetchedFile>;
  /** The directory, as soon as its list is there. */
  openDirectory(item: Item): Promise<FetchedDirectory>;
  /** Fetches what is missing. */
  fetch(item: Item): Promise<unknown>;
  /** Forgets it, and stops what is under way. */
  remove(item: Item): Promise<unknown>;
  /** Asks whether it may be read where it is. */
  allow(item: Item): Promise<unknown>;
}

export class Row {
  readonly element: HTMLElement;
  readonly #host: RowHost;
  #item: Item;
  #shown: Shown | undefined;
  /** Whether something is about to be shown. */
  #showing = false;
  /** How often what is shown was to be gone. */
  #closings = 0;
  #failure: unknown;
  /** The transfer that brought it, when that was said. */
  #arrival: Transfer | undefined;
  readonly #title = h('p', { class: 'title', dir: 'auto' });
  readonly #what = h('p', { class: 'what' });
  readonly #tags = h('ul', { class: 'tags', 'aria-label': 'Tags' });
  readonly #bar = bar();
  readonly #numbers = h('p', { class: 'hint numbers' });
  readonly #coming = h('div', { class: 'coming' }, this.#bar, this.#numbers);
  readonly #said = h('p', { class: 'hint' });
  readonly #allow = h('button', { type: 'button', class: 'copy' });
  readonly #go = h('button', { type: 'button', class: 'copy' });
  readonly #look = h('button', { type: 'button', class: 'copy', 'aria-expanded': 'false' }, 'Show');
  readonly #save = h('button', { type: 'button', class: 'copy' }, 'Save');
  readonly #drop = h('button', { type: 'button', class: 'copy' });
  readonly #acts: HTMLElement;
  readonly #trouble = h('div', { class: 'result', 'aria-live': 'polite' });
  readonly #place = h('div', { class: 'place' });

  constructor(item: Item, host: RowHost) {
    this.#item = item;
    this.#host = host;
    this.#acts = h('div', { class: 'acts' }, this.#allow, this.#go, this.#look, this.#save, this.#drop);
    const head = h('div', {}, this.#title, this.#what, this.#tags, this.#said);
    this.element = h('li', { class: 'own shared' }, head, this.#acts, this.#coming, this.#trouble, this.#place);
    this.#allow.addEventListener('click', () => void this.#attempt(() => this.#host.allow(this.#item)));
    this.#go.addEventListener('click', () => void this.#attempt(() => this.#goOn()));
    this.#look.addEventListener('click', () => void this.#attempt(() => this.#turnShown()));
    this.#save.addEventListener('click', () => void this.#attempt(() => this.#saveIt()));
    this.#drop.addEventListener('click', () => this.#leave());
  }

  draw(item: Item, now: number): void {
    const awaited = item.transfer ?? this.#item.transfer;
    this.#item = item;
    const { transfer, progress, complete, cid, tags, media, files } = item;
    const failed = transfer?.state === 'failed';
    setText(this.#title, this.#name);
    setText(this.#what, aboutWords(progress?.size, media, files));
    this.#drawTags(tags);
    this.element.dataset['state'] = stateOf(item);
    const linked = this.#acts.querySelector('[data-link]');
    const link = pageLink(cid, item.name);
    if (linked?.getAttribute('data-link') !== link) this.#putLink(link, linked);
    this.#coming.hidden = complete || failed || this.#unreadable;
    this.#said.hidden = !this.#unreadable;
    setText(this.#said, item.inPlace === 'changed' ? CHANGED : NEEDS_PERMISSION);
    this.#bar.hidden = progress === undefined;
    if (progress && !complete) drawBar(this.#bar, this.#name, progress);
    setText(this.#numbers, this.#words(now));
    this.#drawActs();
    this.#drawFailure(failed ? transfer.error : undefined);
    if (!this.#canLook || !awaited || awaited === this.#arrival) return;
    this.#arrival = awaited;
    this.#arrived();
  }

  /** Brings it to where the visitor looks. */
  focus(): void {
    this.element.scrollIntoView({ block: 'nearest' });
    this.#acts.querySelector<HTMLElement>('button:not([hidden])')?.focus({ preventScroll: true });
  }

  /** Nothing of it is shown any more, and nothing is asked for to show it. */
  close(): void {
    this.#closings += 1;
    this.#shown?.close();
    this.#shown?.element.remove();
    this.#shown = undefined;
    this.#drawShown();
  }

  get #isDirectory(): boolean {
    return namesDirectory(this.#item.cid);
  }

  /** The list of a directory is there before its files are. */
  get #canLook(): boolean {
    const { complete, transfer } = this.#item;
    return complete || (this.#isDirectory && transfer?.directory !== undefined && transfer.state !== 'failed');
  }

  /** It is shared where it is, and cannot be read there. */
  get #unreadable(): boolean {
    const { inPlace } = this.#item;
    return inPlace !== undefined && inPlace !== 'readable';
  }

  /** Of a text on its way only pieces would be there. */
  get #canShow(): boolean {
    if (this.#isDirectory) return this.#canLook;
    const kind = kindOf(this.#item.name, this.#item.media)?.kind;
    return kind !== undefined && (this.#item.complete || kind !== 'text');
  }

  get #name(): string {
    return this.#item.name ?? `${this.#isDirectory ? 'Directory' : 'File'} ${this.#item.cid.slice(-8)}`;
  }

  #words(now: number): string {
    const { transfer, progress } = this.#item;
    if (!progress) return LOOKING;
    if (transfer) return progressWords(progress, transfer.rate.at(now));
    return progressWords({ ...progress, paused: true }, undefined);
  }

  #drawTags(tags: readonly string[]): void {
    this.#tags.hidden = tags.length === 0;
    if (this.#tags.childElementCount !== tags.length) this.#tags.replaceChildren(...tags.map((tag) => h('li', { class: 'tag', dir: 'auto' }, tag)));
  }

  #drawActs(): void {
    const { transfer, progress, complete } = this.#item;
    const had = this.#acts.contains(document.activeElement);
    const coming = transfer?.state === 'coming';
    this.#allow.hidden = this.#item.inPlace !== 'needs-permission';
    this.#label(this.#allow, 'Allow reading');
    this.#go.hidden = complete || this.#unreadable || transfer?.state === 'looking';
    this.#label(this.#go, coming ? (progress?.paused ? 'Resume' : 'Pause') : transfer ? 'Try again' : 'Fetch the rest');
    this.#look.hidden = !(this.#canLook || coming) || !this.#canShow;
    this.#label(this.#look, this.#shown ? 'Hide' : 'Show');
    this.#save.hidden = !complete || this.#isDirectory;
    this.#label(this.#save, 'Save');
    this.#label(this.#drop, !complete && transfer && transfer.state !== 'failed' ? 'Cancel' : 'Remove');
    const focused = document.activeElement;
    if (had && (focused === document.body || (focused as HTMLElement).hidden)) this.focus();
  }

  /** Said once, not with every tick. */
  #drawFailure(failure: unknown): void {
    if (failure === this.#failure) return;
    this.#failure = failure;
    this.#trouble.replaceChildren(...(failure === undefined ? [] : [errorCard(failure)]));
  }

  #label(button: HTMLButtonElement, label: string): void {
    setText(button, label);
    button.setAttribute('aria-label', `${label} ${this.#name}`);
  }

  #putLink(link: string, old: Element | null): void {
    const button = copyButton(link, `link to ${this.#name}`, 'Copy link');
    button.dataset['link'] = link;
    if (old) old.replaceWith(button);
    else this.#drop.before(button);
  }

  /** Whoever has waited for it sees it. */
  #arrived(): void {
    const { progress, media } = this.#item;
    const small = (progress?.size ?? 0) <= SHOWN_AT_ONCE && kindOf(this.#item.name, media);
    if ((small || this.#isDirectory) && !this.#shown) void this.#attempt(() => this.#turnShown());
  }

  async #goOn(): Promise<void> {
    const { transfer } = this.#item;
    if (transfer?.state === 'coming') await transfer.turnPause();
    else await this.#host.fetch(this.#item);
  }

  async #turnShown(): Promise<void> {
    if (this.#showing) return;
    if (this.#shown) {
      this.close();
      this.#place.replaceChildren();
      return;
    }
    this.#showing = true;
    const closings = this.#closings;
    try {
      const view = await this.#view();
      if (closings !== this.#closings) return view.close();
      this.#shown = view;
      this.#place.replaceChildren(view.element);
      this.#drawShown();
    } finally {
      this.#showing = false;
    }
  }

  async #view(): Promise<Shown> {
    const item = this.#item;
    if (this.#isDirectory) return showListing(await this.#host.openDirectory(item));
    const coming = item.complete ? undefined : item.transfer?.file;
    return showContents(coming ?? (await this.#host.open(item)), this.#name, item.media);
  }

  #drawShown(): void {
    this.#look.setAttribute('aria-expanded', String(this.#shown !== undefined));
    this.#drawActs();
  }

  async #saveIt(): Promise<void> {
    this.#save.setAttribute('aria-busy', 'true');
    try {
      await saveContents(await this.#host.open(this.#item), this.#name);
    } finally {
      this.#save.removeAttribute('aria-busy');
    }
  }

  /** What is there is asked for first: nobody else may have it any more. */
  #leave(): void {
    if (!this.#item.complete) return void this.#attempt(() => this.#host.remove(this.#item));
    const yes = h('button', { type: 'submit', class: 'danger' }, 'Remove it');
    const no = h('button', { type: 'button', class: 'quiet' }, 'Keep it');
    const what = h('p', {}, h('strong', {}, `Remove ${this.#name}? `), this.#item.inPlace ? 'This tab gives it to nobody any more. The file itself stays where it is.' : 'This tab gives it to nobody any more, and it is gone from here.');
    const form = h('form', { class: 'ask' }, what, h('div', { class: 'actions' }, yes, no));
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#attempt(() => this.#host.remove(this.#item));
    });
    no.addEventListener('click', () => {
      form.remove();
      this.#drop.focus();
    });
    this.#place.querySelector('.ask')?.remove();
    this.#place.prepend(form);
    no.focus();
  }

  async #attempt(work: () => Promise<unknown>): Promise<void> {
    try {
      this.#trouble.replaceChildren();
      await work();
    } catch (error) {
      this.#trouble.replaceChildren(errorCard(error));
    }
  }
}

function stateOf({ complete, transfer, progress, inPlace }: Item): string {
  if (inPlace !== undefined && inPlace !== 'readable') return inPlace;
  if (complete) return 'complete';
  if (!transfer) return 'partial';
  return transfer.state === 'coming' && progress?.paused ? 'paused' : transfer.state;
}
