// Which files a visitor wants to share: dropped anywhere on the page, pasted, or picked. Nothing of them is read yet.

import { byId, h, keyed, setText } from '../../dom.ts';
import { NO_FOLDERS, bytesWords } from './words.ts';

export class Chosen {
  #files: File[] = [];
  readonly #list = byId('share-chosen');
  readonly #picker = byId<HTMLInputElement>('share-files');
  readonly #form = byId<HTMLFormElement>('share-form');
  readonly #choose = byId('share-choose');
  readonly #go = byId('share-go');
  readonly #name = byId<HTMLInputElement>('share-name');

  constructor() {
    this.#choose.addEventListener('click', () => this.#picker.click());
    this.#picker.addEventListener('change', () => this.#pick());
    addEventListener('paste', (event) => this.#paste(event));
    addEventListener('dragover', (event) => this.#over(event));
    addEventListener('dragleave', (event) => event.relatedTarget === null && mark(false));
    addEventListener('drop', (event) => this.#drop(event));
    // It may have been used before this script was there.
    this.#pick();
    this.#draw();
  }

  get files(): readonly File[] {
    return this.#files;
  }

  /** What the only one is to be called, if not as it is. */
  get name(): string | undefined {
    return this.#files.length === 1 ? this.#name.value.trim() || undefined : undefined;
  }

  remove(file: File): void {
    this.#files = this.#files.filter((other) => other !== file);
    if (this.#files.length === 0) this.#name.value = '';
    this.#draw();
  }

  #add(files: readonly File[]): void {
    const fresh = files.filter((file) => !this.#files.some((other) => same(file, other)));
    this.#files.push(...fresh);
    this.#draw();
    if (files.length === 0) return;
    this.#form.scrollIntoView({ block: 'nearest' });
    this.#go.focus({ preventScroll: true });
  }

  #pick(): void {
    this.#add([...(this.#picker.files ?? [])]);
    // The same file may be picked again after it was taken out.
    this.#picker.value = '';
  }

  /** Text that is pasted into a field goes there. */
  #paste(event: ClipboardEvent): void {
    const { files, types } = event.clipboardData ?? {};
    const field = event.target instanceof Element && event.target.closest('input, textarea');
    if (!files?.length || (field && types?.includes('text/plain'))) return;
    event.preventDefault();
    this.#add([...files]);
  }

  #over(event: DragEvent): void {
    if (!event.dataTransfer?.types.includes('Files')) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = 'copy';
    mark(true);
  }

  #drop(event: DragEvent): void {
    mark(false);
    if (!event.dataTransfer?.types.includes('Files')) return;
    event.preventDefault();
    const items = [...event.dataTransfer.items].filter(({ kind }) => kind === 'file');
    const files = items.filter((item) => item.webkitGetAsEntry()?.isDirectory !== true).map((item) => item.getAsFile());
    this.#add(files.filter((file) => file !== null));
    if (files.length < items.length) byId('share-result').replaceChildren(h('p', { class: 'hint' }, NO_FOLDERS));
  }

  #draw(): void {
    const some = this.#files.length > 0;
    if (!some && document.activeElement === this.#go) this.#choose.focus();
    byId('share-about').hidden = this.#go.hidden = !some;
    this.#choose.classList.toggle('quiet', some);
    setText(this.#choose, some ? 'Choose more' : 'Choose files');
    byId('share-name-field').hidden = this.#files.length !== 1;
    this.#name.placeholder = this.#files[0]?.name ?? '';
    keyed(this.#list, this.#files, identity, (file) => this.#chip(file), () => {});
  }

  #chip(file: File): HTMLElement {
    const no = h('button', { type: 'button', 'aria-label': `Do not share ${file.name}` }, 'Leave out');
    no.addEventListener('click', () => {
      this.remove(file);
      this.#choose.focus();
    });
    return h('li', {}, h('span', { dir: 'auto' }, file.name), h('small', {}, bytesWords(file.size)), no);
  }
}

/** The page shows that something may be dropped. */
function mark(on: boolean): void {
  document.documentElement.toggleAttribute('data-dropping', on);
}

function identity({ name, size, lastModified }: File): string {
  return `${name} ${size} ${lastModified}`;
}

function same(one: File, two: File): boolean {
  return identity(one) === identity(two);
}
