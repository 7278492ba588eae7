import { basename } from "node:path";
import { type Command, Option } from "commander";
import { counted, NcvsdError } from "../errors.js";
import { grouped, inOrder } from "../figures/arrange.js";
import { checkSheet, type Sheet, sheetFile } from "../figures/sheet.js";
import type { Gpu } from "../gpu/device.js";
import type { RawImage } from "../image/pixels.js";
import type { Model } from "../networks/edm2/model.js";
import { parseInteger, parseSeeds } from "../runs/args.js";
import { evaluationsPerImage, type GenerateTask, generate, readImages } from "../runs/generate.js";
import { className, labelsForSeeds, parseClasses } from "../runs/labels.js";
import { checkOutdir } from "../runs/output.js";
import { bundledCheckpoint, version } from "../runs/package.js";
import { deviceOptions } from "../runs/run-record.js";
import { chooseShard, SHARD_HELP, shardRange } from "../runs/shard.js";
import { Stopwatch } from "../runs/stopwatch.js";
import { writeAtomic } from "../runs/whole-file.js";
import { samplers } from "../sample/samplers.js";
import { DRY_RUN_HELP, dryRun, outline, tellDryRun } from "./parts/dry-run.js";
import {
  ADAPTER_HELP,
  BATCH_HELP,
  batchFor,
  checkNetwork,
  type EngineOptions,
  loadNetwork,
  NO_TUNING_HELP,
  OFFLINE_HELP,
  openEngine,
  PRECISION_HELP,
  SHA256_HELP,
  TENSOR_CORES,
  TENSOR_CORES_HELP,
  tuningLine,
} from "./parts/engine.js";
import { NET_HELP, publishedTable, withPreset } from "./parts/published.js";
import { addSamplerOptions, chooseSampler, type SamplerFlags } from "./parts/sampler.js";
import { checkStepsGrid, writeStepsGrid } from "./parts/steps-grid.js";
import { openPictures, type Pictures, VAE_HELP } from "./parts/vae.js";

interface SampleFlags extends EngineOptions, SamplerFlags {
  net?: string;
  seeds: number[];
  class?: string;
  batch?: number;
  outdir: string;
  subdirs?: boolean;
  grid?: string;
  stepsGrid?: string;
  saveRaw?: string;
  vae?: string;
  shard?: string | true;
  force?: boolean;
  dryRun?: boolean;
  json?: boolean;
  quiet?: boolean;
  preset?: string;
  sha256?: string;
  offline?: boolean;
  gnet?: string;
  guidance?: number;
}

export function registerSample(program: Command): void {
  const command = program
    .command("sample")
    .summary("generate images from a checkpoint")
    .description(
      "Generates images from a checkpoint: an NCVSD network by multi-step generative denoising, an EDM2 teacher by Heun's sampler. " +
        "Images that are there already and belong to the same options are kept.",
    )
    .option("--net <file>", NET_HELP)
    .option("--preset <name>", "a published network with its guide and guidance; `--preset help` lists them")
    .option("--sha256 <sum>", SHA256_HELP)
    .option("--offline", OFFLINE_HELP)
    .addOption(
      new Option("--seeds <list>", "one image per seed")
        .argParser((t) => parseSeeds(t))
        .default(parseSeeds("0-15"), "0-15"),
    )
    .option(
      "--class <list>",
      "class by name or number; several (7,8) or `all` take turns by seed (default: drawn per seed)",
    )
    .option("--outdir <dir>", "where SEED.png and run.json go", "out")
    .option("--subdirs", "a subfolder for every 1000 seeds")
    .option("--grid <file>", "also write all images as one sheet, class by class (PNG, or SVG by its name)")
    .option(
      "--steps-grid <file>",
      "also write the first images after every step: a row each (PNG, or SVG), or moving, where the name ends in .apng",
    )
    .option("--save-raw <file>", "also write the values before rounding to 8 bits (safetensors, tensor `images`)")
    .option("--vae <file>", VAE_HELP)
    .option("--batch <n>", `images ${BATCH_HELP}`, (t: string) => parseInteger(t, "--batch", { min: 1, max: 65536 }))
    .option("--shard [i/n]", SHARD_HELP)
    .option("--force", "make images anew that are there already")
    .option("--dry-run", DRY_RUN_HELP)
    .addOption(new Option("--precision <type>", PRECISION_HELP).default("f32"))
    .addOption(new Option("--tensor-cores <when>", TENSOR_CORES_HELP).choices(TENSOR_CORES))
    .option("--adapter <name>", ADAPTER_HELP)
    .option("--no-tuning", NO_TUNING_HELP)
    .option("--json", "print one JSON object on stdout")
    .option("--quiet", "no progress")
    .option("--verbose", "say more: times of the start-up, the node of a failure, stacks of errors");
  addSamplerOptions(command)
    .addHelpText(
      "after",
      [
        "",
        "Examples:",
        "  ncvsd-gpu sample --ts 0,16 --seeds 0-31 --grid out/grid.png",
        "  ncvsd-gpu sample --class Sneaker --ts 0,4,8,12 --zeta 0.5 --outdir sneakers",
        "  ncvsd-gpu sample --net edm2-img64-s.safetensors --steps 32 --seeds 0-63",
      ].join("\n"),
    )
    .action(async (given: SampleFlags) => {
      const watch = new Stopwatch();
      watch.parts["start of Node"] = performance.now() / 1000;
      if (given.preset === "help") {
        process.stdout.write(`${publishedTable().join("\n")}\n`);
        return;
      }
      const flags = ofShard(withPreset(given));
      checkOutdir(flags.outdir);
      if (!flags.dryRun) await checkNetwork(flags.net ?? bundledCheckpoint, flags, Boolean(flags.quiet || flags.json));
      const gpu = await openEngine(flags, watch);
      try {
        await runSample(gpu, flags, watch);
      } finally {
        gpu.close();
      }
    });
}

