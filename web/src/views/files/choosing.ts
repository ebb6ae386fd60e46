// Which files and folders a visitor wants to share: dropped anywhere on the page, pasted, or picked. Nothing of them is read yet.

import { byId, h, keyed, setText } from '../../dom.ts';
import { errorCard } from '../../result.ts';
import { count } from '../../words.ts';
import { droppedFolder, pickedFolders, type Choice } from './folders.ts';
import { canPick, droppedFile, pickFiles } from './in-place.ts';
import { bytesWords } from './words.ts';

export class Chosen {
  #files: Choice[] = [];
  readonly #list = byId('share-chosen');
  readonly #picker = byId<HTMLInputElement>('share-files');
  readonly #form = byId<HTMLFormElement>('share-form');
  readonly #choose = byId('share-choose');
  readonly #folder = h('input', { type: 'file', id: 'share-folder', webkitdirectory: true, hidden: true });
  readonly #chooseFolder = h('button', { type: 'button', class: 'quiet', id: 'share-choose-folder' }, 'Choose a folder');
  readonly #go = byId('share-go');
  readonly #name = byId<HTMLInputElement>('share-name');

  constructor() {
    this.#choose.addEventListener('click', () => (canPick() ? void this.#pickHandles() : this.#picker.click()));
    this.#picker.addEventListener('change', () => this.#pick());
    this.#picker.after(this.#folder);
    this.#choose.after(this.#chooseFolder);
    this.#chooseFolder.addEventListener('click', () => this.#folder.click());
    this.#folder.addEventListener('change', () => this.#pickFolder());
    addEventListener('paste', (event) => this.#paste(event));
    addEventListener('dragover', (event) => this.#over(event));
    addEventListener('dragleave', (event) => event.relatedTarget === null && mark(false));
    addEventListener('drop', (event) => this.#drop(event));
    // It may have been used before this script was there.
    this.#pick();
    this.#draw();
  }

  get files(): readonly Choice[] {
    return this.#files;
  }

  /** What the only one is to be called, if not as it is. */
  get name(): string | undefined {
    return this.#files.length === 1 ? this.#name.value.trim() || undefined : undefined;
  }

  remove(file: Choice): void {
    // A name was typed when the first one was the only one.
    if (this.#files[0] === file) this.#name.value = '';
    this.#files = this.#files.filter((other) => other !== file);
    this.#draw();
  }

  #add(files: readonly Choice[]): void {
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

  async #pickHandles(): Promise<void> {
    try {
      this.#add(await pickFiles());
    } catch (error) {
      unreadable(error);
    }
  }

  #pickFolder(): void {
    this.#add(pickedFolders([...(this.#folder.files ?? [])]));
    this.#folder.value = '';
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
    // All of it is asked for at once: browsers forget what was dropped as soon as this returns.
    const dropped = items.map((item) => ({ entry: item.webkitGetAsEntry(), file: droppedFile(item) }));
    this.#add(dropped.flatMap(({ entry, file }) => (entry?.isDirectory || !file ? [] : [file])));
    const folders = dropped.flatMap(({ entry }) => (entry?.isDirectory ? [entry as FileSystemDirectoryEntry] : []));
    for (const folder of folders) droppedFolder(folder).then((chosen) => this.#add([chosen]), unreadable);
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

  #chip(file: Choice): HTMLElement {
    const no = h('button', { type: 'button', 'aria-label': `Do not share ${file.name}` }, 'Leave out');
    no.addEventListener('click', () => {
      this.remove(file);
      this.#choose.focus();
    });
    return h('li', {}, h('span', { dir: 'auto' }, file.name), h('small', {}, 'files' in file ? `${count(file.files.length, 'file')}, ${bytesWords(file.size)}` : bytesWords(file.size)), no);
  }
}

function unreadable(error: unknown): void {
  byId('share-result').replaceChildren(errorCard(error));
}

/** The page shows that something may be dropped. */
function mark(on: boolean): void {
  document.documentElement.toggleAttribute('data-dropping', on);
}

function identity(one: Choice): string {
  return `${one.name} ${one.size} ${'files' in one ? `${one.files.length} files` : one.lastModified}`;
}

function same(one: Choice, two: Choice): boolean {
  return identity(one) === identity(two);
}
