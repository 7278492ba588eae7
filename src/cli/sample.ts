import { type Command, Option } from "commander";
import { NcvsdError } from "../errors.js";
import type { Gpu } from "../gpu/device.js";
import { contactSheet } from "../image/grid.js";
import { encodePng } from "../image/png.js";
import type { Model } from "../model/model.js";
import { parseInteger, parseNumber, parseSeeds, parseTs, parseZeta } from "./args.js";
import { type EngineOptions, loadNetwork, openEngine, Stopwatch } from "./engine.js";
import { evaluationsPerImage, type GenerateTask, generate, readImages } from "./generate.js";
import { className, labelsForSeeds, parseClass } from "./labels.js";
import { writeAtomic } from "./output.js";
import { bundledCheckpoint } from "./package.js";

interface SampleFlags extends EngineOptions {
  net?: string;
  ts?: number[];
  zeta?: number;
  seeds: number[];
  class?: string;
  batch: number;
  outdir: string;
  subdirs?: boolean;
  grid?: string;
  saveRaw?: string;
  force?: boolean;
  json?: boolean;
  quiet?: boolean;
  steps?: number;
  guidance?: number;
  gnet?: string;
  S_churn?: number;
  S_min?: number;
  S_max?: number;
  S_noise?: number;
  sigma_min?: number;
  sigma_max?: number;
  rho?: number;
}

const HEUN_FLAGS = [
  "steps",
  "guidance",
  "gnet",
  "S_churn",
  "S_min",
  "S_max",
  "S_noise",
  "sigma_min",
  "sigma_max",
  "rho",
] as const;
const MULTI_STEP_FLAGS = ["ts", "zeta"] as const;

export function registerSample(program: Command): void {
  const positive = { above: 0 };
  const number = (name: string, rule: Parameters<typeof parseNumber>[2]) => (text: string) =>
    parseNumber(text, name, rule);
  program
    .command("sample")
    .summary("generate images from a checkpoint")
    .description(
      "Generates images from a checkpoint: an NCVSD network by multi-step generative denoising, an EDM2 teacher by Heun's sampler. " +
        "Images that are there already and belong to the same options are kept.",
    )
    .option(
      "--net <file>",
      "checkpoint, .safetensors or the index of its shards (default: the bundled Fashion-MNIST one)",
    )
    .addOption(
      new Option("--seeds <list>", "one image per seed")
        .argParser((t) => parseSeeds(t))
        .default(parseSeeds("0-15"), "0-15"),
    )
    .option("--class <name|int>", "class of all images (default: drawn per seed)")
    .option("--outdir <dir>", "where SEED.png and run.json go", "out")
    .option("--subdirs", "a subfolder for every 1000 seeds")
    .option("--grid <file>", "also write all images as one labelled sheet (PNG)")
    .option("--save-raw <file>", "also write the values before rounding to 8 bits (safetensors, tensor `images`)")
    .option(
      "--batch <n>",
      "images at a time; does not change them",
      (t: string) => parseInteger(t, "--batch", { min: 1, max: 65536 }),
      16,
    )
    .option("--force", "make images anew that are there already")
    .addOption(new Option("--precision <type>", "storage of weights and activations: f32 or f16").default("f32"))
    .option("--adapter <name>", "part of the name of the GPU adapter")
    .option("--json", "print one JSON object on stdout")
    .option("--quiet", "no progress")
    .option("--verbose", "say more: times of the start-up, the node of a failure, stacks of errors")
    .optionsGroup("NCVSD:")
    .option(
      "--ts <list>",
      "time steps, indices 0-38 into the 40-level schedule (default: one evaluation at init_sigma)",
      (t: string) => parseTs(t),
    )
    .option("--zeta <x>", "share of fresh noise when re-noising, 0 to 1 (default: 1)", (t: string) => parseZeta(t))
    .optionsGroup("EDM2:")
    .option("--steps <n>", "noise levels; 2n-1 evaluations (default: 32)", (t: string) =>
      parseInteger(t, "--steps", { min: 1, max: 10000 }),
    )
    .option(
      "--guidance <g>",
      "guidance by a second network; 1 is none (default: 1)",
      number("--guidance", { min: -1000, max: 1000 }),
    )
    .option("--gnet <file>", "the second network")
    .option("--S_churn <x>", "churn (default: 0)", number("--S_churn", { min: 0 }))
    .option("--S_min <x>", "lowest level with churn (default: 0)", number("--S_min", { min: 0 }))
    .option("--S_max <x>", "highest level with churn (default: inf)", number("--S_max", { min: 0, infinity: true }))
    .option("--S_noise <x>", "scale of the churn's noise (default: 1)", number("--S_noise", { min: 0 }))
    .option("--sigma_min <x>", "lowest noise level (default: 0.002)", number("--sigma_min", positive))
    .option("--sigma_max <x>", "highest noise level (default: 80)", number("--sigma_max", positive))
    .option("--rho <x>", "exponent of the schedule (default: 7)", number("--rho", positive))
    .addHelpText(
      "after",
      [
        "",
        "Examples:",
        "  ncvsd-gpu sample --ts 10,22 --seeds 0-31 --grid out/grid.png",
        "  ncvsd-gpu sample --class Sneaker --ts 0,10,20,30 --zeta 0.5 --outdir sneakers",
        "  ncvsd-gpu sample --net edm2-img64-s.safetensors --steps 32 --seeds 0-63 --batch 8",
      ].join("\n"),
    )
    .action(async (flags: SampleFlags) => {
      const watch = new Stopwatch();
      const gpu = await openEngine(flags, watch);
      try {
        await runSample(gpu, flags, watch);
      } finally {
        gpu.close();
      }
    });
}

