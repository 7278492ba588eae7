import { existsSync, readdirSync, rmdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { NcvsdError } from "../errors.js";
import { encodeFeatures, readFeatures } from "../evaluate/feature-file.js";
import {
  type FeatureBatch,
  type FeatureRows,
  imageOf,
  joinRows,
  RowGatherer,
  sliceRows,
} from "../evaluate/feature-rows.js";
import type { FeatureRun, FeatureShard } from "../evaluate/feature-run.js";
import { claim } from "./claim.js";
import { sweep, writeAtomic } from "./whole-file.js";

/** `fd.json` of shard 2 of 10 is `fd-02-of-10.json`: an array job's tasks all have the same command line. */
export function outOfShard(out: string, { index, count }: FeatureShard): string {
  if (count === 1) return out;
  const place = String(index).padStart(String(count).length, "0");
  return `${withoutEnding(out)}-${place}-of-${count}.json`;
}

/** Pieces of features in a folder, in their order. */
const piecesIn = (folder: string): string[] =>
  existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => /^\d+\.safetensors$/.test(name))
        .sort()
        .map((name) => join(folder, name))
    : [];

/** A file system may leave an empty file behind a crash: nothing is in it that could be taken over. */
const holdsSomething = (file: string) => existsSync(file) && statSync(file).size > 0;

/** `NAME.features.safetensors` of `NAME.json`. */
export const featuresName = (out: string): string => `${withoutEnding(out)}.features.safetensors`;

export const withoutEnding = (out: string): string => out.replace(/\.(json|features\.safetensors)$/i, "");

/**
 * The features of a run (or of one shard of it) as they come. With a file name they are written every so many images, each
 * piece whole or absent, so that a killed run goes on from the last piece; at the end the pieces become one file.
 */
export class FeatureLog {
  readonly #run: FeatureRun;
  readonly #shard: FeatureShard;
  readonly #path: string | undefined;
  readonly #folder: string | undefined;
  readonly #start: number;
  readonly #end: number;
  readonly #every: number;
  /** Pieces that are written (or kept in memory, without a file name): where they lie, and where they end. */
  readonly #pieces: { readonly end: number; readonly rows: FeatureRows | undefined; readonly file: string }[] = [];
  readonly #gatherer: RowGatherer;
  readonly #dims: readonly number[];
  #since = performance.now();
  #release: () => void = () => {};

  private constructor(
    run: FeatureRun,
    shard: FeatureShard,
    start: number,
    end: number,
    options: { out?: string; every: number },
  ) {
    this.#run = run;
    this.#shard = shard;
    this.#start = start;
    this.#end = end;
    this.#every = options.every;
    this.#dims = run.networks.map(({ dim }) => dim);
    this.#gatherer = new RowGatherer(this.#dims, start);
    if (options.out !== undefined) {
      this.#path = featuresName(options.out);
      this.#folder = `${withoutEnding(options.out)}.features.parts`;
    }
  }

