import { rmSync } from "node:fs";
import { NcvsdError } from "../errors.js";
import type { TuningIdentity } from "../gpu/tuning.js";
import { fieldsOf, type TuningFile, tuningFile, tuningFolder } from "../gpu/tuning-cache.js";
import { writeAtomic } from "../runs/whole-file.js";

/**
 * Replaces the choices of an identity, in one step; none: the file goes.
 * @returns the file
 * @throws NcvsdError BAD_ARGUMENT when it cannot be written
 */
export function writeTuning(
  identity: TuningIdentity,
  choices: ReadonlyMap<string, string>,
  folder: string = tuningFolder(),
  date = new Date(),
): string {
  const file = tuningFile(identity, folder);
  try {
    if (choices.size === 0) {
      rmSync(file, { force: true });
      return file;
    }
    const sorted = [...choices].sort(([a], [b]) => (a < b ? -1 : 1));
    const content: TuningFile = {
      tool: "ncvsd-gpu",
      format: 1,
      identity: fieldsOf(identity),
      date: date.toISOString(),
      choices: Object.fromEntries(sorted),
    };
    writeAtomic(file, `${JSON.stringify(content, null, 2)}\n`);
    return file;
  } catch (cause) {
    const { cause: refused = cause } = cause as Error;
    const why = (refused as NodeJS.ErrnoException).code ?? (refused as Error).message;
    throw new NcvsdError(
      "BAD_ARGUMENT",
      `The choices cannot be kept in ${file} (${why}): set XDG_CACHE_HOME to a folder that can be written to.`,
      { cause },
    );
  }
}