async function runSample(gpu: Gpu, flags: SampleFlags, watch: Stopwatch): Promise<void> {
  const silent = Boolean(flags.quiet || flags.json);
  const say = (line: string) => {
    if (!silent) process.stderr.write(`${line}\n`);
  };
  const model = await loadNetwork(gpu, flags.net ?? bundledCheckpoint, watch, silent);
  const task = await makeTask(gpu, model, flags, watch, silent);
  const perImage = evaluationsPerImage(task.sampler);
  say(
    `${gpu.info.name}: ${model.checkpoint.name} (${model.architecture}), ${count(task.seeds.length, "image")}, ${count(perImage, "evaluation")} each`,
  );
  const { made, kept, timings } = await generate(task);
  watch.lap("sampling");
  if (flags.grid !== undefined) writeGrid(flags.grid, task);
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
      checkpoint: { name: model.checkpoint.name, sha256: task.checkpointSha256 },
      adapter: gpu.info.name,
      precision: gpu.precision,
      ...(flags.grid === undefined ? {} : { grid: flags.grid }),
      ...(flags.saveRaw === undefined ? {} : { raw: flags.saveRaw }),
      startup: watch.parts,
    };
    process.stdout.write(`${JSON.stringify(result)}\n`);
    return;
  }
  if (kept > 0) say(`kept ${count(kept, "image")} that ${kept === 1 ? "was" : "were"} there (--force makes them anew)`);
  if (rate !== undefined)
    say(
      `made ${count(made, "image")} in ${seconds.toFixed(1)} s: ${ms(rate)} per image, ${ms(rate / perImage)} per evaluation`,
    );
  if (flags.verbose) say(`times: ${watch}; first batch ${timings.firstBatch.toFixed(2)} s`);
  process.stdout.write(`${task.outdir}${flags.grid === undefined ? "" : `\n${flags.grid}`}\n`);
}

