import { basename } from "node:path";
import { type Command, Option } from "commander";
import { shapeText } from "../../data/inputs.js";
import { bad, counted, NcvsdError } from "../../errors.js";
import { MOST_IMAGES } from "../../evaluate/check.js";
import type { Detector } from "../../evaluate/detector.js";
import { RANDOM_CLASSES } from "../../evaluate/evaluation.js";
import { imageOf } from "../../evaluate/feature-rows.js";
import type { FeatureRun } from "../../evaluate/feature-run.js";
import { fewSamples } from "../../evaluate/frechet.js";
import type { Gpu } from "../../gpu/device.js";
import { planarFromImages, type RawImage, toByte } from "../../image/pixels.js";
import type { Model } from "../../networks/edm2/model.js";
import type { FeatureInput } from "../../networks/features/load.js";
import type { ImageShape } from "../../networks/session.js";
import { MAX_SEED, parseInteger } from "../../runs/args.js";
import { BatchSize } from "../../runs/batch-size.js";
import { FeatureLog, outOfShard } from "../../runs/feature-log.js";
import { evaluationsPerImage, type GenerateTask, generate, readImages, sampleBatch } from "../../runs/generate.js";
import { labelsForSeeds } from "../../runs/labels.js";
import { decidingOptions, type OptionValue, runKey } from "../../runs/origin.js";
import { bundledCheckpoint, bundledReference, version } from "../../runs/package.js";
import { deviceOptions } from "../../runs/run-record.js";
import { chooseShard, SHARD_HELP, type Shard, shardRange } from "../../runs/shard.js";
import { Stopwatch } from "../../runs/stopwatch.js";
import { warn } from "../../runs/terminal.js";
import { writeAtomic } from "../../runs/whole-file.js";
import {
  ADAPTER_HELP,
  type EngineOptions,
  loadNetwork,
  openEngine,
  PRECISION_HELP,
  TENSOR_CORES,
  TENSOR_CORES_HELP,
} from "../parts/engine.js";
import { NET_HELP } from "../parts/published.js";
import { addSamplerOptions, chooseSampler, type SamplerFlags } from "../parts/sampler.js";
import { openPictures, type Pictures, VAE_HELP } from "../parts/vae.js";
import { addDetectorOptions, type DetectorFlags, featuresKey, openDetectors } from "./detectors.js";
import { measureAll } from "./measure.js";
import { addBatchOption, openReferences, REF_HELP } from "./options.js";
import { describeResult, makeResult, tellShard } from "./result.js";

interface FdFlags extends EngineOptions, DetectorFlags, SamplerFlags {
  net?: string;
  n: number;
  seed: number;
  ref?: string;
  vae?: string;
  classes: "balanced" | "random";
  batch: number;
  shard?: string | true;
  out?: string;
  outdir?: string;
  checkpointEvery: number;
  force?: boolean;
  json?: boolean;
  quiet?: boolean;
}

