// The one error type of the public API.
// Knows the shape that the engine sends ({code, message, remedy, retryable, cause}) and the two
// failures that can only be seen from JavaScript. It does not know when errors happen.

/**
 * Stable codes, the same on the wire, on the command line and here.
 * `ENGINE_LOAD_FAILED` exists in JavaScript only: the engine that owns the others never started.
 */
export type ErrorCode =
  | 'INVALID_ARGUMENT'
  | 'INVALID_KEY'
  | 'INVALID_ADDRESS'
  | 'TOO_LARGE'
  | 'NOT_FOUND'
  | 'REFUSED'
  | 'EXPIRED'
  | 'OLDER'
  | 'BAD_SIGNATURE'
  | 'WRONG_NETWORK'
  | 'NOT_CONNECTED'
  | 'DIAL_FAILED'
  | 'NO_RELAY'
  | 'TIMED_OUT'
  | 'CANCELLED'
  | 'CLOSED'
  | 'UNSUPPORTED'
  | 'OVERLOADED'
  | 'STORAGE_FAILED'
  | 'CONFIG_INVALID'
  | 'PORT_IN_USE'
  | 'PERMISSION_DENIED'
  | 'JOIN_FAILED'
  | 'PROTOCOL_VIOLATION'
  | 'INTERNAL'
  | 'NAME_NOT_FOUND'
  | 'NAME_TAKEN'
  | 'NAME_INVALID'
  | 'NAME_EXPIRED'
  | 'NO_QUORUM'
  | 'ENGINE_LOAD_FAILED';

/** What the engine sends instead of a result. */
export interface WireError {
  code: string;
  message: string;
  remedy?: string | null | undefined;
  retryable?: boolean | null | undefined;
  cause?: string | null | undefined;
  details?: Record<string, string> | undefined;
}

/** The facts of an error, where a program can use them. Each is there only when it is known. */
export interface ErrorDetails {
  /** `NAME_TAKEN`, `NAME_EXPIRED`, `NAME_NOT_FOUND`: the owner's key, `k51…`. */
  holder?: string;
  /** `NAME_TAKEN`: the end of the owner's term. `NAME_EXPIRED`: until when the proof counted. `OVERLOADED`: when to try again. */
  until?: Date;
  /** `NO_QUORUM`: the peer ids of the witnesses that answered. */
  answered?: string[];
  /** `NO_QUORUM`: how many are needed. */
  wanted?: number;
  /** `NAME_INVALID`: the character that is wrong, unless it is the name as a whole. */
  character?: string;
  /** `NAME_INVALID`: where it is, counted in characters from 1. */
  position?: number;
  /** `NAME_INVALID`: why it cannot stand there. */
  why?: string;
  /** The code with which another peer answered a call. */
  rpcCode?: number;
  /** What it said besides its message. */
  data?: unknown;
}

/** What a {@link WarrenError} can carry besides its code and message. */
export interface WarrenErrorOptions {
  remedy?: string;
  retryable?: boolean;
  cause?: unknown;
  details?: ErrorDetails;
}

/**
 * Everything that goes wrong inside the peer is rejected as one of these.
 * The exception is an aborted call: it rejects with `signal.reason`, as `fetch` does.
 */
export class WarrenError extends Error {
  override readonly name = 'WarrenError';
  /** Stable: write `switch (error.code)`, never compare messages. */
  readonly code: ErrorCode;
  /** One sentence: what the caller or the user can do about it. */
  readonly remedy: string;
  /** True when the same call can succeed later without being changed. */
  readonly retryable: boolean;
  /** Facts of the message; empty for most codes. */
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, options: WarrenErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.remedy = options.remedy ?? '';
    this.retryable = options.retryable ?? false;
    this.details = options.details ?? {};
  }

  /** The same fields that the engine sends, fit for logs and `postMessage`. */
  toJSON(): WireError {
    return {
      code: this.code,
      message: this.message,
      remedy: this.remedy,
      retryable: this.retryable,
      cause: describeCause(this.cause),
      ...(Object.keys(this.details).length === 0 ? {} : { details: writtenDetails(this.details) }),
    };
  }

  /** @internal */
  static fromWire(wire: WireError): WarrenError {
    return new WarrenError(wire.code as ErrorCode, wire.message, {
      remedy: wire.remedy ?? '',
      retryable: wire.retryable ?? false,
      cause: wire.cause ?? undefined,
      details: toDetails(wire.details ?? {}),
    });
  }
}

function toDetails({ holder, until, answered, wanted, character, position, why, rpcCode, data }: Record<string, string>): ErrorDetails {
  const details: ErrorDetails = {};
  if (holder !== undefined) details.holder = holder;
  if (until !== undefined) details.until = new Date(Number(until));
  if (answered !== undefined) details.answered = answered.split(', ').filter(Boolean);
  if (wanted !== undefined) details.wanted = Number(wanted);
  if (character !== undefined) details.character = character;
  if (position !== undefined) details.position = Number(position);
  if (why !== undefined) details.why = why;
  if (rpcCode !== undefined) details.rpcCode = Number(rpcCode);
  if (data !== undefined) details.data = JSON.parse(data);
  return details;
}

function writtenDetails(details: ErrorDetails): Record<string, string> {
  const write = (name: string, fact: unknown) => {
    if (name === 'data') return JSON.stringify(fact);
    return fact instanceof Date ? String(fact.getTime()) : Array.isArray(fact) ? fact.join(', ') : String(fact);
  };
  return Object.fromEntries(Object.entries(details).map(([name, fact]) => [name, write(name, fact)]));
}

/** Recognises a WarrenError even when two copies of this package are loaded. */
export function isWarrenError(value: unknown): value is WarrenError {
  return value instanceof Error && value.name === 'WarrenError' && 'code' in value && 'remedy' in value;
}

/** @internal */
export function closedError(): WarrenError {
  return new WarrenError('CLOSED', 'This peer was closed.', {
    remedy: 'Create a new one with createPeer().',
  });
}

/** @internal */
export function invalidArgument(message: string, remedy: string, cause?: unknown): WarrenError {
  return new WarrenError('INVALID_ARGUMENT', message, { remedy, cause });
}

/** @internal */
export function describeCause(cause: unknown): string | undefined {
  if (cause === undefined || cause === null) return undefined;
  return cause instanceof Error ? cause.message : String(cause);
}
