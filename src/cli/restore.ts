import { join } from "node:path";
import { type Command, Option } from "commander";
import { NcvsdError } from "../errors.js";
import type { Gpu } from "../gpu/device.js";
import type { Model } from "../model/model.js";
import { parseInteger, parseNumber, parseSeeds, parseTs } from "./args.js";
import { type EngineOptions, loadNetwork, openEngine, Stopwatch } from "./engine.js";
import { parseClass } from "./labels.js";
import { decidingOptions } from "./output.js";
import { bundledCheckpoint, packageRoot, version } from "./package.js";
import { type Input, readInputs } from "./restore-inputs.js";
import { summarise, summaryText } from "./restore-report.js";
import { type RestoreJob, restore } from "./restore-run.js";
import { evaluations, type SamplerFlags, samplerSettings } from "./restore-settings.js";
import { checkTaskFlags, makeTask, type RestoreTask, TASKS, type TaskFlags } from "./restore-tasks.js";
import { count, ms } from "./sample.js";

interface RestoreFlags extends EngineOptions, TaskFlags, SamplerFlags {
  data?: string;
  measurement?: string;
  images?: number[];
  outdir: string;
  net?: string;
  runs: number;
  sigmaY: number;
  seed: number;
  batch: number;
  class?: string;
  labels?: string;
  force?: boolean;
  json?: boolean;
  quiet?: boolean;
}

/** Held-out images that come with the checkpoint, and how many of them a run without --data takes. */
const bundledImages = join(packageRoot, "weights", "fashion32-test64.safetensors");
const BUNDLED_COUNT = 10;

