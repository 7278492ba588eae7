import { type Command, Option } from "commander";
import { bad, quote } from "../../errors.js";
import { MAX_SEED, type NumberRule, parseInteger, parseNumber } from "../../runs/args.js";
import { parseImages } from "../../runs/training-args.js";
import type { TrainingPrecision } from "../../train/precision.js";
import type { RunPreset } from "../../train/presets.js";
import { ADAPTER_HELP, type EngineOptions, type FetchFlags, OFFLINE_HELP, SHA256_HELP } from "../parts/engine.js";
import { VAE_HELP } from "../parts/vae.js";

/** Options of `train` and `distill`. */
export interface CommonFlags extends Omit<EngineOptions, "precision">, FetchFlags {
  data: string;
  outdir: string;
  preset: string;
  cond: boolean;
  duration?: number;
  batch?: number;
  batchGpu: number | "auto";
  dropout?: number;
  recompute?: boolean;
  lr?: number;
  decay?: number;
  rampup?: number;
  P_mean?: number;
  P_std?: number;
  ls?: number;
  precision: TrainingPrecision;
  ema: number[];
  status?: number;
  snapshot?: number;
  checkpoint?: number;
  samples: number;
  vae?: string;
  fd: number;
  seed: number;
  skipBad?: boolean;
  dryRun?: boolean;
  profile?: boolean;
  force?: boolean;
  json?: boolean;
  quiet?: boolean;
}

/** What a step of the training is called. */
export type StepName = "update" | "iteration";

export const images =
  (name: string, min = 1) =>
  (text: string) =>
    parseImages(text, name, { min });
export const number = (name: string, rule: NumberRule) => (text: string) => parseNumber(text, name, rule);
export const integer = (name: string, min: number, max: number) => (text: string) =>
  parseInteger(text, name, { min, max });

export function addPlaces(command: Command): Command {
  return command
    .requiredOption("--data <path>", "data set: a folder or a zip archive that `dataset convert` made, or EDM2's tool")
    .requiredOption("--outdir <dir>", "where snapshots, samples, log.jsonl, report.html and the state go");
}

/** How the file of a network may be had. */
export function addFetching(command: Command): Command {
  return command.option("--sha256 <sum>", SHA256_HELP).option("--offline", OFFLINE_HELP);
}

export const dropoutOption = (help: string) =>
  new Option("--dropout <p>", help).argParser(number("--dropout", { min: 0, max: 0.99 }));

export function presetOption(help: string): Option {
  return new Option("--preset <name>", `settings to begin from: ${help}`).default("fashion32");
}

export function condOption(help: string): Option {
  return new Option("--cond <bool>", help).argParser(parseBoolean).default(true, "true");
}

/** --skip-bad, and how long and with how many images a step. */
export function addBatches(command: Command, step: StepName, batchHelp: string): Command {
  return command
    .option("--skip-bad", "in place of a damaged picture take the next one, and say so")
    .optionsGroup("Training (numbers of images may end in Ki, Mi or Gi: 2^10, 2^20, 2^30):")
    .option("--duration <images>", `the run ends with the first ${step} that reaches it`, images("--duration"))
    .option("--batch <images>", batchHelp, images("--batch"))
    .addOption(
      new Option(
        "--batch-gpu <images>",
        'images of a round; "auto": the largest part of the batch that fits, 64 at most',
      )
        .argParser((text) => (text === "auto" ? text : images("--batch-gpu")(text)))
        .default("auto"),
    )
    .option("--recompute", "some 0.4 of the memory of activations for a third more time, to the same bits");
}

/** Noise levels, of which `level` is the name, loss scaling, averages and the seed. */
export function addDraws(command: Command, level: string, emaHelp: string, seedHelp: string): Command {
  return command
    .option("--P_mean <mean>", `mean of ln(${level})`, number("--P_mean", {}))
    .option("--P_std <std>", `standard deviation of ln(${level})`, number("--P_std", { above: 0 }))
    .option("--ls <factor>", "loss scaling", number("--ls", { above: 0 }))
    .addOption(
      new Option("--precision <type>", "of activations; f16: half the memory, with weights, sums, losses in f32")
        .choices(["f32", "f16"])
        .default("f32"),
    )
    .addOption(new Option("--ema <stds>", emaHelp).argParser(parseEmas).default([0.05, 0.1], "0.05,0.1"))
    .addOption(new Option("--seed <s>", seedHelp).argParser(integer("--seed", 0, MAX_SEED)).default(0));
}

