import { type Command, Option } from "commander";
import { shapeText } from "../../data/inputs.js";
import { NcvsdError } from "../../errors.js";
import { MOST_IMAGES } from "../../evaluate/check.js";
import type { FeatureRun } from "../../evaluate/feature-run.js";
import { fewSamples } from "../../evaluate/frechet.js";
import type { MemoryUse } from "../../evaluate/result.js";
import { checkFinite } from "../../evaluate/statistics.js";
import type { Gpu } from "../../gpu/device.js";
import { fromByte, toByte, valuesFromImages } from "../../image/pixels.js";
import type { Model } from "../../networks/edm2/model.js";
import { FeatureExtractor } from "../../networks/features/extractor.js";
import { MAX_SEED, parseInteger } from "../../runs/args.js";
import { FeatureLog, featuresName, outOfShard, withoutEnding } from "../../runs/feature-log.js";
import { evaluationsPerImage, type GenerateTask, generate, readImages, sampleBatch } from "../../runs/generate.js";
import { onInterrupt } from "../../runs/interrupt.js";
import { decidingOptions, type OptionValue, runKey } from "../../runs/origin.js";
import { bundledCheckpoint, bundledFeatures, bundledReference, version } from "../../runs/package.js";
import { createProgress, tell } from "../../runs/progress.js";
import { chooseShard, SHARD_HELP, type Shard, shardRange } from "../../runs/shard.js";
import { Stopwatch } from "../../runs/stopwatch.js";
import { writeAtomic } from "../../runs/whole-file.js";
import { ADAPTER_HELP, type EngineOptions, loadNetwork, openEngine, PRECISION_HELP } from "../parts/engine.js";
import { NET_HELP } from "../parts/published.js";
import { addSamplerOptions, chooseSampler, type SamplerFlags } from "../parts/sampler.js";
import { addBatchOption, openReference } from "./options.js";
import { describeResult, makeResult } from "./result.js";

interface FdFlags extends EngineOptions, SamplerFlags {
  net?: string;
  n: number;
  seed: number;
  ref?: string;
  features?: string;
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
        "and reports the Frechet distance to reference statistics. Images are not stored unless --outdir asks for them.",
    )
    .option("--net <file>", NET_HELP)
    .addOption(new Option("--n <images>", "images to generate").argParser(integer("--n", 2, MOST_IMAGES)).default(5000))
    .addOption(new Option("--seed <s>", "seed of the first one").argParser(integer("--seed", 0, MAX_SEED)).default(0))
    .option("--ref <file>", "reference statistics, .safetensors or .npz (default: those of the bundled data)")
    .option("--features <file>", "the feature network (default: the bundled fashion32-features)");
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
  const warn = (line: string | undefined) => line !== undefined && tell(line);
  const extractor = await FeatureExtractor.open(gpu, flags.features ?? bundledFeatures);
  const reference = await openReference(flags.ref ?? bundledReference, extractor.source, say);
  warn(fewSamples(flags.n, extractor.source.dim, `--n ${flags.n}`));
  if (flags.seed + flags.n - 1 > MAX_SEED)
    throw new NcvsdError(
      "BAD_ARGUMENT",
      `--seed ${flags.seed} and --n ${flags.n} go past the largest seed, ${MAX_SEED}.`,
    );
  const range = shardRange(flags.n, shard);
  if (range.start === range.end)
    throw new NcvsdError(
      "BAD_ARGUMENT",
      `--shard ${shard.index}/${shard.count} of ${flags.n} images is empty: use fewer shards.`,
    );
  const model = await loadNetwork(gpu, flags.net ?? bundledCheckpoint, watch, silent);
  requireInput(model, extractor);
  const { sampler, deciding } = await chooseSampler(gpu, model, flags, watch, silent);
  const task = await taskOf(gpu, model, flags, { sampler, deciding }, range);
  const run = runOf(flags, task, extractor);
  const out = flags.out === undefined ? undefined : outOfShard(flags.out, shard);
  const log = await FeatureLog.open(run, shard, range, {
    every: flags.checkpointEvery,
    force: flags.force ?? false,
    ...(out === undefined ? {} : { out }),
  });
  const part = shard.count > 1 ? `shard ${shard.index}/${shard.count}, ` : "";
  const kept = log.next - range.start;
  say(
    `${gpu.info.name}: ${model.checkpoint.name}, ${part}${range.end - range.start} images, ${run.evaluationsPerImage} evaluations each`,
  );
  if (kept > 0) say(`going on after ${kept} images whose features are there (--force begins anew)`);
  if (flags.outdir !== undefined) await generate({ ...task, outdir: flags.outdir });

  const steady = await fillLog(log, task, extractor, { range, silent, out, firstSeed: flags.seed });
  const rows = await log.finish();
  if (shard.count > 1) {
    const file = featuresName(out!);
    const images = range.end - range.start;
    if (flags.json)
      process.stdout.write(`${JSON.stringify({ kind: "shard", file, shard, images, seconds: rows.seconds })}\n`);
    else process.stdout.write(`${file}\n`);
    const all = `${withoutEnding(flags.out!)}-*-of-${shard.count}.features.safetensors`;
    say(`when all shards are done: ncvsd-gpu evaluate merge ${all} --out ${flags.out}`);
    return;
  }
  const result = makeResult(run, rows, reference, { shards: 1, ...steady });
  if (out !== undefined) writeAtomic(out, `${JSON.stringify(result, null, 2)}\n`);
  process.stdout.write(`${flags.json ? JSON.stringify(result) : describeResult(result)}\n`);
  if (flags.verbose) say(`times: ${watch}`);
}

