import { type Command, Option } from "commander";
import type { ValueRange } from "../../data/arrays.js";
import { shapeText } from "../../data/inputs.js";
import { openPictureSet, type PictureSet, requireShape } from "../../data/picture-set.js";
import { bad, counted } from "../../errors.js";
import { MOST_IMAGES } from "../../evaluate/check.js";
import type { Detector } from "../../evaluate/detector.js";
import { type FeatureRows, imageOf, PICTURES } from "../../evaluate/feature-rows.js";
import type { FeatureRun } from "../../evaluate/feature-run.js";
import { fewSamples } from "../../evaluate/frechet.js";
import { selection } from "../../evaluate/selection.js";
import type { Gpu } from "../../gpu/device.js";
import { planarFromImages } from "../../image/pixels.js";
import { MAX_SEED, parseInteger, parseRange, RANGE_HELP } from "../../runs/args.js";
import { FeatureLog, outOfShard } from "../../runs/feature-log.js";
import { runKey } from "../../runs/origin.js";
import { version } from "../../runs/package.js";
import { tell } from "../../runs/progress.js";
import { chooseShard, SHARD_HELP, type Shard, shardRange } from "../../runs/shard.js";
import { warn } from "../../runs/terminal.js";
import { ADAPTER_HELP, type EngineOptions } from "../parts/engine.js";
import { addDetectorOptions, type DetectorFlags, featuresKey } from "./detectors.js";
import { type Measured, measureAll } from "./measure.js";
import { addBatchOption } from "./options.js";