export function registerEvaluateFd(evaluate: Command): Command {
  const integer = (name: string, min: number, max: number) => (t: string) => parseInteger(t, name, { min, max });
  const command = evaluate
    .command("fd")
    .summary("Frechet distance of a checkpoint's images to reference statistics")
    .description(
      "Generates images with balanced classes (class = seed modulo the number of classes), rounds them to 8 bits, extracts features " +
        "and reports the Frechet distance to reference statistics: of the bundled data by a small network, or FID and FD-DINOv2 by the " +
        "files of --inception and --dinov2. Images are not stored unless --outdir asks for them.",
    )
    .option("--net <file>", NET_HELP)
    .addOption(new Option("--n <images>", "images to generate").argParser(integer("--n", 2, MOST_IMAGES)).default(5000))
    .addOption(new Option("--seed <s>", "seed of the first one").argParser(integer("--seed", 0, MAX_SEED)).default(0))
    .option("--ref <file>", REF_HELP)
    .option("--vae <file>", VAE_HELP)
    .addOption(
      new Option("--classes <rule>", "which class an image has: all in turn, or drawn for each as the reference does")
        .choices(["balanced", "random"])
        .default("balanced"),
    );
  addDetectorOptions(command);
  addBatchOption(command, "images", 16)
    .option(
      "--out <file>",
      "where the result goes (JSON); the features go beside it, and a killed run goes on from them",
    )
    .option("--shard [i/n]", SHARD_HELP)
    .addOption(
      new Option("--checkpoint-every <k>", "images after which features are written")
        .argParser(integer("--checkpoint-every", 1, 1_000_000))
        .default(500),
    )
    .option("--outdir <dir>", "also keep the images there, as `sample` writes them")
    .option("--force", "begin anew, whatever is there")
    .addOption(new Option("--precision <type>", PRECISION_HELP).default("f32"))
    .addOption(new Option("--tensor-cores <when>", TENSOR_CORES_HELP).choices(TENSOR_CORES))
    .option("--adapter <name>", ADAPTER_HELP)
    .option("--json", "print one JSON object on stdout")
    .option("--quiet", "no progress")
    .option("--verbose", "say more: times of the start-up, the node of a failure, stacks of errors");
  return addSamplerOptions(command)
    .addHelpText(
      "after",
      [
        "",
        "Examples:",
        "  ncvsd-gpu evaluate fd --ts 0,16 --n 5000 --out fd.json",
        "  ncvsd-gpu evaluate fd --net edm2-img64-s.pkl --n 50000 --ref img64.pkl \\",
        "    --inception inception-2015-12-05.pkl --dinov2 dinov2_vitl14_pretrain.pth",
        "  ncvsd-gpu evaluate fd --ts 0,16 --n 50000 --shard 1/4 --out fd.json",
        "  (then 2/4, 3/4, 4/4, on other machines if you like)",
        "  ncvsd-gpu evaluate merge fd-*-of-4.features.safetensors --out fd.json",
        "Four adapters in one machine, one process each (their numbers: see doctor):",
        "  seq 0 3 | parallel -j 4 ncvsd-gpu evaluate fd --n 50000 --shard auto/4 \\",
        "    --adapter {} --out fd.json",
      ].join("\n"),
    )
    .action(async (flags: FdFlags) => {
      const shard = chooseShard(flags.shard) ?? { index: 1, count: 1 };
      if (shard.count > 1 && flags.out === undefined)
        throw new NcvsdError("BAD_ARGUMENT", "--shard writes features to be merged: say where with --out.");
      const watch = new Stopwatch();
      const gpu = await openEngine({ ...flags, tuning: false }, watch);
      try {
        await runFd(gpu, flags, shard, watch);
      } finally {
        gpu.close();
      }
    });
}

async function runFd(gpu: Gpu, flags: FdFlags, shard: Shard, watch: Stopwatch): Promise<void> {
  const silent = Boolean(flags.quiet || flags.json);
  const say = (line: string) => void (silent || process.stderr.write(`${line}\n`));
  const opened = await openDetectors(gpu, flags, { silent, say });
  if (flags.ref === undefined && opened.some(({ source }) => source.metric !== undefined))
    throw bad("name the reference statistics of the data with --ref (docs/metrics.md says where they are published)");
  const found = await openReferences(
    flags.ref ?? bundledReference,
    opened.map(({ source }) => source),
    { ...flags, say, silent },
  );
  const detectors = opened.filter((_, k) => found[k]);
  const references = found.filter((reference) => reference !== undefined);
  for (const { source } of detectors) {
    const few = fewSamples(flags.n, source, `--n ${flags.n}`);
    if (few !== undefined) warn(few);
  }
  if (flags.seed + flags.n - 1 > MAX_SEED)
    throw bad(`--seed ${flags.seed} and --n ${flags.n} go past the largest seed, ${MAX_SEED}.`);
  const range = shardRange(flags.n, shard);
  if (range.start === range.end)
    throw bad(`--shard ${shard.index}/${shard.count} of ${flags.n} images is empty: use fewer shards.`);
  const model = await loadNetwork(gpu, flags.net ?? bundledCheckpoint, watch, silent);
  const pictures = await openPictures(gpu, model, flags);
  requireInput(model, pictures.shape, detectors);
  const chosen = await chooseSampler(gpu, model, flags, watch, silent);
  const task = await taskOf(gpu, model, flags, chosen, pictures, range);
  const run = runOf(flags, task, detectors);
  const out = flags.out === undefined ? undefined : outOfShard(flags.out, shard);
  const log = await FeatureLog.open(run, shard, range, {
    every: flags.checkpointEvery,
    force: flags.force ?? false,
    ...(out === undefined ? {} : { out }),
  });
  const part = shard.count > 1 ? `shard ${shard.index}/${shard.count}, ` : "";
  const kept = log.next - range.start;
  say(
    `${gpu.info.name}: ${basename(model.checkpoint.name)}, ${part}${counted(range.end - range.start, "image")}, ${counted(run.evaluationsPerImage, "evaluation")} each`,
  );
  if (kept > 0) say(`going on after ${counted(kept, "image")} whose features are there (--force begins anew)`);
  if (flags.outdir !== undefined) await generate({ ...task, outdir: flags.outdir });

  const steady = await measureAll(log, {
    gpu,
    run,
    detectors,
    range,
    batch: flags.batch,
    async images(start, end) {
      const seeds = task.seeds.slice(start - range.start, end - range.start);
      const labels = task.labels?.slice(start - range.start, end - range.start);
      return { ...(await picturesOf(task, seeds, labels)), labels };
    },
    ahead: false,
    nameOf: (i) => imageOf(run, i),
    silent,
    label: "evaluating",
    continued: out === undefined ? "with --out it could be continued" : "the same command goes on from there",
  });
  const rows = await log.finish();
  if (shard.count > 1) {
    tellShard({ out: out!, all: flags.out!, shard, images: range.end - range.start, seconds: rows.seconds, flags });
    return;
  }
  const result = makeResult(run, rows, references, { shards: 1, ...steady });
  if (out !== undefined) writeAtomic(out, `${JSON.stringify(result, null, 2)}\n`);
  process.stdout.write(`${flags.json ? JSON.stringify(result) : describeResult(result)}\n`);
  if (flags.verbose) say(`times: ${watch}`);
}