function requireInput(model: Model, extractor: FeatureExtractor): void {
  if (model.shape.join() === extractor.input.join()) return;
  throw new NcvsdError(
    "BAD_ARGUMENT",
    `${model.checkpoint.name} makes images of ${shapeText(model.shape)}, but the feature network ${extractor.source.name} takes ${shapeText(extractor.input)}: name another with --features.`,
  );
}

async function taskOf(
  gpu: Gpu,
  model: Model,
  flags: FdFlags,
  { sampler, deciding }: Awaited<ReturnType<typeof chooseSampler>>,
  { start, end }: { start: number; end: number },
): Promise<GenerateTask> {
  const classes = model.config.label_dim;
  const seeds = Array.from({ length: end - start }, (_, i) => flags.seed + start + i);
  const rule = classes > 0 ? `seed modulo ${classes}` : null;
  return {
    model,
    seeds,
    labels: classes > 0 ? seeds.map((seed) => seed % classes) : undefined,
    options: { ...deciding, class: rule, precision: gpu.precision },
    sampler,
    checkpointSha256: await model.checkpoint.sha256(),
    batch: flags.batch,
    outdir: flags.outdir ?? "",
    command: ["ncvsd-gpu", ...process.argv.slice(2)],
    silent: Boolean(flags.quiet || flags.json),
    debug: flags.verbose ?? false,
  };
}

function runOf(flags: FdFlags, task: GenerateTask, extractor: FeatureExtractor): FeatureRun {
  const { model } = task;
  const options = decidingOptions(task.options) as { readonly [key: string]: OptionValue };
  return {
    key: runKey({ ...task.options, features: extractor.source.sha256 }, task.checkpointSha256),
    n: flags.n,
    firstSeed: flags.seed,
    checkpoint: { name: model.checkpoint.name, sha256: task.checkpointSha256, architecture: model.architecture },
    options,
    evaluationsPerImage: evaluationsPerImage(task.sampler),
    network: extractor.source,
    classes: model.config.label_dim,
    ...(model.labels ? { classNames: model.labels } : {}),
    adapter: model.gpu.info.name,
    version,
  };
}

/** Makes the images that are missing, batch by batch, and keeps only their features. */
async function fillLog(
  log: FeatureLog,
  task: GenerateTask,
  extractor: FeatureExtractor,
  {
    range,
    silent,
    out,
    firstSeed,
  }: { range: { start: number; end: number }; silent: boolean; out: string | undefined; firstSeed: number },
): Promise<{ imagesPerSecond?: number | undefined; memory?: readonly MemoryUse[] }> {
  const { gpu } = task.model;
  const classifies = extractor.architecture.classes === task.model.config.label_dim;
  const from = log.next;
  const total = range.end - from;
  const progress = createProgress({ total, silent: silent || total === 0, label: "evaluating" });
  const unregister = onInterrupt(() => {
    progress.stop();
    log.flush();
    const how = out === undefined ? "with --out it could be continued" : "the same command goes on from there";
    process.stderr.write(`Stopped after ${log.next - range.start} of ${range.end - range.start} images; ${how}.\n`);
  });
  const memory: MemoryUse[] = [];
  const measure = () =>
    memory.push({ images: log.next - from, rssBytes: process.memoryUsage.rss(), gpuBytes: gpu.allocatedBytes });
  let steadySince: number | undefined;
  let steadyFrom = from;
  try {
    log.startClock();
    while (log.next < range.end) {
      const at = log.next;
      const end = Math.min(at + task.batch, range.end);
      const seeds = task.seeds.slice(at - range.start, end - range.start);
      const labels = task.labels?.slice(at - range.start, end - range.start);
      const values = await imagesOf(task, seeds, labels);
      const { features, predictions } = await extractor.extract(values);
      checkFinite(features, extractor.source.dim, (i) => `seed ${firstSeed + at + i}`);
      const none = new Int32Array(seeds.length).fill(-1);
      log.append({
        features,
        labels: labels ? Int32Array.from(labels) : none,
        predictions: classifies && predictions ? predictions : none,
      });
      progress.update(log.next - from);
      if (steadySince === undefined) {
        steadySince = performance.now();
        steadyFrom = log.next;
      }
      if (memory.length === 0 && log.next - from >= Math.min(1000, total)) measure();
      // Signals are delivered between the batches.
      await new Promise((resolve) => setImmediate(resolve));
    }
  } catch (error) {
    log.flush();
    throw error;
  } finally {
    progress.stop();
    unregister();
  }
  if (total === 0) return {};
  measure();
  const steady = range.end - steadyFrom;
  const seconds = (performance.now() - steadySince!) / 1000;
  return { memory, ...(steady > 0 ? { imagesPerSecond: steady / seconds } : {}) };
}

/** The images of these seeds, [N, C, H, W] in [-1, 1], rounded to 8 bits as their files are. */
async function imagesOf(
  task: GenerateTask,
  seeds: readonly number[],
  labels: readonly number[] | undefined,
): Promise<Float32Array> {
  if (task.outdir !== "") return valuesFromImages(readImages(task.outdir, seeds)).values;
  const { images } = await sampleBatch(task, seeds, labels, () => {});
  const size = images.length / seeds.length;
  return images.map((v, i) => {
    if (Number.isFinite(v)) return fromByte(toByte(v));
    throw new NcvsdError(
      "NOT_FINITE",
      `The image of seed ${seeds[Math.floor(i / size)]} has a value that is ${v}: check the checkpoint, or use f32.`,
    );
  });
}
