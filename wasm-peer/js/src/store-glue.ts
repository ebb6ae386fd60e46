// The module that hashes and verifies for the worker that keeps files, as TypeScript sees it.

import type { PairInPlace } from './pair-in-place.ts';
import type { Pair } from './kept-pair.ts';

/** What wasm-bindgen generates. */
export interface StoreGlue {
  default(options: { module_or_path: unknown }): Promise<unknown>;
  Taking: { begin(pair: AnyPair, size: number): Taking };
  Slot: { create(pair: AnyPair, cid: Uint8Array, size: number): Slot; restore(pair: AnyPair): [] | [Slot, Uint8Array] | undefined };
}

/** A copy of a file, or a file where its owner has it. */
export type AnyPair = Pair | PairInPlace;

export interface Taking {
  take(bytes: Uint8Array): boolean;
  finish(): Slot;
  free(): void;
}

export interface Slot {
  map(): Uint8Array;
  size(): number;
  whole(): boolean;
  keep(note: Uint8Array): void;
  write(packed: Uint8Array): void;
  complete(piece: number): number;
  settle(): void;
  read(sender: Uint8Array, room: number): [sender: Uint8Array, bytes: Uint8Array, more: boolean];
  piece(piece: number): Uint8Array | undefined;
  free(): void;
}
