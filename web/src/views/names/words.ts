// Names and their proofs in words. The only place where resources become sentences.

import { isWarrenError, type HeldName, type NameProof, type Resource } from 'warren-p2p';
import { h } from '../../dom.ts';
import { duration } from '../../words.ts';

/** Owners' keys all begin alike. */
export function shortKey(key: string): string {
  return key.length > 16 ? `${key.slice(0, 4)}…${key.slice(-6)}` : key;
}

/** "2 of 3 witnesses, owner k51…x4f2, 4 min old". `named`: of which name, when there are several. */
export function proofWords(proof: NameProof, named = false): string {
  const who = proof.of === 0 ? 'Signed by the key itself' : `${proof.witnesses.length} of ${proof.of} witnesses`;
  const age = proof.stale ? `${duration(proof.age)} old, being asked for again` : proof.age < 1000 ? 'just asked' : `${duration(proof.age)} old`;
  return `${named ? `${proof.name}: ` : ''}${who}, owner ${shortKey(proof.owner)}, ${age}`;
}

export const KINDS: Record<Resource['type'], string> = {
  url: 'Web address',
  text: 'Text',
  peer: 'Peer',
  alias: 'Alias of',
  address: 'Host',
  file: 'File',
  site: 'Site',
};

/** What stands in the field of a resource; `resourceOf` reads it back. */
export function valueOf(resource: Resource): string {
  switch (resource.type) {
    case 'peer':
      return resource.peer;
    case 'address':
      return resource.port === 0 ? resource.ip : `${resource.ip.includes(':') ? `[${resource.ip}]` : resource.ip}:${resource.port}`;
    case 'file':
    case 'site':
      return resource.cid;
    case 'url':
      return resource.url;
    case 'text':
      return resource.text;
    case 'alias':
      return resource.name;
  }
}

/** The engine checks it. */
export function resourceOf(type: Resource['type'], value: string): Resource {
  switch (type) {
    case 'peer':
      return { type, peer: value };
    case 'address':
      return { type, ...hostAndPort(value) };
    case 'file':
    case 'site':
      return { type, cid: value };
    case 'url':
      return { type, url: value };
    case 'text':
      return { type, text: value };
    case 'alias':
      return { type, name: value };
  }
}

function hostAndPort(text: string): { ip: string; port: number } {
  const [, ip = text, port = '0'] = /^(?:\[?(.+?)\]?):(\d+)$/.exec(text) ?? [];
  const bare = text.split(':').length > 2 && !text.startsWith('[');
  return bare ? { ip: text, port: 0 } : { ip: ip.replace(/^\[|\]$/g, ''), port: Number(port) };
}

export function resourceView(resource: Resource): Node[] {
  const value = valueOf(resource);
  const shown = resource.type === 'url' ? h('a', { href: value, rel: 'noreferrer noopener' }, value) : h('span', {}, value);
  return [h('small', {}, KINDS[resource.type]), shown];
}

export function heldWords({ expires, zone }: HeldName): string {
  const entries = zone?.entries.length ?? 0;
  const published = entries === 0 ? 'Nothing published' : entries === 1 ? '1 entry' : `${entries} entries`;
  return expires ? `${published}, yours for ${duration(expires.getTime() - Date.now())}` : published;
}

/** The typed name with the wrong character marked. */
export function flawView(typed: string, error: unknown): HTMLElement | undefined {
  if (!isWarrenError(error) || error.code !== 'NAME_INVALID') return undefined;
  const { position, character } = error.details;
  const characters = [...typed];
  if (position === undefined || character === undefined || characters[position - 1] !== character) return undefined;
  const before = characters.slice(0, position - 1).join('');
  return h('p', { class: 'flaw' }, before, h('mark', {}, character), characters.slice(position).join(''));
}