/** The options with the seeds of this shard only. */
function ofShard(flags: SampleFlags): SampleFlags {
  const shard = chooseShard(flags.shard);
  if (shard === undefined || shard.count === 1) return flags;
  for (const [name, value] of Object.entries({
    grid: flags.grid,
    "steps-grid": flags.stepsGrid,
    "save-raw": flags.saveRaw,
  })) {
    if (value === undefined) continue;
    const then =
      name === "grid" ? "; the same command with it and without --shard makes it when all shards are done" : "";
    throw new NcvsdError("BAD_ARGUMENT", `--${name} takes all images of a run: leave it out with --shard${then}.`);
  }
  const { start, end } = shardRange(flags.seeds.length, shard);
  if (start === end) {
    const images = counted(flags.seeds.length, "image");
    throw new NcvsdError(
      "BAD_ARGUMENT",
      `--shard ${shard.index}/${shard.count} of ${images} is empty: use fewer shards.`,
    );
  }
  return { ...flags, seeds: flags.seeds.slice(start, end) };
}

async function runSample(gpu: Gpu, flags: SampleFlags, watch: Stopwatch): Promise<void> {
  const silent = Boolean(flags.quiet || flags.json);
  const say = (line: string) => {
    if (!silent) process.stderr.write(`${line}\n`);
  };
  if (flags.dryRun) return drySample(gpu, flags, watch, silent);
  const model = await loadNetwork(gpu, flags.net ?? bundledCheckpoint, watch, silent, flags);
  const pictures = await openPictures(gpu, model, flags);
  const task = await makeTask(gpu, model, flags, watch, silent, pictures);
  if (flags.grid !== undefined) checkGrid(flags.grid, task, pictures.shape);
  if (flags.stepsGrid !== undefined) checkStepsGrid(flags.stepsGrid, task, pictures);
  if (pictures.pictures === null) say(`no --vae: the latents go to ${flags.saveRaw}, and no picture is made`);
  const perImage = evaluationsPerImage(task.sampler);
  const name = basename(model.checkpoint.name);
  const [startup, begun] = [`${watch}`, performance.now() / 1000];
  const { made, kept, timings } = await generate({
    ...task,
    onStart() {
      say(`${name} (${model.architecture}) on ${gpu.info.name}`);
      say(`${counted(task.seeds.length, "image")}, ${counted(perImage, "evaluation")} each`);
    },
  });
  watch.lap("sampling");
  if (flags.grid !== undefined) await writeGrid(flags.grid, task);
  if (flags.stepsGrid !== undefined) await writeStepsGrid(flags.stepsGrid, task, pictures);
  const { steadyImages, steadySeconds, seconds } = timings;
  const rate = steadyImages > 0 ? steadySeconds / steadyImages : made > 0 ? seconds / made : undefined;
  if (flags.json) {
    const result = {
      outdir: task.outdir,
      made,
      kept,
      seconds,
      secondsPerImage: rate ?? null,
      secondsPerEvaluation: rate === undefined ? null : rate / perImage,
      evaluationsPerImage: perImage,
      architecture: model.architecture,
      checkpoint: { name, sha256: task.checkpointSha256 },
      adapter: gpu.info.name,
      precision: gpu.precision,
      ...(flags.grid === undefined ? {} : { grid: flags.grid }),
      ...(flags.stepsGrid === undefined ? {} : { stepsGrid: flags.stepsGrid }),
      ...(flags.saveRaw === undefined ? {} : { raw: flags.saveRaw }),
      startup: watch.parts,
    };
    process.stdout.write(`${JSON.stringify(result)}\n`);
    return;
  }
  if (kept > 0)
    say(`kept ${counted(kept, "image")} that ${kept === 1 ? "was" : "were"} there (--force makes them anew)`);
  if (rate !== undefined)
    say(
      `made ${counted(made, "image")} in ${seconds.toFixed(1)} s: ${ms(rate)} per image, ${ms(rate / perImage)} per evaluation`,
    );
  if (flags.verbose) say(tuningLine(gpu));
  if (flags.verbose) {
    const { firstBatch } = timings;
    say(`first image after ${(begun + firstBatch).toFixed(2)} s: ${startup},`);
    say(
      `  first batch ${firstBatch.toFixed(2)} s with its pipelines; in all ${(performance.now() / 1000).toFixed(2)} s`,
    );
  }
  if (pictures.pictures === null) {
    process.stdout.write(`${flags.saveRaw}\n`);
    return;
  }
  process.stdout.write(
    `${[task.outdir, flags.grid, flags.stepsGrid].filter((path) => path !== undefined).join("\n")}\n`,
  );
}

