// Handles of files on their way from the application to the worker for files: between them only numbers cross.

const lent = new Map<number, FileSystemFileHandle>();
let last = 0;

/** The number under which whoever is asked finds it, until it is taken back. */
export function lend(handle: FileSystemFileHandle): number {
  last += 1;
  lent.set(last, handle);
  return last;
}

export function lentAs(number: number): FileSystemFileHandle | undefined {
  return lent.get(number);
}

export function takeBack(number: number): void {
  lent.delete(number);
}