  /**
   * Opens the log of the images `start` up to `end`, and takes over what an earlier run of the same options left.
   * @param options.out the result's file; absent: nothing is kept on disk
   * @param options.every images of a piece
   * @param options.force begin anew
   * @throws BAD_ARGUMENT when features of another run are there (unless `force`), or another process is at work on `out`
   */
  static async open(
    run: FeatureRun,
    shard: FeatureShard,
    range: { readonly start: number; readonly end: number },
    options: { out?: string; every: number; force?: boolean },
  ): Promise<FeatureLog> {
    const log = new FeatureLog(run, shard, range.start, range.end, options);
    if (log.#path !== undefined) log.#release = claim(log.#path);
    if (options.force) log.#discard();
    else await log.#resume();
    return log;
  }

  /** The next image that is missing. */
  get next(): number {
    return this.#gatherer.next;
  }

  /** Adds the next images. */
  append(batch: FeatureBatch): void {
    const first = this.next;
    this.#gatherer.add(batch, (i) => imageOf(this.#run, first + i));
    if (this.#gatherer.fresh >= this.#every || this.next >= this.#end) this.flush();
  }

  /** Starts the clock: time before it (compilation, loading) is not counted. */
  startClock(): void {
    this.#since = performance.now();
  }

  /** Writes what has come since the last piece. Synchronous: an interrupt handler may call it. */
  flush(): void {
    if (this.#gatherer.fresh === 0) return;
    const now = performance.now();
    const rows = this.#gatherer.take((now - this.#since) / 1000);
    this.#since = now;
    const name = `${String(rows.start).padStart(9, "0")}.safetensors`;
    const file = this.#folder === undefined ? "" : join(this.#folder, name);
    if (this.#folder !== undefined) {
      writeAtomic(file, encodeFeatures(rows, this.#run, this.#shard));
    }
    // Rows with moments are of everything so far.
    if (this.#gatherer.cumulative) this.#pieces.length = 0;
    const kept = this.#folder === undefined || this.#gatherer.cumulative;
    this.#pieces.push({ end: rows.end, rows: kept ? rows : undefined, file });
  }

  /**
   * All rows; with a file name they are in it now, and the pieces are gone.
   * @param keep false: what was written is no longer needed, and goes away
   */
  async finish(keep = true): Promise<FeatureRows> {
    this.flush();
    const parts: FeatureRows[] = [];
    for (const { rows, file } of this.#pieces) parts.push(rows ?? (await readFeatures(file)).rows);
    const rows = joinRows(parts, this.#dims);
    if (!keep) this.#discard();
    else if (this.#path !== undefined) {
      writeAtomic(this.#path, encodeFeatures(rows, this.#run, this.#shard));
      this.#discardPieces();
    }
    this.#release();
    return rows;
  }

  #discard(): void {
    if (this.#path !== undefined) rmSync(this.#path, { force: true });
    this.#discardPieces();
  }

  /** Takes the pieces away, and their folder where nobody has put anything else there. */
  #discardPieces(): void {
    if (this.#folder === undefined || !existsSync(this.#folder)) return;
    sweep(this.#folder);
    for (const piece of piecesIn(this.#folder)) rmSync(piece, { force: true });
    try {
      rmdirSync(this.#folder);
    } catch {
      // Something else lies there: it stays.
    }
  }

  async #resume(): Promise<void> {
    if (this.#path === undefined) return;
    const files = [this.#path, ...piecesIn(this.#folder!)].filter(holdsSomething);
    for (const file of files) {
      const found = await readFeatures(file);
      if (found.run.key !== this.#run.key || found.run.firstSeed !== this.#run.firstSeed) {
        throw new NcvsdError(
          "BAD_ARGUMENT",
          `${file} is there and has features of another run (${found.run.checkpoint.name}, ${JSON.stringify(found.run.options)}): choose another --out, or begin anew with --force`,
        );
      }
      const { start, end } = found.rows;
      // A piece that does not follow (of a run with other shards) is of no use here.
      if (start > this.next || end <= this.next) continue;
      if (this.#gatherer.cumulative && (start !== this.#start || end > this.#end)) {
        if (start !== this.#start) continue;
        throw new NcvsdError(
          "BAD_ARGUMENT",
          `${file} is there and has the moments of ${end - start} images, which cannot be cut to ${this.#end - start}: choose another --out, or begin anew with --force`,
        );
      }
      const until = Math.min(end, this.#end);
      const from = this.#gatherer.cumulative ? start : this.next;
      const rows = sliceRows(found.rows, from, until, this.#dims);
      const asIs = from === start && until === end && file !== this.#path && !this.#gatherer.cumulative;
      if (this.#gatherer.cumulative) this.#pieces.length = 0;
      this.#pieces.push({ end: until, rows: asIs ? undefined : rows, file });
      this.#gatherer.continueAfter(rows);
    }
  }
}
