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
  | 'NAME_EXPIRED'
  | 'NAME_INVALID'
  | 'NAME_NOT_FOUND'
  | 'NAME_TAKEN'
  | 'NO_QUORUM'
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
  | 'ENGINE_LOAD_FAILED';

/** What the engine sends instead of a result. */
export interface WireError {
  code: string;
  message: string;
  remedy?: string | null | undefined;
  retryable?: boolean | null | undefined;
  cause?: string | null | undefined;
}

/** What a {@link WarrenError} can carry besides its code and message. */
export interface WarrenErrorOptions {
  remedy?: string;
  retryable?: boolean;
  cause?: unknown;
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

  constructor(code: ErrorCode, message: string, options: WarrenErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.remedy = options.remedy ?? '';
    this.retryable = options.retryable ?? false;
  }

  /** The same five fields that the engine sends, fit for logs and `postMessage`. */
  toJSON(): WireError {
    return {
      code: this.code,
      message: this.message,
      remedy: this.remedy,
      retryable: this.retryable,
      cause: describeCause(this.cause),
    };
  }

  /** @internal */
  static fromWire(wire: WireError): WarrenError {
    return new WarrenError(wire.code as ErrorCode, wire.message, {
      remedy: wire.remedy ?? '',
      retryable: wire.retryable ?? false,
      cause: wire.cause ?? undefined,
    });
  }
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
