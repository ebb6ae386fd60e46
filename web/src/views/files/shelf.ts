// The files of this tab: those that are there, and those on their way, in one list. The newest is the first.

import type { FetchProgress, FileInfo, Peer } from 'warren-p2p';
import { byId, h, keyed, setText } from '../../dom.ts';
import { errorCard } from '../../result.ts';
import { recall, remember } from '../talk/kept.ts';
import { pageLink } from './links.ts';
import { Row, type Item, type RowHost } from './row.ts';
import { Transfer, type Wanted } from './transfer.ts';
import { roomWords } from './words.ts';

type JoinedPeer = (signal: AbortSignal) => Promise<Peer>;

/** Rates and times move once a second, everything else as it happens. */
const TICK_MS = 1000;
/** Where it is remembered that there may be files: to look, a script has to be loaded. */
const KEPT = 'has-files';

export class Shelf {
  readonly #joinedPeer: JoinedPeer;
  readonly #rows = new Map<string, Row>();
  readonly #transfers = new Map<string, Transfer>();
  readonly #host: RowHost = {
    open: async ({ cid }) => (await this.#peer()).files.fetch(cid),
    openDirectory: async ({ cid, transfer }) => transfer?.directory ?? (await this.#peer()).files.fetchDirectory(cid),
    fetch: ({ cid, name, media }) => this.fetch(cid, { what: pageLink(cid, name), name, media }),
    remove: (item) => this.#remove(item),
    allow: (item) => this.#allow(item),
  };
  #there: readonly FileInfo[] = [];
  /** In the order in which this page heard of them. */
  readonly #known = new Set<string>();
  readonly #list = byId('files');
  readonly #room = h('p', { class: 'hint kept' });
  readonly #status = h('p', { class: 'off-screen', role: 'status' });
  readonly #trouble = h('div', { class: 'result', 'aria-live': 'polite' });

  constructor(joinedPeer: JoinedPeer) {
    this.#joinedPeer = joinedPeer;
    this.#list.before(this.#status, this.#room);
    this.#list.after(this.#trouble);
    setInterval(() => this.#transfers.size > 0 && !document.hidden && this.#draw(), TICK_MS);
    if (recall(KEPT, false)) void this.refresh();
  }

  /** Asks what is there. */
  async refresh(): Promise<void> {
    try {
      const peer = await this.#peer();
      this.#there = await peer.files.list();
      for (const [cid, { state }] of this.#transfers) if (state === 'done') this.#transfers.delete(cid);
      remember(KEPT, this.#there.length > 0);
      setText(this.#room, roomWords(await peer.files.storage()));
      this.#trouble.replaceChildren();
    } catch (error) {
      this.#trouble.replaceChildren(errorCard(error));
    }
    this.#draw();
  }

  /** Whether it is there, or on its way. */
  has(cid: string): boolean {
    return this.#rows.has(cid) && this.#transfers.get(cid)?.state !== 'failed';
  }

  /** Fetches a file whose id is not known to be one. Resolves when it is in the list. */
  async find(wanted: Wanted, signal: AbortSignal): Promise<void> {
    const transfer = new Transfer(wanted, () => this.#moved(transfer));
    const cancel = () => transfer.cancel();
    signal.addEventListener('abort', cancel);
    try {
      const cid = await transfer.begin(await this.#peer());
      this.#transfers.get(cid)?.cancel();
      this.#put(cid, transfer);
      this.#rows.get(cid)?.focus();
    } finally {
      signal.removeEventListener('abort', cancel);
    }
  }

  /** Fetches a file that is shown from now on, whatever comes of it. */
  async fetch(cid: string, wanted: Wanted): Promise<void> {
    const transfer = new Transfer(wanted, () => this.#moved(transfer));
    this.#put(cid, transfer);
    try {
      await transfer.begin(await this.#peer());
    } catch (error) {
      transfer.fail(error);
    }
    this.#draw();
  }

  #peer(): Promise<Peer> {
    return this.#joinedPeer(new AbortController().signal);
  }

  #put(cid: string, transfer: Transfer): void {
    this.#transfers.set(cid, transfer);
    this.#known.delete(cid);
    this.#known.add(cid);
    remember(KEPT, true);
    if (transfer.state === 'done') void this.refresh();
    this.#draw();
  }

  #moved(transfer: Transfer): void {
    // Before it is in the list, whoever looks for it is told.
    if (![...this.#transfers.values()].includes(transfer)) return;
    if (transfer.state === 'done') {
      setText(this.#status, `${transfer.name ?? 'A file'} is here.`);
      void this.refresh();
    } else if (transfer.state === 'failed') {
      setText(this.#status, `${transfer.name ?? 'A file'} did not come.`);
    }
    this.#draw();
  }

  #draw(): void {
    const items = this.#items();
    const now = performance.now();
    setText(byId('file-count'), items.length === 0 ? '' : String(items.length));
    const make = (item: Item) => {
      const row = new Row(item, this.#host);
      this.#rows.set(item.cid, row);
      return row.element;
    };
    keyed(this.#list, items, ({ cid }) => cid, make, (_, item) => this.#rows.get(item.cid)?.draw(item, now));
    for (const [cid, row] of this.#rows) {
      if (row.element.isConnected) continue;
      row.close();
      this.#rows.delete(cid);
      this.#known.delete(cid);
    }
  }

  #items(): Item[] {
    const there = new Map(this.#there.map((info) => [info.cid, info]));
    for (const cid of there.keys()) this.#known.add(cid);
    const cids = [...this.#known].filter((cid) => there.has(cid) || this.#transfers.has(cid));
    return cids.reverse().map((cid) => {
      const info = there.get(cid);
      const transfer = this.#transfers.get(cid);
      const wanted = transfer?.wanted;
      return {
        cid,
        name: info?.name ?? transfer?.name,
        media: info?.media ?? wanted?.media,
        tags: info?.tags ?? [],
        files: info?.files ?? transfer?.directory?.entries.length,
        progress: farthest(info, transfer?.progress),
        inPlace: info?.inPlace,
        complete: info?.complete === true || transfer?.state === 'done',
        transfer,
      };
    });
  }

  async #allow({ cid, name }: Item): Promise<void> {
    try {
      await (await this.#peer()).files.allow(cid);
      setText(this.#status, `${name ?? 'A file'} is shared again.`);
    } finally {
      await this.refresh();
    }
  }

  async #remove({ cid, name }: Item): Promise<void> {
    const peer = await this.#peer();
    // A player would fetch it again.
    this.#rows.get(cid)?.close();
    this.#transfers.get(cid)?.cancel();
    this.#transfers.delete(cid);
    await peer.files.remove(cid);
    const next = this.#rows.get(cid)?.element.nextElementSibling ?? this.#rows.get(cid)?.element.previousElementSibling;
    await this.refresh();
    setText(this.#status, `${name ?? 'A file'} was removed.`);
    (next?.querySelector<HTMLElement>('button:not([hidden])') ?? byId('fetch-what')).focus();
  }
}

/** What a transfer tells is newer than the list, until it has ended. */
function farthest(info: FileInfo | undefined, told: FetchProgress | undefined): FetchProgress | undefined {
  return info?.complete ? info : (told ?? info);
}
