// What the page remembers of a visitor between visits. Some pages have no storage: then it is typed again.

export function recall<T>(name: string, otherwise: T): T {
  try {
    const text = localStorage.getItem(`warren:${name}`);
    return text === null ? otherwise : (JSON.parse(text) as T);
  } catch {
    return otherwise;
  }
}

export function remember(name: string, value: unknown): void {
  try {
    localStorage.setItem(`warren:${name}`, JSON.stringify(value));
  } catch {
    // Nothing is remembered here.
  }
}