function requireInput(model: Model, shape: ImageShape, detectors: readonly Detector[]): void {
  for (const { source, input } of detectors) {
    if (input === undefined || shape.join() === input.join()) continue;
    throw bad(
      `${model.checkpoint.name} makes images of ${shapeText(shape)}, but the feature network ${source.name} takes ${shapeText(input)}: name another with --features.`,
    );
  }
}

async function taskOf(
  gpu: Gpu,
  model: Model,
  flags: FdFlags,
  { sampler, deciding }: Awaited<ReturnType<typeof chooseSampler>>,
  { pictures, vaeSha256 }: Pictures,
  { start, end }: { start: number; end: number },
): Promise<GenerateTask> {
  const classes = model.config.label_dim;
  const seeds = Array.from({ length: end - start }, (_, i) => flags.seed + start + i);
  const random = flags.classes === "random";
  const rule = classes === 0 ? null : random ? RANDOM_CLASSES : `seed modulo ${classes}`;
  const every = random ? undefined : Array.from({ length: classes }, (_, c) => c);
  return {
    model,
    seeds,
    labels: labelsForSeeds(seeds, classes, every),
    options: {
      ...deciding,
      class: rule,
      ...deviceOptions(gpu),
      ...(vaeSha256 === undefined ? {} : { vae: vaeSha256 }),
    },
    ...(pictures ? { pictures } : {}),
    sampler,
    checkpointSha256: await model.checkpoint.sha256(),
    batch: new BatchSize(flags.batch, true),
    outdir: flags.outdir ?? "",
    command: ["ncvsd-gpu", ...process.argv.slice(2)],
    silent: Boolean(flags.quiet || flags.json),
    debug: flags.verbose ?? false,
  };
}

function runOf(flags: FdFlags, task: GenerateTask, detectors: readonly Detector[]): FeatureRun {
  const { model } = task;
  const options = decidingOptions(task.options) as { readonly [key: string]: OptionValue };
  return {
    key: runKey({ ...task.options, features: featuresKey(detectors) }, task.checkpointSha256),
    n: flags.n,
    firstSeed: flags.seed,
    checkpoint: { name: model.checkpoint.name, sha256: task.checkpointSha256, architecture: model.architecture },
    options,
    evaluationsPerImage: evaluationsPerImage(task.sampler),
    networks: detectors.map(({ source }) => source),
    classes: model.config.label_dim,
    ...(model.labels ? { classNames: model.labels } : {}),
    adapter: model.gpu.info.name,
    version,
  };
}

/** The images of these seeds as 8-bit pictures, rounded as their files are. */
async function picturesOf(
  task: GenerateTask,
  seeds: readonly number[],
  labels: readonly number[] | undefined,
): Promise<FeatureInput> {
  if (task.outdir !== "") return planar(readImages(task.outdir, seeds));
  const { images, shape } = await sampleBatch(task, seeds, labels, () => {});
  if (task.pictures) return planar(await task.pictures(images, shape));
  const size = images.length / seeds.length;
  const bytes = Uint8Array.from(images, (v, i) => {
    if (Number.isFinite(v)) return toByte(v);
    throw new NcvsdError(
      "NOT_FINITE",
      `The image of seed ${seeds[Math.floor(i / size)]} has a value that is ${v}: check the checkpoint, or use f32.`,
    );
  });
  return { images: bytes, shape };
}

function planar(images: readonly RawImage[]): FeatureInput {
  const { bytes, shape } = planarFromImages(images);
  return { images: bytes, shape };
}
