// What of a file may be shown on the page: pictures, sound, film and plain text. Nothing that could be a document with
// scripts in it ever is one here, whatever it says about itself.

export type Kind = 'image' | 'audio' | 'video' | 'text';

const MEDIA: Record<string, string> = {
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  gif: 'image/gif',
  webp: 'image/webp',
  avif: 'image/avif',
  bmp: 'image/bmp',
  mp3: 'audio/mpeg',
  m4a: 'audio/mp4',
  ogg: 'audio/ogg',
  opus: 'audio/ogg',
  wav: 'audio/wav',
  flac: 'audio/flac',
  mp4: 'video/mp4',
  m4v: 'video/mp4',
  webm: 'video/webm',
  mov: 'video/quicktime',
};
const SHOWN = new Set(Object.values(MEDIA));
const TEXTS = /^(text\/|application\/(json|toml|xml|javascript)$|image\/svg\+xml$)/;
const TEXT_NAMES = /\.(txt|md|csv|log|json|toml|yaml|yml|xml|html|css|js|ts|rs|py|sh|svg)$/i;

/** As what a file is shown, and under which media type; nothing if it is not. */
export function kindOf(name: string | undefined, media: string | undefined): { kind: Kind; media: string } | undefined {
  const plain = media?.split(';')[0]?.trim().toLowerCase() ?? '';
  const type = plain || MEDIA[name?.split('.').pop()?.toLowerCase() ?? ''] || '';
  if (SHOWN.has(type)) return { kind: type.split('/')[0] as Kind, media: type };
  if (TEXTS.test(type) || (type === '' && TEXT_NAMES.test(name ?? ''))) return { kind: 'text', media: 'text/plain' };
  return undefined;
}
