/** What went wrong, for programs; the message says it for people. */
export type ErrorCode =
  | "NO_ADAPTER"
  | "DEVICE_LOST"
  | "OUT_OF_MEMORY"
  | "BAD_CHECKPOINT"
  | "BAD_ARGUMENT"
  | "NOT_FINITE";

/**
 * Every error that a user can meet. The message is one sentence: what was wrong, where, and what to do.
 */
export class NcvsdError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "NcvsdError";
    this.code = code;
  }
}

/** The error of an argument that cannot be right. */
export function bad(message: string, cause?: unknown): NcvsdError {
  return new NcvsdError("BAD_ARGUMENT", message, cause === undefined ? undefined : { cause });
}

/** A user's text in a message: quoted, and cut when it is long. */
export const quote = (text: string) => `"${text.length > 40 ? `${text.slice(0, 37)}...` : text}"`;
