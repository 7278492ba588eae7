import { existsSync, readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { NcvsdError } from "../errors.js";
import type { Gpu } from "../gpu/device.js";
import { matricesRecord } from "../gpu/matrices.js";
import { formatSeeds } from "./args.js";
import { decidingOptions, type Options, type OptionValue, runKey } from "./origin.js";
import { imageName } from "./output.js";
import { writeAtomic } from "./whole-file.js";

const FORMAT = 1;
const FILE = "run.json";

/** Choices of a tuner that a run used: the name of their file and how many it has. */
export interface TuningRecord {
  file: string | null;
  choices: number;
}

/** The tuned choices in use, for records: the file's name and how many it has. */
export function tuningRecord(gpu: Gpu): TuningRecord | null {
  const { tuning } = gpu;
  return tuning ? { file: tuning.file === null ? null : basename(tuning.file), choices: tuning.choices.size } : null;
}

/** What decides pictures of the device they are made on, for a run's options: its precision, and the matrix units in use. */
export function deviceOptions({ caps }: Pick<Gpu, "caps">): Options {
  return { precision: caps.precision, ...matricesRecord(caps) };
}

/** What a run is; with a seed, enough to repeat it. */
export interface RunInfo {
  version: string;
  /** The command line, program name first. */
  command: readonly string[];
  options: Options;
  checkpoint: { name: string; sha256: string; architecture?: string };
  adapter: string;
  seeds: readonly number[];
  subdirs?: boolean;
  /** null: the cost models chose. */
  tuning?: TuningRecord | null;
}

/** The label of an image: absent fields for an unconditional network. */
export interface ImageLabel {
  class?: number;
  className?: string;
}

interface ImageEntry extends ImageLabel {
  file: string;
  /** Key into `settings`. */
  settings: string;
}

/** `run.json`. */
export interface RunFile {
  tool: "ncvsd-gpu";
  format: number;
  /** By run key: the options and the checkpoint that decide images. */
  settings: Record<string, { options: OptionValue; checkpoint: RunInfo["checkpoint"] }>;
  /** Runs that made images in this folder, oldest first. */
  runs: {
    date: string;
    version: string;
    command: readonly string[];
    adapter: string;
    /** null: the cost models chose. */
    tuning?: TuningRecord | null;
    settings: string;
    seeds: string;
    made: number;
    kept: number;
    /** Every seed of the run was made or kept: it was not interrupted. */
    complete: boolean;
    timings: Record<string, number>;
  }[];
  /** By seed: the image that lies in the folder now. */
  images: Record<string, ImageEntry>;
}

/**
 * The record of a folder's images, `run.json`. Repeating or extending a run in the same folder merges: `images` has every image
 * that lies there, each with the settings it was made with (a seed made again replaces its entry, an image deleted since loses
 * its own); `runs` grows by one entry for every run that made something; a run that found everything done adds none.
 */
export class RunRecord {
  readonly path: string;
  /** The run key of this run's options and checkpoint. */
  readonly key: string;
  private readonly images = new Map<number, ImageEntry>();
  private made = 0;

  private constructor(
    private readonly dir: string,
    private readonly info: RunInfo,
  ) {
    this.path = join(dir, FILE);
    this.key = runKey(info.options, info.checkpoint.sha256);
  }

  /**
   * Begins a run's record; writes nothing yet.
   * @param force begin the file anew where it is not one of ours
   * @throws NcvsdError BAD_ARGUMENT when a `run.json` is there that is not one of ours or of a newer format
   */
  static open(dir: string, info: RunInfo, { force = false } = {}): RunRecord {
    const record = new RunRecord(dir, info);
    if (!force) readRunFile(record.path);
    return record;
  }

  /** Notes an image just written. */
  addMade(seed: number, label: ImageLabel = {}): void {
    this.made++;
    this.addKept(seed, label);
  }

  /** Notes an image found from an earlier run of the same options. */
  addKept(seed: number, label: ImageLabel = {}): void {
    this.images.set(seed, { file: imageName(seed, this.info.subdirs), ...label, settings: this.key });
  }

  /**
   * Merges this run into the file as it is now (another run may have written it meanwhile). Call it once, at the end of the
   * run however it ends (also from a signal handler: it is synchronous).
   * @param timings seconds, by name
   */
  write(timings: Record<string, number>, date = new Date()): void {
    const { info, images, made } = this;
    const file = readRunFile(this.path, "begin anew");
    for (const [seed, entry] of images) file.images[seed] = entry;
    for (const [seed, { file: name }] of Object.entries(file.images)) {
      if (!existsSync(join(this.dir, name))) delete file.images[seed];
    }
    if (images.size > 0) {
      file.settings[this.key] = { options: decidingOptions(info.options), checkpoint: info.checkpoint };
    }
    if (made > 0) {
      file.runs.push({
        date: date.toISOString(),
        version: info.version,
        command: info.command,
        adapter: info.adapter,
        ...(info.tuning === undefined ? {} : { tuning: info.tuning }),
        settings: this.key,
        seeds: formatSeeds(info.seeds),
        made,
        kept: images.size - made,
        complete: info.seeds.every((seed) => images.has(seed)),
        timings,
      });
    }
    writeAtomic(this.path, render(file));
  }
}

/** JSON to read: settings and runs indented, one line an image. */
function render(file: RunFile): string {
  const { images, ...rest } = file;
  const head = JSON.stringify(rest, null, 2).slice(0, -2);
  const lines = Object.entries(images).map(([seed, entry]) => `    "${seed}": ${JSON.stringify(entry)}`);
  return `${head},\n  "images": {${lines.length ? `\n${lines.join(",\n")}\n  ` : ""}}\n}\n`;
}

/** A name as `imageName` makes it: nothing in a record leads out of its folder. */
function isImageEntry(seed: string, entry: unknown): entry is ImageEntry {
  if (typeof entry !== "object" || entry === null) return false;
  const { file, settings } = entry as Partial<ImageEntry>;
  if (typeof file !== "string" || typeof settings !== "string" || !/^\d{1,10}$/.test(seed)) return false;
  return [false, true].some((subdirs) => imageName(Number(seed), subdirs) === file.replaceAll("\\", "/"));
}

function readRunFile(path: string, otherwise: "refuse" | "begin anew" = "refuse"): RunFile {
  const fresh: RunFile = { tool: "ncvsd-gpu", format: FORMAT, settings: {}, runs: [], images: {} };
  // A file system may leave an empty file behind a crash.
  if (!existsSync(path) || statSync(path).size === 0) return fresh;
  let file: Partial<RunFile> | undefined;
  try {
    file = JSON.parse(readFileSync(path, "utf8")) as Partial<RunFile>;
  } catch {
    file = undefined;
  }
  const isMap = (value: unknown) => typeof value === "object" && value !== null && !Array.isArray(value);
  const ours = isMap(file) && file?.tool === "ncvsd-gpu";
  if (ours && file?.format === FORMAT && isMap(file.settings) && isMap(file.images) && Array.isArray(file.runs)) {
    const { settings, images, runs } = file as RunFile;
    // What is no entry is dropped, as if it had never been noted.
    return {
      ...fresh,
      settings: Object.fromEntries(Object.entries(settings).filter(([, entry]) => isMap(entry))),
      runs: runs.filter(isMap),
      images: Object.fromEntries(Object.entries(images).filter(([seed, entry]) => isImageEntry(seed, entry))),
    };
  }
  if (otherwise === "begin anew") return fresh;
  const newer = ours && typeof file?.format === "number" && file.format > FORMAT;
  throw new NcvsdError(
    "BAD_ARGUMENT",
    `${path} is there and ${newer ? "was written by a newer ncvsd-gpu" : "is no record of ncvsd-gpu"}: move it away, choose another folder, or overwrite it with --force`,
  );
}
