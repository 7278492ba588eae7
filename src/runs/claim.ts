import { linkSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { bad } from "../errors.js";
import { isWriterGone, makeFolders, sweep, temporaryName, WRITER } from "./whole-file.js";

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
  sweep(dirname(file));
  for (let attempt = 0; !take(file); attempt++) {
    const owner = ownerOf(file);
    if (owner !== undefined && owner !== WRITER && (attempt > 2 || !isGivenUp(file, owner)))
      throw bad(
        `another process is at work on ${path} (process ${owner.split("-")[1]}): wait for it, or choose another --out`,
      );
    if (attempt > 10) throw bad(`${file} can neither be read nor be taken away: remove it`);
    takeAway(file, owner);
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

/** A claim appears with its owner in it: nobody reads one that is half-made. */
function take(file: string): boolean {
  const whole = temporaryName(file);
  writeFileSync(whole, WRITER, { flag: "wx" });
  try {
    linkSync(whole, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
  } finally {
    rmSync(whole, { force: true });
  }
  // The file system has no links.
  try {
    writeFileSync(file, WRITER, { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    return false;
  }
}

/** Takes away the claim of one that is gone; if another process was quicker and it is that one's by now, it is given back. */
function takeAway(file: string, owner: string | undefined): void {
  const aside = temporaryName(file);
  try {
    renameSync(file, aside);
    if (ownerOf(aside) !== owner) linkSync(aside, file);
  } catch {
    // Another process did it, or claims it already.
  }
  rmSync(aside, { force: true, recursive: true });
}

/** undefined: it is gone, or empty. */
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
