// WebAssembly files and their glue: fetched, read from disk in Node, and every way this can fail, in words.
// Does not know what is in them.

import { WarrenError, describeCause } from './errors.ts';

const WASM_MAGIC = [0x00, 0x61, 0x73, 0x6d];

/** What is loaded, for people who must repair a deployment. */
export interface WasmFile {
  /** What it is for: "engine". */
  what: string;
  /** Its name in the package. */
  file: string;
  /** The option that says where it is. */
  option: string;
}

/** A Response where it can be compiled while it arrives, bytes otherwise. */
export async function fetchWasm(url: string, wasm: WasmFile): Promise<Response | Uint8Array<ArrayBuffer>> {
  if (url.startsWith('file:')) return readFile(url, wasm);
  const response = await fetch(url).catch((cause: unknown) => {
    throw loadFailed(`The ${wasm.what} at ${url} cannot be reached.`, "Check the address, CORS and the page's connect-src.", cause);
  });
  if (!response.ok) {
    throw loadFailed(`The ${wasm.what} at ${url} answered with HTTP status ${response.status}.`, urlRemedy(wasm));
  }
  if (response.headers.get('content-type')?.startsWith('application/wasm')) return response;
  const bytes = new Uint8Array(await response.arrayBuffer());
  if (WASM_MAGIC.every((byte, index) => bytes[index] === byte)) return bytes;
  const type = response.headers.get('content-type') ?? 'no content type';
  throw loadFailed(`What is at ${url} is not WebAssembly (${type}).`, urlRemedy(wasm));
}

export function glueFailed(script: string, wasm: WasmFile, cause: unknown): WarrenError {
  return loadFailed(
    `The script of the ${wasm.what} could not be loaded.`,
    `Deploy ${script} of the package, and allow it in the page's script-src.`,
    cause,
  );
}

export function compileFailed(url: string, wasm: WasmFile, cause: unknown): WarrenError {
  const described = describeCause(cause) ?? '';
  const remedy = /content security policy|unsafe-eval/i.test(described)
    ? "Add 'wasm-unsafe-eval' to script-src in the page's Content-Security-Policy."
    : 'Use the .wasm file and the script of one version of the package.';
  return loadFailed(`The ${wasm.what} at ${url} could not be compiled: ${described}`, remedy, cause);
}

/** Node's fetch does not read files. */
async function readFile(url: string, wasm: WasmFile): Promise<Uint8Array<ArrayBuffer>> {
  const moduleName = 'node:fs/promises'; // A variable, so that bundlers for browsers leave it alone.
  const fs = (await import(/* @vite-ignore */ /* webpackIgnore: true */ moduleName)) as {
    readFile(path: URL): Promise<Uint8Array<ArrayBuffer>>;
  };
  return fs.readFile(new URL(url)).catch((cause: unknown) => {
    throw loadFailed(`The ${wasm.what} at ${url} cannot be read.`, 'Reinstall the package.', cause);
  });
}

function urlRemedy({ option, file }: WasmFile): string {
  return `Pass \`${option}\` with the address where your build put ${file}, served as application/wasm.`;
}

function loadFailed(message: string, remedy: string, cause?: unknown): WarrenError {
  return new WarrenError('ENGINE_LOAD_FAILED', message, { remedy, retryable: true, cause });
}
