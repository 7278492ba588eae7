import { printable } from "../errors.js";
import { cleanUp } from "./interrupt.js";
import { reason } from "./whole-file.js";

type Write = (text: string) => unknown;

/** What a stream's own `write` was before `guardStreams`: for a bar that redraws its line. */
const unguarded = new WeakMap<object, Write>();

/** Writes control sequences of ours, to a stream that lets no others through. */
export function writeControl(stream: { write: Write }, text: string): void {
  (unguarded.get(stream) ?? ((t: string) => stream.write(t)))(text);
}

/**
 * Makes stdout and stderr fit for texts that come from files, and for readers that go away: control characters are shown as
 * escapes wherever they come from (in JSON the escape means the same); a reader of stderr that has gone (a closed pager) is
 * no reason to stop; one of stdout ends the process quietly, and a full disk behind it in a sentence.
 */
export function guardStreams(): void {
  for (const stream of [process.stdout, process.stderr]) {
    const write = stream.write.bind(stream) as (chunk: unknown, ...rest: unknown[]) => boolean;
    unguarded.set(stream, write);
    stream.write = ((chunk: unknown, ...rest: unknown[]) =>
      write(typeof chunk === "string" ? printable(chunk) : chunk, ...rest)) as typeof stream.write;
  }
  process.stderr.on("error", () => {});
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    cleanUp();
    // With the code that the command has come to: a check that failed has failed, whoever read on.
    if (error.code === "EPIPE") process.exit();
    process.stderr.write(`ncvsd-gpu: the result cannot be written to stdout: ${reason(error)}\n`);
    process.exit(1);
  });
}
