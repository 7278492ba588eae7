import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { bad, NcvsdError } from "../../errors.js";
import type { RawImage } from "../../image/pixels.js";
import { decodePng } from "../../image/png.js";

type Texts = Readonly<Record<string, string>>;

/** Of the first command: where it wrote, and what it told. */
const DROPPED = { "--outdir": true, "--json": false, "--quiet": false, "--force": false } as const;

/**
 * Makes a picture of `restore` again: the command in the run's metrics.json, in a folder that is gone afterwards.
 * @param more options behind the command's, which they replace
 * @throws NcvsdError BAD_ARGUMENT when metrics.json is not that of the picture
 */
export function restoredAgain(file: string, text: Texts, more: readonly string[]): RawImage & { text: Texts } {
  const record = join(dirname(file), "..", "metrics.json");
  if (!existsSync(record))
    throw bad(`${file} is a result of restore, and the run's ${record}, which has its command, is not there.`);
  const { command, options } = JSON.parse(readFileSync(record, "utf8")) as { command?: unknown; options?: unknown };
  const words = Array.isArray(command) ? command.slice(1).map(String) : [];
  if (words[0] !== "restore" || JSON.stringify(options) !== text["ncvsd-gpu:options"])
    throw bad(`${file} is a result of restore, and ${record} is that of another run: run its own command again.`);
  // A module is a program: nobody runs it by asking for a comparison.
  if (words.some((word) => word.split("=")[0] === "--operator"))
    throw bad(`${file} was made with an operator of your own: run the command in ${record} again.`);
  const kept = words.filter((word, i) => {
    const own = DROPPED[word.split("=")[0] as keyof typeof DROPPED];
    return own === undefined && !(DROPPED[words[i - 1] as keyof typeof DROPPED] === true);
  });
  const folder = mkdtempSync(join(tmpdir(), "ncvsd-gpu-reproduce-"));
  try {
    const args = [process.argv[1]!, ...kept, ...more, "--quiet", "--outdir", folder];
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
    if (status !== 0) throw new NcvsdError("BAD_ARGUMENT", `${words.join(" ")} failed: ${lastLine(stderr)}`);
    const made = join(folder, text["ncvsd-gpu:image"]!, basename(file));
    if (!existsSync(made)) throw bad(`the command in ${record} does not make ${basename(file)}.`);
    return decodePng(readFileSync(made), made);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const lastLine = (text: string) =>
  text
    .trim()
    .split("\n")
    .at(-1)!
    .replace(/^ncvsd-gpu: /, "");