export function addIntervals(command: Command, step: StepName): Command {
  return command
    .optionsGroup(`Left on the way (at the first ${step} at a multiple; 0: never):`)
    .option("--status <images>", "a line of the log", images("--status", 0))
    .option("--snapshot <images>", "averages, samples and the report; a multiple of 1024", images("--snapshot", 0))
    .option("--checkpoint <images>", "the state, from which the same command goes on", images("--checkpoint", 0));
}

/** What is sampled, and options of any command that runs long. */
export function addSamplesAndOthers(command: Command, step: StepName): Command {
  return command
    .addOption(
      new Option("--samples <n>", "images of a sheet: 0, 16 or 64")
        .argParser((text) => [0, 16, 64].find((n) => String(n) === text) ?? refuse("--samples", text, "0, 16 or 64"))
        .default(16),
    )
    .option("--vae <file>", `makes pictures of samples, in sheets at most 128 wide; ${VAE_HELP}`)
    .addOption(
      new Option(
        "--fd <n>",
        "images for a Frechet distance at snapshots (32x32 grey data, the bundled features); 0: none",
      )
        .argParser(integer("--fd", 0, 50_000))
        .default(0),
    )
    .optionsGroup("Other:")
    .option("--dry-run", `say parameters, memory and the time of an ${step}, and train nothing`)
    .option("--profile", "with --dry-run: where the time goes, by node and kernel")
    .option("--force", "begin anew, whatever state is there")
    .option("--adapter <name>", ADAPTER_HELP)
    .option("--json", "print one JSON object on stdout")
    .option("--quiet", "no progress");
}

export function refuse(option: string, text: string, must: string): never {
  throw bad(`${option} ${quote(text)}: must be ${must}`);
}

function parseBoolean(text: string): boolean {
  if (/^(true|yes|1)$/i.test(text)) return true;
  return /^(false|no|0)$/i.test(text) ? false : refuse("--cond", text, "true or false");
}

function parseEmas(text: string): number[] {
  const stds = text.split(",").map((part) => parseNumber(part.trim(), "--ema", { above: 0, max: 0.288 }));
  if (new Set(stds.map((std) => std.toFixed(3))).size < stds.length)
    throw bad(`--ema ${quote(text)}: two are the same in three decimals, which their files' names have`);
  return stds;
}

/** The preset with what the flags change of it. @throws BAD_ARGUMENT naming what does not go together */
export function commonSettings(flags: CommonFlags, preset: RunPreset): RunPreset {
  const batch = flags.batch ?? preset.batch;
  const settings: RunPreset = {
    batch,
    duration: flags.duration ?? preset.duration,
    refLr: flags.lr ?? preset.refLr,
    refBatches: flags.decay ?? preset.refBatches,
    rampup: flags.rampup ?? preset.rampup,
    pMean: flags.P_mean ?? preset.pMean,
    pStd: flags.P_std ?? preset.pStd,
    lossScaling: flags.ls ?? preset.lossScaling,
    status: flags.status ?? preset.status,
    snapshot: flags.snapshot ?? fitting(preset.snapshot, batch),
    checkpoint: flags.checkpoint ?? preset.checkpoint,
  };
  const unit = snapshotUnit(batch);
  if (settings.snapshot % unit !== 0)
    throw bad(
      `--snapshot ${settings.snapshot}: must be a multiple of 1024 and of --batch ${batch}, so of ${unit}: the names of snapshots tell their times so`,
    );
  if (typeof flags.batchGpu === "number" && batch % flags.batchGpu !== 0)
    throw bad(`--batch-gpu ${flags.batchGpu}: must divide --batch ${batch}`);
  return settings;
}

/** A preset's number of images, made to suit another batch. */
function fitting(images: number, batch: number): number {
  const unit = snapshotUnit(batch);
  return Math.max(1, Math.round(images / unit)) * unit;
}

/** Snapshots come at multiples of this many images. */
const snapshotUnit = (batch: number): number => commonMultiple(1024, batch);

function commonMultiple(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y > 0) [x, y] = [y, x % y];
  return (a / x) * b;
}
