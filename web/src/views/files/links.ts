// Links to files and directories on this page: `#/f/<id>?name=<name>`. Whether an id is one, the engine decides.

const HASH = /^#\/f\/(.+)$/;

/** What others open to get a file: this page, wherever it came from. */
export function pageLink(cid: string, name: string | undefined): string {
  const { origin, pathname } = location;
  return `${origin}${pathname}#/f/${cid}${name ? `?name=${encodeURIComponent(name)}` : ''}`;
}

/** Whether an id or a link names a directory, as the beginning of the id says. */
export function namesDirectory(what: string): boolean {
  return /(^|[:/])bafyr4i/.test(what);
}

/** The link in the address of this page, if there is one. */
export function linkedFile(): string | undefined {
  const link = HASH.exec(location.hash)?.[1];
  return link === undefined ? undefined : `warren:${link}`;
}
