// The few things the page does with the DOM. Text only ever becomes text: nothing here parses HTML,
// because everything shown comes from other peers.

type Child = Node | string | undefined | null | false;

/** Attributes: `class`, `data-…`, `aria-…`, `href`, and boolean ones. */
export type Attributes = Record<string, string | boolean | undefined>;

export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, '');
    else if (typeof value === 'string') element.setAttribute(name, value);
  }
  element.append(...children.filter((child): child is Node | string => Boolean(child)));
  return element;
}

/** An element the template promises. */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const element = document.getElementById(id);
  if (!element) throw new Error(`index.html has no #${id}`);
  return element as T;
}

/** Leaves the node alone when nothing changed, so that selections survive live updates. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Shows `items` as children of `list`, reusing the child of each key: focus and selection survive. */
export function keyed<T, E extends HTMLElement>(
  list: HTMLElement,
  items: readonly T[],
  keyOf: (item: T) => string,
  make: (item: T) => E,
  update: (element: E, item: T) => void,
): void {
  const old = new Map([...list.children].map((child) => [(child as HTMLElement).dataset['key'], child as E]));
  items.forEach((item, index) => {
    const key = keyOf(item);
    let element = old.get(key);
    if (element) old.delete(key);
    else {
      element = make(item);
      element.dataset['key'] = key;
    }
    update(element, item);
    if (list.children[index] !== element) list.insertBefore(element, list.children[index] ?? null);
  });
  for (const gone of old.values()) gone.remove();
}