/** Says what the network, and its guide, would take. */
async function drySample(gpu: Gpu, flags: SampleFlags, watch: Stopwatch, silent: boolean): Promise<void> {
  const { gnet, guidance, ...own } = flags;
  const model = await outline(gpu, flags.preset ?? flags.net ?? bundledCheckpoint, flags, silent);
  const { sampler } = await chooseSampler(gpu, model, own, watch, silent);
  const wanted = { images: flags.seeds.length, batch: flags.batch, evaluations: evaluationsPerImage(sampler) };
  const networks =
    gnet === undefined ? [model] : [model, await outline(gpu, gnet, flags.offline ? { offline: true } : {}, silent)];
  const facts = [];
  for (const network of networks) facts.push(await dryRun(gpu, network, wanted));
  tellDryRun(facts, flags.json);
}

async function makeTask(
  gpu: Gpu,
  model: Model,
  flags: SampleFlags,
  watch: Stopwatch,
  silent: boolean,
  { pictures, vaeSha256 }: Pictures,
): Promise<GenerateTask> {
  const { label_dim: labelDim } = model.config;
  const asked = flags.class === undefined ? undefined : parseClasses(flags.class, { labelDim, labels: model.labels });
  const { sampler, deciding } = await chooseSampler(gpu, model, flags, watch, silent);
  return {
    model,
    seeds: flags.seeds,
    labels: labelsForSeeds(flags.seeds, labelDim, asked),
    options: {
      ...deciding,
      class: asked?.length === 1 ? asked[0]! : (asked ?? null),
      ...deviceOptions(gpu),
      ...(vaeSha256 === undefined ? {} : { vae: vaeSha256 }),
    },
    sampler,
    checkpointSha256: await model.checkpoint.sha256(),
    batch: batchFor(model, flags.batch, flags.seeds.length),
    outdir: flags.outdir,
    command: ["ncvsd-gpu", ...process.argv.slice(2)],
    subdirs: flags.subdirs ?? false,
    force: flags.force ?? false,
    ...(flags.saveRaw === undefined ? {} : { saveRaw: flags.saveRaw }),
    ...(pictures === undefined ? {} : { pictures }),
    silent,
    debug: flags.verbose ?? false,
  };
}

/** A run's images as one sheet, class by class. */
function sheet(task: GenerateTask, images: readonly RawImage[]): Sheet {
  const { model, seeds, labels, sampler } = task;
  const cells = images.map((image, i) => ({ image, label: `seed ${seeds[i]}` }));
  const names = { labelDim: model.config.label_dim, labels: model.labels };
  return {
    rows: labels ? grouped(cells, labels, (label) => className(label, names)) : inOrder(cells),
    caption: `${basename(model.checkpoint.name)}; ${samplers[sampler.name].label(sampler.settings)}`,
  };
}

/** Images that a sheet can hold at most: more would not fit its pixels, however small they are. */
const MAX_CELLS = 10_000;

/** Lays the sheet out with blank images. @throws NcvsdError BAD_ARGUMENT when it would be too large. */
function checkGrid(path: string, task: GenerateTask, [channels, height, width]: Pictures["shape"]): void {
  const count = task.seeds.length;
  const fail = (cause?: unknown) =>
    new NcvsdError(
      "BAD_ARGUMENT",
      `--grid ${path}: ${count} images of ${width}x${height} are too many for one sheet; name fewer seeds or leave it out.`,
      { cause },
    );
  if (count > MAX_CELLS) throw fail();
  const blank: RawImage = { width, height, channels: channels === 1 ? 1 : 3, data: new Uint8Array() };
  try {
    checkSheet(sheet(task, new Array<RawImage>(count).fill(blank)));
  } catch (cause) {
    throw fail(cause);
  }
}

async function writeGrid(path: string, task: GenerateTask): Promise<void> {
  const images = readImages(task.outdir, task.seeds, task.subdirs);
  writeAtomic(path, await sheetFile(path, sheet(task, images), { "ncvsd-gpu:sheet": version }));
}

/** Seconds as text with a fitting unit. */
export function ms(seconds: number): string {
  return seconds >= 1 ? `${seconds.toFixed(2)} s` : `${(seconds * 1000).toFixed(seconds < 0.1 ? 1 : 0)} ms`;
}
