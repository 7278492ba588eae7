import { NcvsdError } from "../errors.js";

/** Longest name shown in a message: a hostile header may hold names of many megabytes. */
const MAX_SHOWN = 120;

/** `text` in single quotes, on one line, shortened if it is long. */
export function quote(text: string): string {
  const shown = text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
  const escaped = JSON.stringify(shown).slice(1, -1).replaceAll('\\"', '"');
  return `'${escaped}'`;
}

/** The one error of this folder: `message` says which file, which tensor, what is wrong. */
export function bad(message: string, cause?: unknown): NcvsdError {
  return new NcvsdError("BAD_CHECKPOINT", message, cause === undefined ? undefined : { cause });
}
