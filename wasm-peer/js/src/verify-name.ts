// A proof of a name, checked without being a peer: no network, no identity, only the module for names.

import { abortable, type AbortOptions } from './abort.ts';
import { invalidArgument } from './errors.ts';
import { toResolution, type Resolution } from './name-types.ts';
import { NamesModule } from './names-module.ts';

/** Who may witness the names of a network: two fields of a relay's join document, `/.well-known/warren.json`. */
export interface TrustedWitnesses {
  network: string;
  witnesses: { epoch: number; from: number; keys: readonly string[] };
}

export interface VerifyOptions extends AbortOptions {
  /**
   * The witnesses that you trust already. A proof by witnesses that follow from them counts, too. Without any, the
   * proof shows only that whoever signed it signed it: `pinned` is false then.
   */
  trusted?: TrustedWitnesses;
  /** Give addresses in private networks and on the own device, too. Default: they are counted in `hidden`, as when resolving. */
  private?: boolean;
  /** When it must have counted. Default: now. */
  at?: Date;
  /** Where the build put `warren_names_bg.wasm`. Default: beside the package's own script. */
  namesWasmUrl?: string | URL;
}

/** What a valid proof says. */
export interface VerifiedName {
  /**
   * What the name leads to. Aliases are followed as far as there are proofs of them. Each of `proofs` says when it was signed
   * (`zoneIssued`) and until when it counts (the earlier of `zoneExpires` and `liveUntil`).
   */
  resolution: Resolution;
  /** Whether its witnesses are those that you trust, or follow from them. */
  pinned: boolean;
  /** BLAKE3 of the witness set that signed, in hex; absent for names of keys. */
  witnessSet?: string;
}

/**
 * Checks a proof as `peer.names.proof()` and `warren name export` give it, or what a relay answers to `GET /names/NAME`, of
 * which only `name` and `evidence` count: the owner's signature of the zone, the witnesses' signatures of whose the
 * name is, and all times. Needs no peer and no network.
 *
 * It cannot tell whether a newer zone or a later owner exists: only witnesses can. Rejects with `NAME_EXPIRED`,
 * `BAD_SIGNATURE`, `WRONG_NETWORK`, `OLDER` or, for what is no proof at all, `PROTOCOL_VIOLATION`.
 */
export async function verifyName(proof: string | object, options: VerifyOptions = {}): Promise<VerifiedName> {
  options.signal?.throwIfAborted();
  const text = typeof proof === 'string' ? proof : JSON.stringify(proof);
  if (typeof text !== 'string') throw invalidArgument('The proof is neither JSON nor text.', 'Pass what peer.names.proof() gave.');
  const { trusted, at = new Date() } = options;
  const module = new NamesModule(options.namesWasmUrl);
  const pinned = trusted === undefined ? '' : JSON.stringify({ network: trusted.network, witnesses: trusted.witnesses });
  const checked = (await abortable(module.verify(text, pinned, at.getTime(), options.private === true), options.signal)) as {
    resolution: unknown;
    pinned: boolean;
    witnessSet?: string | null;
  };
  const { resolution, witnessSet } = checked;
  return { resolution: toResolution(resolution), pinned: checked.pinned, ...(witnessSet ? { witnessSet } : {}) };
}
