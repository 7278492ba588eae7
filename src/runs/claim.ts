import { createHash } from "node:crypto";
import { linkSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { bad } from "../errors.js";
import { isWriterGone, makeFolders, reason, sweep, temporaryName, WRITER } from "./whole-file.js";

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
  sweepRemovals(dirname(file));
  for (let attempt = 0; !take(file); attempt++) {
    const owner = ownerOf(file);
    if (owner && !isFree(file, owner))
      throw bad(
        `another process is at work on ${path} (process ${owner.split("-")[1]}): wait for it, or choose another --out`,
      );
    if (attempt > 200) throw bad(`${file} can neither be read nor be taken away: remove it`);
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
  try {
    writeFileSync(whole, WRITER, { flag: "wx" });
  } catch (cause) {
    // On a full disk it is there, and empty.
    rmSync(whole, { force: true });
    throw bad(`${file} cannot be written: ${reason(cause)}`, cause);
  }
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

/**
 * Takes away the claim of one that is gone. A look and a removal are two steps, so only the one that holds a claim on this very
 * removal may take them: without it, one that looked long ago would remove the claim of one that has been quicker.
 * @param owner as `ownerOf` told it; undefined: there was none, and nothing is done
 */
function takeAway(file: string, owner: string | undefined): void {
  if (owner === undefined) return;
  const removal = join(dirname(file), `.${hash(`${basename(file)} ${owner}`)}.ncvsd-claim`);
  if (!take(removal)) {
    const remover = ownerOf(removal);
    if (remover !== undefined && isFree(removal, remover)) takeAway(removal, remover);
    else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    return;
  }
  try {
    if (ownerOf(file) === owner) rmSync(file);
  } finally {
    rmSync(removal, { force: true });
  }
}

/**
 * Takes away the claims on removals that were left by processes killed within the removal: of those that are gone, and by the same
 * protocol, so that no living one is among them.
 */
function sweepRemovals(dir: string): void {
  try {
    for (const name of readdirSync(dir)) {
      if (!REMOVAL.test(name)) continue;
      const removal = join(dir, name);
      const remover = ownerOf(removal);
      if (remover !== undefined && isGivenUp(removal, remover)) takeAway(removal, remover);
    }
  } catch {
    // A folder that cannot be listed, or one that is not ours to remove from: it disturbs nobody.
  }
}

const REMOVAL = /^\.[0-9a-f]{24}\.ncvsd-claim$/;
const hash = (text: string) => createHash("sha256").update(text).digest("hex").slice(0, 24);

/** undefined: there is none; "": it is empty. */
function ownerOf(file: string): string | undefined {
  try {
    return readFileSync(file, "latin1").slice(0, 100);
  } catch {
    return undefined;
  }
}

/** This process may take it away: it is its own, nobody's, or of one that is gone. */
const isFree = (file: string, owner: string) => owner === WRITER || owner === "" || isGivenUp(file, owner);

function isGivenUp(file: string, owner: string): boolean {
  const gone = isWriterGone(owner);
  if (gone !== undefined) return gone;
  try {
    return Date.now() - statSync(file).mtimeMs > GIVEN_UP_MS;
  } catch {
    return true;
  }
}