export function registerRestore(program: Command): void {
  const number = (name: string, rule: Parameters<typeof parseNumber>[2]) => (text: string) =>
    parseNumber(text, name, rule);
  const integer = (name: string, rule: Parameters<typeof parseInteger>[2]) => (text: string) =>
    parseInteger(text, name, rule);
  const positive = { above: 0 };
  program
    .command("restore")
    .summary("solve an inverse problem with PnP-GD")
    .description(
      "Restores images from degraded measurements with an NCVSD network as prior (plug-and-play generative denoising). " +
        "With --data, clean images are measured first and the results compared with them; with --measurement, real measurements are solved. " +
        "Images that are there already and belong to the same options are kept.",
    )
    .option("--task <name>", TASKS.join(", "))
    .option("--operator <file>", "in place of --task: a JavaScript module with an operator of your own")
    .option(
      "--data <path>",
      "clean images: PNG, .npy or .safetensors, or a folder of them (default: bundled held-out images)",
    )
    .option("--measurement <path>", "real measurements in place of clean images")
    .option(
      "--images <list>",
      "places of the images to take, such as 0-7 (default: all; of the bundled ones 0-9)",
      (t: string) => parseSeeds(t, "--images"),
    )
    .option("--outdir <dir>", "where the results go: a folder per image, overview.png, metrics.json, metrics.md", "out")
    .option("--net <file>", "NCVSD checkpoint (default: the bundled Fashion-MNIST one)")
    .option("--runs <n>", "independent samples per measurement", integer("--runs", { min: 1, max: 64 }), 4)
    .option("--sigma-y <x>", "standard deviation of the measurement noise", number("--sigma-y", positive), 0.05)
    .option(
      "--seed <n>",
      "seed of the measurements' noise and the samples",
      integer("--seed", { min: 0, max: 2 ** 32 - 1 }),
      0,
    )
    .option(
      "--batch <n>",
      "reconstructions at a time; does not change them",
      integer("--batch", { min: 1, max: 65536 }),
      16,
    )
    .option("--class <name|int>", "class of all images (default: none)")
    .addOption(
      new Option("--labels <from>", "none, or file: the class beside each image in its file")
        .choices(["none", "file"])
        .conflicts("class"),
    )
    .option("--force", "make anew what is there already")
    .addOption(new Option("--precision <type>", "storage of weights and activations: f32 or f16").default("f32"))
    .option("--adapter <name>", "part of the name of the GPU adapter")
    .option("--json", "print one JSON object on stdout")
    .option("--quiet", "no progress")
    .option("--verbose", "say more: times of the start-up, the node of a failure, stacks of errors")
    .optionsGroup("Task:")
    .option("--mask <file>", "inpainting: white (1) is known, black (0) is missing")
    .option(
      "--fraction <x>",
      "random_inpainting: share of missing pixels (default: 0.7)",
      number("--fraction", { min: 0, max: 1 }),
    )
    .option(
      "--mask-seed <n>",
      "random_inpainting: which pixels (default: 0)",
      integer("--mask-seed", { min: 0, max: 2 ** 32 - 1 }),
    )
    .option(
      "--kernel-size <n>",
      "deblurring: pixels on a side (default: 61, scaled for small images)",
      integer("--kernel-size", { min: 1, max: 4096 }),
    )
    .option(
      "--std <x>",
      "gaussian_deblur_circ: in pixels (default: 3, scaled for small images)",
      number("--std", positive),
    )
    .option(
      "--intensity <x>",
      "motion_deblur_circ: how much the camera shakes, 0 to 1 (default: 0.5)",
      number("--intensity", { min: 0, max: 1 }),
    )
    .option(
      "--kernel-seed <n>",
      "motion_deblur_circ: which path (default: 0)",
      integer("--kernel-seed", { min: 0, max: 2 ** 32 - 1 }),
    )
    .option("--kernel <file>", "motion_deblur_circ: a kernel of your own, PNG or .npy; it is normalised to sum 1")
    .addOption(new Option("--factor <n>", "super_resolution: 2, 4, 8 or 16 (default: 4)").argParser(parseFactor))
    .option(
      "--oversample <x>",
      "phase_retrieval: zeros around the image, in eighths of its side (default: 4)",
      number("--oversample", { above: 0, max: 64 }),
    )
    .optionsGroup("Sampler (defaults: the paper's Table 4 for the task):")
    .option("--steps <n>", "noise levels N; N-1 evaluations of the prior", integer("--steps", { min: 2, max: 10000 }))
    .option("--sigma-max <x>", "highest noise level", number("--sigma-max", positive))
    .option("--sigma-min <x>", "lowest noise level", number("--sigma-min", positive))
    .option("--rho <x>", "exponent of the schedule", number("--rho", positive))
    .option(
      "--beta <x>",
      "energy strength, 2 * (assumed noise)^2; the default grows with the square of --sigma-y",
      number("--beta", positive),
    )
    .option(
      "--ema-sigma <x>",
      "samples are averaged below this level; inf: always, 0: never",
      number("--ema-sigma", { min: 0, infinity: true }),
    )
    .option("--ema-decay <x>", "weight of the average so far, 0 to 1", number("--ema-decay", { min: 0, max: 1 }))
    .option(
      "--ts <list>",
      "multi-step prior: indices 0-38 into the 40-level schedule (default: one step)",
      (t: string) => parseTs(t),
    )
    .option(
      "--ula-steps <n>",
      "Langevin steps of a likelihood step without closed form",
      integer("--ula-steps", { min: 1, max: 100000 }),
    )
    .option("--c1 <x>", "step size of the Langevin steps: c1 / (c2 / beta + 1 / sigma^2)", number("--c1", positive))
    .option("--c2 <x>", "see --c1", number("--c2", positive))
    .addHelpText(
      "after",
      [
        "",
        "Examples:",
        "  ncvsd-gpu restore --task box_inpainting --outdir out/box",
        "  ncvsd-gpu restore --task super_resolution --factor 4 --data photos --net ncvsd-ffhq256.safetensors",
        "  ncvsd-gpu restore --task motion_deblur_circ --measurement blurred.png --kernel kernel.png --sigma-y 0.02",
        "  ncvsd-gpu restore --operator hdr.js --beta 0.002",
      ].join("\n"),
    )
    .action(async (flags: RestoreFlags) => {
      const watch = new Stopwatch();
      checkTaskFlags(flags);
      if (flags.data !== undefined && flags.measurement !== undefined)
        throw new NcvsdError(
          "BAD_ARGUMENT",
          "--data and --measurement exclude each other: give clean images or measurements",
        );
      const gpu = await openEngine(flags, watch);
      try {
        await runRestore(gpu, flags, watch);
      } finally {
        gpu.close();
      }
    });
}

function parseFactor(text: string): number {
  if (!["2", "4", "8", "16"].includes(text))
    throw new NcvsdError("BAD_ARGUMENT", `--factor "${text}": must be 2, 4, 8 or 16`);
  return Number(text);
}