/** Options of commands that measure pictures of files. */
export interface FilesFlags extends EngineOptions, DetectorFlags {
  readonly num?: number;
  readonly seed: number;
  readonly batch: number;
  readonly shard?: string | true;
  readonly checkpointEvery: number;
  readonly range?: ValueRange;
  readonly force?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

export const FILES_HELP =
  "a folder (with subfolders) or zip archive of PNG, JPEG or .npy, or a .safetensors, .npy or .npz of them";

export function addFilesOptions(command: Command): Command {
  const integer = (name: string, min: number, max: number) => (t: string) => parseInteger(t, name, { min, max });
  command
    .addOption(
      new Option(
        "--num <n>",
        "pictures to measure, of more a random choice as the reference's (default: all)",
      ).argParser(integer("--num", 2, MOST_IMAGES)),
    )
    .addOption(new Option("--seed <s>", "seed of the choice").argParser(integer("--seed", 0, MAX_SEED)).default(0));
  addDetectorOptions(command);
  return addBatchOption(command, "pictures", 16)
    .option("--shard [i/n]", SHARD_HELP)
    .addOption(
      new Option("--checkpoint-every <k>", "pictures after which what is known of them is written")
        .argParser(integer("--checkpoint-every", 1, 1_000_000))
        .default(500),
    )
    .option("--range <black,white>", RANGE_HELP, (t: string) => parseRange(t))
    .option("--force", "begin anew, and replace a file that is there, whoever made it")
    .option("--adapter <name>", ADAPTER_HELP)
    .option("--json", "print one JSON object on stdout")
    .option("--quiet", "no progress")
    .option("--verbose", "stacks of errors");
}

/** What a command has found out about pictures of files, or about its shard of them. */
export interface FilesMeasured {
  readonly run: FeatureRun;
  readonly rows: FeatureRows;
  readonly steady: Measured;
  readonly shard: Shard;
  readonly images: number;
}

/**
 * Measures the pictures at a place by all detectors in one pass.
 * @param out what the features go beside, and an interrupted run goes on from; absent: nowhere
 */
export async function measureFiles(
  gpu: Gpu,
  detectors: readonly Detector[],
  path: string,
  flags: FilesFlags,
  { out, keep }: { out: string | undefined; keep: boolean },
): Promise<FilesMeasured> {
  const silent = Boolean(flags.quiet || flags.json);
  const say = (line: string) => void (silent || process.stderr.write(`${line}\n`));
  const shard = chooseShard(flags.shard) ?? { index: 1, count: 1 };
  if (shard.count > 1 && out === undefined) throw bad("--shard writes features to be merged: say where with --out.");
  const set = await openPictureSet(path, { range: flags.range, say: tell });
  try {
    const num = flags.num ?? set.count;
    if (set.count < num) throw bad(`${path} has ${set.count} images, fewer than --num ${num}`);
    if (num < 2) throw bad(`${path} has ${num} image: statistics need 2 at least`);
    for (const { source } of detectors) {
      const few = fewSamples(num, source, path);
      if (few !== undefined) warn(few);
    }
    if (num < set.count) say(`${num} of the ${set.count} images of ${path}, chosen by seed ${flags.seed}`);
    const chosen = selection(set.count, num, flags.seed);
    const run = runOf(gpu, detectors, path, set, { num, seed: num < set.count ? flags.seed : 0 });
    const range = shardRange(num, shard);
    if (range.start === range.end)
      throw bad(`--shard ${shard.index}/${shard.count} of ${num} images is empty: use fewer shards.`);
    const place = out === undefined ? undefined : outOfShard(out, shard);
    const log = await FeatureLog.open(run, shard, range, {
      every: flags.checkpointEvery,
      force: flags.force ?? false,
      ...(place === undefined ? {} : { out: place }),
    });
    const kept = log.next - range.start;
    if (kept > 0) say(`going on after ${counted(kept, "image")} measured before (--force begins anew)`);
    const read = batchReader(set, detectors, say);
    const steady = await measureAll(log, {
      gpu,
      run,
      detectors,
      range,
      batch: flags.batch,
      images: (start, end) => read(chosen.subarray(start, end)),
      ahead: true,
      nameOf: (i) => imageOf(run, i),
      silent,
      label: "measuring",
      continued: out === undefined ? "with --out it could be continued" : "the same command goes on from there",
    });
    const rows = await log.finish(keep || shard.count > 1);
    return { run, rows, steady, shard, images: range.end - range.start };
  } finally {
    await set.close();
  }
}

function runOf(
  gpu: Gpu,
  detectors: readonly Detector[],
  path: string,
  set: PictureSet,
  { num, seed }: { num: number; seed: number },
): FeatureRun {
  const options = { sampler: PICTURES, num, seed };
  return {
    key: runKey({ ...options, features: featuresKey(detectors) }, set.sha256),
    n: num,
    firstSeed: 0,
    checkpoint: { name: path, sha256: set.sha256, architecture: PICTURES },
    options,
    evaluationsPerImage: 1,
    networks: detectors.map(({ source }) => source),
    classes: 0,
    adapter: gpu.info.name,
    version,
  };
}

/** Batches of pictures that have one shape in all. */
export function batchReader(set: PictureSet, detectors: readonly Detector[], say: (line: string) => void) {
  let first: { readonly name: string; readonly shape: readonly [number, number, number] } | undefined;
  return async (indices: Iterable<number>) => {
    const images = [];
    for (const i of indices) {
      const { name, image } = await set.read(i);
      const shape = [image.channels, image.height, image.width] as const;
      for (const { source, input } of detectors)
        if (input) requireShape(name, image, input, `the feature network ${source.name}`);
      if (!first) {
        first = { name, shape };
        if (!detectors.some(({ input }) => input)) tellChannels(shape[0], say);
      } else if (first.shape.join() !== shape.join())
        throw bad(
          `${name} is ${shapeText(shape)}, but ${first.name} is ${shapeText(first.shape)}: all must have one size and as many channels`,
        );
      images.push(image);
    }
    const { bytes, shape } = planarFromImages(images);
    return { images: bytes, shape, labels: undefined };
  };
}

function tellChannels(channels: number, say: (line: string) => void): void {
  if (channels === 1) say("the images are grey: repeated to three channels (the reference refuses them)");
  if (channels === 4) say("the images have an alpha channel: it is dropped, as NCVSD's script does");
}
