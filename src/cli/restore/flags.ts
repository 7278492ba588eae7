import { type Command, Option } from "commander";
import type { ValueRange } from "../../data/arrays.js";
import { parseInteger, parseNumber, parseRange, parseSeeds, RANGE_HELP } from "../../runs/args.js";
import { DRY_RUN_HELP } from "../parts/dry-run.js";
import {
  ADAPTER_HELP,
  BATCH_HELP,
  type EngineOptions,
  type FetchFlags,
  NO_TUNING_HELP,
  OFFLINE_HELP,
  PRECISION_HELP,
  SHA256_HELP,
  TENSOR_CORES,
  TENSOR_CORES_HELP,
} from "../parts/engine.js";
import { NET_HELP } from "../parts/published.js";
import { addPosteriorOptions, type SamplerFlags } from "./sampler-flags.js";
import { TASK_FLAGS, TASKS, type TaskFlags } from "./task-flags.js";

/** The options of `restore`, parsed. */
export interface RestoreFlags extends EngineOptions, FetchFlags, TaskFlags, SamplerFlags {
  data?: string;
  measurement?: string;
  range?: ValueRange;
  fit: "crop" | "pad" | "none";
  images?: number[];
  outdir: string;
  net?: string;
  runs: number;
  sigmaY?: number;
  seed: number;
  batch?: number;
  class?: string;
  labels?: string;
  lpips?: string[];
  lpipsPooling: "mean" | "max";
  force?: boolean;
  dryRun?: boolean;
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
  command
    .option("--task <name>", TASKS.join(", "))
    .option("--operator <file>", "in place of --task: a JavaScript module with an operator of your own")
    .option(
      "--data <path>",
      "clean images: PNG, JPEG, .npy, .npz or .safetensors, a folder of them, or a zip archive of pictures (default: bundled held-out images)",
    )
    .addOption(
      new Option(
        "--fit <how>",
        "what is done with pictures of other sizes: crop, pad (black borders), none (refuse them)",
      )
        .choices(["crop", "pad", "none"])
        .default("crop"),
    )
    .option("--measurement <path>", "real measurements in place of clean images")
    .option("--range <black,white>", RANGE_HELP, (t: string) => parseRange(t))
    .option(
      "--images <list>",
      "places of the images to take, such as 0-7 (default: all; of the bundled ones 0-9)",
      (t: string) => parseSeeds(t, "--images"),
    )
    .option("--outdir <dir>", "where the results go: a folder per image, overview.png, metrics.json, metrics.md", "out")
    .option("--net <file>", NET_HELP)
    .option("--sha256 <sum>", SHA256_HELP)
    .option("--offline", OFFLINE_HELP)
    .option("--runs <n>", "independent samples per measurement", integer("--runs", { min: 1, max: 64 }), 4)
    .option(
      "--sigma-y <x>",
      "standard deviation of the measurement noise, with pictures from -1 to 1 (default: 0.05; some tasks have their own)",
      number("--sigma-y", positive),
    )
    .option(
      "--seed <n>",
      "seed of the measurements' noise and the samples",
      integer("--seed", { min: 0, max: 2 ** 32 - 1 }),
      0,
    )
    .option("--batch <n>", `reconstructions ${BATCH_HELP}`, integer("--batch", { min: 1, max: 65536 }))
    .option("--class <name|int>", "class of all images, where it is known: it helps (default: none)")
    .addOption(
      new Option("--labels <from>", "file: the class beside each image in its file; none (default)")
        .choices(["none", "file"])
        .conflicts("class"),
    )
    .option(
      "--lpips <file>",
      "also compute LPIPS with these weights, of VGG16 or AlexNet (safetensors or torch.save; twice: trunk and linear layers)",
      (path: string, others: string[] = []) => [...others, path],
    )
    .addOption(
      new Option(
        "--lpips-pooling <how>",
        "of VGG16: mean, as the reference's evaluation, or max, as the original LPIPS",
      )
        .choices(["mean", "max"])
        .default("mean"),
    )
    .option("--force", "make anew what is there already")
    .option("--dry-run", DRY_RUN_HELP)
    .addOption(new Option("--precision <type>", PRECISION_HELP).default("f32"))
    .addOption(new Option("--tensor-cores <when>", TENSOR_CORES_HELP).choices(TENSOR_CORES))
    .option("--adapter <name>", ADAPTER_HELP)
    .option("--no-tuning", NO_TUNING_HELP)
    .option("--json", "print one JSON object on stdout")
    .option("--quiet", "no progress")
    .option("--verbose", "say more: times of the start-up, the node of a failure, stacks of errors")
    .optionsGroup("Task:");
  for (const flag of TASK_FLAGS.values()) command.option(flag.option, flag.help);
  return addPosteriorOptions(command);
}