async function makeTask(
  gpu: Gpu,
  model: Model,
  flags: SampleFlags,
  watch: Stopwatch,
  silent: boolean,
): Promise<GenerateTask> {
  const { label_dim: labelDim } = model.config;
  const asked = flags.class === undefined ? undefined : parseClass(flags.class, { labelDim, labels: model.labels });
  const teacher = model.architecture === "edm2";
  for (const name of teacher ? MULTI_STEP_FLAGS : HEUN_FLAGS) {
    if (flags[name] === undefined) continue;
    const [is, other] = teacher ? ["an EDM2 teacher", "NCVSD networks"] : ["an NCVSD network", "EDM2 teachers"];
    throw new NcvsdError(
      "BAD_ARGUMENT",
      `--${name} is for ${other}, but ${model.checkpoint.name} is ${is}: leave it out.`,
    );
  }
  let sampler: GenerateTask["sampler"];
  let gnetSha256: string | undefined;
  if (teacher) {
    const {
      steps = 32,
      guidance = 1,
      sigma_min = 0.002,
      sigma_max = 80,
      rho = 7,
      S_churn = 0,
      S_min = 0,
      S_noise = 1,
    } = flags;
    const { S_max = Number.POSITIVE_INFINITY } = flags;
    if (flags.gnet !== undefined && guidance === 1)
      throw new NcvsdError(
        "BAD_ARGUMENT",
        "--gnet does nothing at --guidance 1: give another guidance, or leave it out.",
      );
    if (flags.gnet === undefined && guidance !== 1)
      throw new NcvsdError("BAD_ARGUMENT", `--guidance ${guidance} needs a second network: name it with --gnet.`);
    if (sigma_min >= sigma_max)
      throw new NcvsdError("BAD_ARGUMENT", `--sigma_min ${sigma_min} must be below --sigma_max ${sigma_max}.`);
    const gnet = flags.gnet === undefined ? undefined : await loadNetwork(gpu, flags.gnet, watch, silent);
    gnetSha256 = await gnet?.checkpoint.sha256();
    const schedule = { steps, sigmaMin: sigma_min, sigmaMax: sigma_max, rho };
    sampler = {
      kind: "heun",
      options: { ...schedule, guidance, S_churn, S_min, S_max, S_noise, ...(gnet ? { gnet } : {}) },
    };
  } else {
    sampler = { kind: "multi-step", options: { ts: flags.ts ?? null, zeta: flags.zeta ?? 1 } };
  }
  const deciding =
    sampler.kind === "multi-step"
      ? { sampler: sampler.kind, ts: sampler.options.ts ?? null, zeta: sampler.options.zeta ?? 1 }
      : { sampler: sampler.kind, ...sampler.options, gnet: gnetSha256 ?? null };
  return {
    model,
    seeds: flags.seeds,
    labels: labelsForSeeds(flags.seeds, labelDim, asked),
    options: { ...deciding, class: asked ?? null, precision: gpu.precision },
    sampler,
    checkpointSha256: await model.checkpoint.sha256(),
    batch: Math.min(flags.batch, flags.seeds.length),
    outdir: flags.outdir,
    command: ["ncvsd-gpu", ...process.argv.slice(2)],
    subdirs: flags.subdirs ?? false,
    force: flags.force ?? false,
    ...(flags.saveRaw === undefined ? {} : { saveRaw: flags.saveRaw }),
    silent,
    debug: flags.verbose ?? false,
  };
}

/** All images of a run on one sheet, each with its seed and class. */
function writeGrid(path: string, task: GenerateTask): void {
  const { model, seeds } = task;
  const names = { labelDim: model.config.label_dim, labels: model.labels };
  const cells = readImages(task.outdir, seeds, task.subdirs).map((image, i) => {
    const label = task.labels?.[i];
    return { image, label: `seed ${seeds[i]}${label === undefined ? "" : `\n${className(label, names)}`}` };
  });
  writeAtomic(path, encodePng(contactSheet(cells)));
}

export function count(n: number, unit: string): string {
  return `${n} ${unit}${n === 1 ? "" : "s"}`;
}

/** Seconds as text with a fitting unit. */
export function ms(seconds: number): string {
  return seconds >= 1 ? `${seconds.toFixed(2)} s` : `${(seconds * 1000).toFixed(seconds < 0.1 ? 1 : 0)} ms`;
}
