// What is done with directories, and with relays that keep files: the calls of the engine, and what they mean to an application.

import type { Calls } from './apps.ts';
import { WarrenError, type WireError } from './errors.ts';
import { FetchedDirectory, type DirectoryBegun } from './fetched-directory.ts';
import { readFileLink } from './file-link.ts';
import { progressOf, tell } from './file-progress.ts';
import type { FetchOptions, FetchProgress, PinnedFile, PinOptions } from './files.ts';

type WireDirectory = DirectoryBegun & FetchProgress;
type WireKept = { relay: string; until: number } | { relay: string; error: WireError };

export function fetchDirectory(apps: Calls, what: string, { signal, onProgress }: FetchOptions): Promise<FetchedDirectory> {
  const { cid, name } = readFileLink(what);
  return new Promise((resolve, reject) => {
    let begun = false;
    const hear = (item: unknown) => {
      const info = item as WireDirectory;
      if (!begun) {
        begun = true;
        resolve(new FetchedDirectory(apps, { ...info, cid, name: name ?? info.name }, whole));
      }
      tell(onProgress, progressOf(info));
    };
    const params = { files: 'fetchFolder', id: cid, text: JSON.stringify({ name }) };
    const whole = apps.request<WireDirectory>('files', params, signal, hear);
    // What goes wrong later is told to those who read.
    whole.then((info) => tell(onProgress, progressOf(info)), reject);
  });
}

export async function pin(apps: Calls, what: string, { days, signal }: PinOptions): Promise<PinnedFile> {
  const { cid } = readFileLink(what);
  const params = { files: 'pin', id: cid, ...(days === undefined ? {} : { place: days }) };
  const answers = await apps.request<WireKept[]>('files', params, signal);
  const pinned: PinnedFile = { cid, kept: [], refused: [] };
  for (const answer of answers) {
    const { relay } = answer;
    if ('until' in answer) pinned.kept.push({ relay, until: new Date(answer.until) });
    else pinned.refused.push({ relay, error: WarrenError.fromWire(answer.error) });
  }
  return pinned;
}
