import { closeSync, openSync, readFileSync, rmSync, statSync, utimesSync, writeSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { bad } from "../errors.js";
import { isWriterGone, makeFolders, WRITER } from "./whole-file.js";

/** A claim is renewed this often, and one of another machine counts as given up after this long without. */
const RENEW_MS = 20_000;
const GIVEN_UP_MS = 180_000;

/**
 * Says that this process is at work towards `path`, so that a second one does not write the same pieces: a pod that was thought
 * lost, a line that was repeated. A claim of a process that is gone is taken over.
 * @returns gives the claim back; the end of the process does, too
 * @throws NcvsdError BAD_ARGUMENT while another process is at work
 */
export function claim(path: string): () => void {
  const file = join(dirname(path), `.${basename(path)}.ncvsd-claim`);
  makeFolders(dirname(file));
  for (let attempt = 0; !take(file); attempt++) {
    const owner = ownerOf(file);
    if (owner !== undefined && owner !== WRITER && (attempt > 2 || !isGivenUp(file, owner)))
      throw bad(
        `another process is at work on ${path} (process ${owner.split("-")[1]}): wait for it, or choose another --out`,
      );
    rmSync(file, { force: true });
  }
  const timer = setInterval(() => {
    try {
      utimesSync(file, new Date(), new Date());
    } catch {
      // Somebody took it away: the work goes on, and its files are whole in any case.
    }
  }, RENEW_MS).unref();
  const release = () => {
    clearInterval(timer);
    process.off("exit", release);
    if (ownerOf(file) === WRITER) rmSync(file, { force: true });
  };
  process.on("exit", release);
  return release;
}

function take(file: string): boolean {
  try {
    const fd = openSync(file, "wx");
    writeSync(fd, WRITER);
    closeSync(fd);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    return false;
  }
}

/** undefined: it is gone, or was left empty in the middle of a claim. */
function ownerOf(file: string): string | undefined {
  try {
    return readFileSync(file, "latin1").slice(0, 100) || undefined;
  } catch {
    return undefined;
  }
}

function isGivenUp(file: string, owner: string): boolean {
  const gone = isWriterGone(owner);
  if (gone !== undefined) return gone;
  try {
    return Date.now() - statSync(file).mtimeMs > GIVEN_UP_MS;
  } catch {
    return true;
  }
}
