/** What went wrong, for programs; the message says it for people. */
export type ErrorCode =
  | "NO_ADAPTER"
  | "DEVICE_LOST"
  | "OUT_OF_MEMORY"
  | "BAD_CHECKPOINT"
  | "BAD_ARGUMENT"
  | "NOT_FINITE";

/**
 * Characters that move a terminal's cursor, colours or title, or turn the order of what is read: C0 but line feed and tab, DEL,
 * C1, line and paragraph separators, marks and overrides of direction, and halves of surrogate pairs.
 */
const CONTROL =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]|\p{Surrogate}/gu;

/** A text for people, whatever file it came from: control characters as JSON writes them (inside JSON, too, it means the same). */
export const printable = (text: string): string =>
  text.replace(CONTROL, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);

/** A text of a file or a name as part of a line: its own line feeds and tabs are escapes, too, so that it forges no lines. */
export const oneLine = (text: string): string => printable(text).replaceAll("\n", "\\n").replaceAll("\t", "\\t");

/** Characters of a message: some lines of a terminal. What is cut is the middle: its end says what to do. */
const LONGEST_MESSAGE = 300;

/** A message on one line that is not too long, whatever a file has put into it. */
export function sentenceOf(message: string): string {
  const line = printable(message.replaceAll("\n", " "));
  if (line.length <= LONGEST_MESSAGE) return line;
  const [head, tail] = [LONGEST_MESSAGE - 100, 95];
  return `${line.slice(0, head).trimEnd()} ... ${line.slice(-tail).trimStart()}`;
}

/**
 * Every error that a user can meet. The message is one sentence: what was wrong, where, and what to do. It is one line of at most
 * 300 characters, and control characters in it are shown as escapes.
 */
export class NcvsdError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(sentenceOf(message), options);
    this.name = "NcvsdError";
    this.code = code;
  }
}

/** The error of an argument that cannot be right. */
export function bad(message: string, cause?: unknown): NcvsdError {
  return new NcvsdError("BAD_ARGUMENT", message, cause === undefined ? undefined : { cause });
}

/** "1 step", "2 steps". */
export const counted = (n: number, unit: string): string => `${n} ${unit}${n === 1 ? "" : "s"}`;

/** A user's text in a message: quoted, and cut when it is long. */
export const quote = (text: string) => `"${text.length > 40 ? `${text.slice(0, 37)}...` : text}"`;

/**
 * Refuses options that a call does not know: a slip such as `seed` for `seeds` would be passed over in silence.
 * @param call for the message: "sampleMultiStep"
 * @param known every option of the call
 */
export function checkKeys<T extends object>(
  call: string,
  given: T,
  known: { readonly [K in keyof Required<T>]: true },
): void {
  if (typeof given !== "object" || given === null)
    throw bad(`${call}: the options must be an object such as { ${Object.keys(known)[0]} }, got ${String(given)}.`);
  const names = Object.keys(known);
  for (const [key, value] of Object.entries(given)) {
    if (value === undefined || Object.hasOwn(known, key)) continue;
    throw bad(`${call}: unknown option ${quote(key)}; ${didYouMean(key, names) ?? `it takes ${names.join(", ")}.`}`);
  }
}

/** "did you mean this?", of the name that a word is a slip of: at most two letters apart, and half of the word's own. */
export function didYouMean(word: string, names: readonly string[]): string | undefined {
  const near = names.map((name) => ({ name, steps: distance(plain(word), plain(name)) }));
  const best = near.reduce((a, b) => (b.steps < a.steps ? b : a));
  return best.steps <= Math.min(2, word.length / 2) ? `did you mean ${best.name}?` : undefined;
}

/** How a message about a name that there is not goes on: the name that was meant, else all that there are. */
export const orAll = (word: string, names: readonly string[]): string =>
  didYouMean(word, names) ?? `there are ${names.join(", ")}`;

/** Without case and underscores: `s_min` and `sMin` are the same slip. */
const plain = (name: string) => name.toLowerCase().replaceAll("_", "");

/** Letters to insert, delete or replace to make b of a (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + Number(a[i - 1] !== b[j - 1])));
    row = next;
  }
  return row[b.length]!;
}