async function runRestore(gpu: Gpu, flags: RestoreFlags, watch: Stopwatch): Promise<void> {
  const silent = Boolean(flags.quiet || flags.json);
  const say = (line: string) => {
    if (!silent) process.stderr.write(`${line}\n`);
  };
  const model = await loadNetwork(gpu, flags.net ?? bundledCheckpoint, watch, silent);
  const { name: checkpoint } = model.checkpoint;
  if (model.architecture !== "ncvsd")
    throw new NcvsdError("BAD_ARGUMENT", `${checkpoint} is an EDM2 teacher: restoring needs an NCVSD network`);
  const task = await makeTask(gpu, flags, model.shape);
  const inputs = await readTaskInputs(flags, task, model);
  const job = await makeJob(gpu, model, task, inputs, flags, silent);
  watch.lap("inputs");
  const nfe = evaluations(job.sampler);
  say(`${gpu.info.name}: ${checkpoint}, ${task.name} (${task.description})`);
  for (const note of task.notes) say(note);
  say(`${count(inputs.length, "image")}, ${count(flags.runs, "sample")} each, ${count(nfe, "evaluation")} a sample`);
  const { results, made, kept, seconds } = await restore(job);
  watch.lap("restoring");
  if (flags.json) {
    const summary = summarise(results);
    process.stdout.write(
      `${JSON.stringify({ task: task.name, outdir: job.outdir, made, kept, seconds, nfe, runs: flags.runs, summary, adapter: gpu.info.name, startup: watch.parts })}\n`,
    );
    return;
  }
  if (kept > 0) say(`kept ${count(kept, "image")} that ${kept === 1 ? "was" : "were"} there (--force makes them anew)`);
  if (made > 0)
    say(`made ${count(made, "image")} in ${seconds.toFixed(1)} s: ${ms(seconds / made / flags.runs)} a sample`);
  if (flags.verbose) say(`times: ${watch}`);
  say(summaryText(results));
  process.stdout.write(`${job.outdir}\n`);
}

async function readTaskInputs(flags: RestoreFlags, task: RestoreTask, model: Model): Promise<Input[]> {
  if (flags.measurement !== undefined)
    return readInputs(
      flags.measurement,
      { shape: task.operator.measurementShape, what: "measurements", whose: task.name, bytes: task.kind !== "phase" },
      flags.images,
    );
  const expected = { shape: model.shape, what: "images", whose: `the checkpoint ${model.checkpoint.name}` } as const;
  if (flags.data !== undefined) return readInputs(flags.data, expected, flags.images);
  return readInputs(bundledImages, expected, flags.images ?? Array.from({ length: BUNDLED_COUNT }, (_, i) => i));
}

/** One class per image (-1: none); undefined for an unconditional network. */
function labelsOf(flags: RestoreFlags, inputs: readonly Input[], model: Model): number[] | undefined {
  const { labelDim, labels } = model;
  if (flags.class !== undefined) {
    const asked = parseClass(flags.class, { labelDim, labels });
    return inputs.map(() => asked);
  }
  if (flags.labels !== "file") return labelDim === 0 ? undefined : inputs.map(() => -1);
  return inputs.map(({ name, label }) => {
    if (label !== undefined && label >= 0 && label < labelDim) return label;
    throw new NcvsdError(
      "BAD_ARGUMENT",
      labelDim === 0
        ? "--labels file: this checkpoint has no classes (label_dim is 0); leave the option out"
        : `--labels file: the image ${name} has no class from 0 to ${labelDim - 1} beside it (a tensor \`labels\` in a safetensors file); name one with --class`,
    );
  });
}

async function makeJob(
  gpu: Gpu,
  model: Model,
  task: RestoreTask,
  inputs: readonly Input[],
  flags: RestoreFlags,
  silent: boolean,
): Promise<RestoreJob> {
  const { sigmaY, seed, runs } = flags;
  const sampler = samplerSettings(task, flags, sigmaY);
  const simulated = flags.measurement === undefined;
  const { sigmas, ...settings } = sampler;
  const options = {
    command: "restore",
    task: task.name,
    ...task.options,
    simulated,
    sigmaY,
    seed,
    runs,
    ...settings,
    sigmas: [...sigmas],
    precision: gpu.precision,
  };
  return {
    model,
    task,
    inputs,
    simulated,
    labels: labelsOf(flags, inputs, model),
    sigmaY,
    sampler,
    seed,
    runs,
    batch: flags.batch,
    options,
    head: {
      task: task.name,
      description: task.description,
      notes: task.notes,
      sigmaY,
      options: decidingOptions(options),
      version,
      command: ["ncvsd-gpu", ...process.argv.slice(2)],
      adapter: gpu.info.name,
      checkpoint: { name: model.checkpoint.name, sha256: await model.checkpoint.sha256() },
    },
    outdir: flags.outdir,
    force: flags.force ?? false,
    silent,
    debug: flags.verbose ?? false,
  };
}
