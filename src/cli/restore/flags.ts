import { type Command, Option } from "commander";
import { NcvsdError } from "../../errors.js";
import { TASKS, type TaskFlags } from "../../operators/tasks.js";
import { parseInteger, parseNumber, parseSeeds, parseTs } from "../../runs/args.js";
import type { SamplerFlags } from "../../sample/task-settings.js";
import { ADAPTER_HELP, type EngineOptions, NO_TUNING_HELP, PRECISION_HELP } from "../parts/engine.js";

/** The options of `restore`, parsed. */
export interface RestoreFlags extends EngineOptions, TaskFlags, SamplerFlags {
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
  lpips?: string;
  lpipsPooling: "mean" | "max";
  force?: boolean;
  json?: boolean;
  quiet?: boolean;
}

/** Every option of `restore`. */
export function addRestoreOptions(command: Command): Command {
  const number = (name: string, rule: Parameters<typeof parseNumber>[2]) => (text: string) =>
    parseNumber(text, name, rule);
  const integer = (name: string, rule: Parameters<typeof parseInteger>[2]) => (text: string) =>
    parseInteger(text, name, rule);
  const positive = { above: 0 };
  return command
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
    .option("--class <name|int>", "class of all images, where it is known: it helps (default: none)")
    .addOption(
      new Option("--labels <from>", "file: the class beside each image in its file; none (default)")
        .choices(["none", "file"])
        .conflicts("class"),
    )
    .option("--lpips <file>", "also compute LPIPS with these weights of VGG16-LPIPS (safetensors)")
    .addOption(
      new Option("--lpips-pooling <how>", "mean, as the reference's evaluation, or max, as the original LPIPS")
        .choices(["mean", "max"])
        .default("mean"),
    )
    .option("--force", "make anew what is there already")
    .addOption(new Option("--precision <type>", PRECISION_HELP).default("f32"))
    .option("--adapter <name>", ADAPTER_HELP)
    .option("--no-tuning", NO_TUNING_HELP)
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
    .option("--c2 <x>", "see --c1", number("--c2", positive));
}

function parseFactor(text: string): number {
  if (!["2", "4", "8", "16"].includes(text))
    throw new NcvsdError("BAD_ARGUMENT", `--factor "${text}": must be 2, 4, 8 or 16`);
  return Number(text);
}
