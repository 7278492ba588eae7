import { styleText } from "node:util";
import { oneLine, printable } from "../errors.js";
import { columnsOf } from "./columns.js";
import { cleanUp } from "./interrupt.js";
import { reason } from "./whole-file.js";

type Write = (text: string) => unknown;

/** What a stream's own `write` was before `guardStreams`: for a bar that redraws its line. */
const unguarded = new WeakMap<object, Write>();

/** Writes control sequences of ours, to a stream that lets no others through. */
export function writeControl(stream: { write: Write }, text: string): void {
  (unguarded.get(stream) ?? ((t: string) => stream.write(t)))(text);
}

/** What a text is to whoever reads it. */
const STYLES = { failure: "red", warning: "yellow", heading: "bold", best: "green" } as const;

/** Texts that were given a style: the guarded streams let them through. */
const styledTexts = new Set<string>();
// biome-ignore lint/suspicious/noControlCharactersInRegex: sequences of ours are what is looked for
const STYLED = /(\u001b\[\d+m[^\u001b]*\u001b\[\d+m)/;

/**
 * A text in its colour, for `stream`: in a command, where the stream is a terminal of colours or FORCE_COLOR says so, unless NO_COLOR is
 * set; never with --json.
 */
export function styled(style: keyof typeof STYLES, text: string, stream: NodeJS.WriteStream = process.stdout): string {
  if (!unguarded.has(stream) || process.argv.includes("--json")) return text;
  const shown = styleText(STYLES[style], printable(text), { stream });
  if (shown !== text) styledTexts.add(shown);
  return shown;
}

/** The line of an error on stderr. */
export const failure = (message: string): string => `${styled("failure", "ncvsd-gpu:", process.stderr)} ${message}\n`;

/** Tells people what is not as it should be and yet no error: one line on stderr. */
export const warn = (line: string): void =>
  void process.stderr.write(`${styled("warning", oneLine(line), process.stderr)}\n`);

/** Without control characters but those of `styled`. */
const harmless = (text: string): string =>
  text
    .split(STYLED)
    .map((part) => (styledTexts.has(part) ? part : printable(part)))
    .join("");

// biome-ignore lint/suspicious/noControlCharactersInRegex: sequences of ours are what is left out
const seen = (text: string): number => columnsOf(text.replace(/\u001b\[\d+m/g, ""));

/** Lines that are longer than a terminal is wide, broken between words; rows of tables and single words stay as they are. */
export function folded(text: string, columns: number): string {
  return text
    .split("\n")
    .map((line) => {
      if (seen(line) <= columns || /\S {2}/.test(line)) return line;
      const lines: string[] = [];
      for (const word of line.split(" ")) {
        const longer = lines.length === 0 ? word : `${lines.at(-1)} ${word}`;
        if (lines.length === 0 || seen(longer) > columns) lines.push(lines.length === 0 ? word : `  ${word}`);
        else lines[lines.length - 1] = longer;
      }
      return lines.join("\n");
    })
    .join("\n");
}

/**
 * Makes stdout and stderr fit for texts that come from files, and for readers that go away: control characters are shown as
 * escapes wherever they come from (in JSON the escape means the same); a reader of stderr that has gone (a closed pager) is
 * no reason to stop; one of stdout ends the process quietly, and a full disk behind it in a sentence. Messages on a terminal are
 * broken between words.
 */
export function guardStreams(): void {
  for (const stream of [process.stdout, process.stderr]) {
    const write = stream.write.bind(stream) as (chunk: unknown, ...rest: unknown[]) => boolean;
    unguarded.set(stream, write);
    const shown = (text: string) =>
      stream === process.stderr && stream.isTTY ? folded(harmless(text), stream.columns || Infinity) : harmless(text);
    stream.write = ((chunk: unknown, ...rest: unknown[]) =>
      write(typeof chunk === "string" ? shown(chunk) : chunk, ...rest)) as typeof stream.write;
  }
  process.stderr.on("error", () => {});
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    cleanUp();
    // With the code that the command has come to: a check that failed has failed, whoever read on.
    if (error.code === "EPIPE") process.exit();
    process.stderr.write(failure(`the result cannot be written to stdout: ${reason(error)}`));
    process.exit(1);
  });
}
