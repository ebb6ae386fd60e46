// Links to files on this page: `#/f/<id>?name=<name>`. Whether an id is one, the engine decides.

const HASH = /^#\/f\/(.+)$/;

/** What others open to get a file: this page, wherever it came from. */
export function pageLink(cid: string, name: string | undefined): string {
  const { origin, pathname } = location;
  return `${origin}${pathname}#/f/${cid}${name ? `?name=${encodeURIComponent(name)}` : ''}`;
}

/** The link in the address of this page, if there is one. */
export function linkedFile(): string | undefined {
  const link = HASH.exec(location.hash)?.[1];
  return link === undefined ? undefined : `warren:${link}`;
}
