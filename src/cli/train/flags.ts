import { readFileSync, statSync } from "node:fs";
import { type Command, Option } from "commander";
import { bad, quote } from "../../errors.js";
import { MAX_SEED, type NumberRule, parseInteger, parseNumber } from "../../runs/args.js";
import { parseImages } from "../../runs/training-args.js";
import { reason } from "../../runs/whole-file.js";
import { type TrainingPreset, trainingPreset, trainingPresets } from "../../train/presets.js";
import type { ConfigInput } from "../../train/source.js";
import { ADAPTER_HELP, type EngineOptions } from "../parts/engine.js";

export interface TrainFlags extends EngineOptions {
  data: string;
  outdir: string;
  preset: string;
  config?: string;
  cond: boolean;
  duration?: number;
  batch?: number;
  batchGpu: number | "auto";
  lr?: number;
  decay?: number;
  rampup?: number;
  channels?: number;
  dropout?: number;
  P_mean?: number;
  P_std?: number;
  ls?: number;
  ema: number[];
  status?: number;
  snapshot?: number;
  checkpoint?: number;
  samples: number;
  fd: number;
  seed: number;
  skipBad?: boolean;
  recompute?: boolean;
  dryRun?: boolean;
  force?: boolean;
  json?: boolean;
  quiet?: boolean;
}

const LARGEST_CONFIG = 2 ** 20;

export const images =
  (name: string, min = 1) =>
  (text: string) =>
    parseImages(text, name, { min });
export const number = (name: string, rule: NumberRule) => (text: string) => parseNumber(text, name, rule);
export const integer = (name: string, min: number, max: number) => (text: string) =>
  parseInteger(text, name, { min, max });

export function addTrainOptions(command: Command): Command {
  return command
    .requiredOption("--data <path>", "data set: a folder or a zip archive that `dataset convert` made, or EDM2's tool")
    .requiredOption("--outdir <dir>", "where snapshots, samples, log.jsonl, report.html and the state go")
    .optionsGroup("Network and data:")
    .addOption(
      new Option(
        "--preset <name>",
        `settings to begin from: ${[...trainingPresets.keys()].join(", ")}; size, channels and classes are the data's`,
      ).default("fashion32"),
    )
    .option("--config <file>", "JSON with arguments of the network by the reference's names, in place of the preset's")
    .option("--channels <n>", "model_channels: the network's width", integer("--channels", 1, 65536))
    .option("--dropout <p>", "probability of dropout", number("--dropout", { min: 0, max: 0.99 }))
    .addOption(
      new Option("--cond <bool>", "train with the data's labels").argParser(parseBoolean).default(true, "true"),
    )
    .option("--skip-bad", "in place of a damaged picture take the next one, and say so")
    .optionsGroup("Training (numbers of images may end in Ki, Mi or Gi: 2^10, 2^20, 2^30):")
    .option("--duration <images>", "the run ends with the first update that reaches it", images("--duration"))
    .option("--batch <images>", "images of an update", images("--batch"))
    .addOption(
      new Option(
        "--batch-gpu <images>",
        'images of a round; "auto": the largest part of the batch that fits, 64 at most',
      )
        .argParser((text) => (text === "auto" ? text : parseImages(text, "--batch-gpu", { min: 1 })))
        .default("auto"),
    )
    .option("--recompute", "some 0.4 of the memory of activations for a third more time, to the same bits")
    .option("--lr <rate>", "reference learning rate", number("--lr", { above: 0 }))
    .option("--decay <batches>", "updates after which the rate falls; 0: it does not", number("--decay", { min: 0 }))
    .option("--rampup <images>", "images in which the rate rises from 0; 0: none", images("--rampup", 0))
    .option("--P_mean <mean>", "mean of ln(sigma)", number("--P_mean", {}))
    .option("--P_std <std>", "standard deviation of ln(sigma)", number("--P_std", { above: 0 }))
    .option("--ls <factor>", "loss scaling", number("--ls", { above: 0 }))
    .addOption(
      new Option("--ema <stds>", "relative standard deviations of the averages; the first is sampled")
        .argParser(parseEmas)
        .default([0.05, 0.1], "0.05,0.1"),
    )
    .addOption(
      new Option("--seed <s>", "seed of weights, order and noise").argParser(integer("--seed", 0, MAX_SEED)).default(0),
    )
    .optionsGroup("Left on the way (at the first update that reaches a multiple; 0: never):")
    .option("--status <images>", "a line of the log", images("--status", 0))
    .option("--snapshot <images>", "averages, samples and the report; a multiple of 1024", images("--snapshot", 0))
    .option("--checkpoint <images>", "the state, from which the same command goes on", images("--checkpoint", 0))
    .addOption(
      new Option("--samples <n>", "images of a sheet: 0, 16 or 64")
        .argParser((text) => [0, 16, 64].find((n) => String(n) === text) ?? refuse("--samples", text, "0, 16 or 64"))
        .default(16),
    )
    .addOption(
      new Option(
        "--fd <n>",
        "images for a Frechet distance at snapshots (32x32 grey data, the bundled features); 0: none",
      )
        .argParser(integer("--fd", 0, 50_000))
        .default(0),
    )
    .optionsGroup("Other:")
    .option("--dry-run", "say parameters, memory and the time of an update, and train nothing")
    .option("--force", "begin anew, whatever state is there")
    .option("--adapter <name>", ADAPTER_HELP)
    .option("--json", "print one JSON object on stdout")
    .option("--quiet", "no progress");
}

export function refuse(option: string, text: string, must: string): never {
  throw bad(`${option} ${quote(text)}: must be ${must}`);
}

export function parseBoolean(text: string): boolean {
  if (/^(true|yes|1)$/i.test(text)) return true;
  return /^(false|no|0)$/i.test(text) ? false : refuse("--cond", text, "true or false");
}

export function parseEmas(text: string): number[] {
  const stds = text.split(",").map((part) => parseNumber(part.trim(), "--ema", { above: 0, max: 0.288 }));
  if (new Set(stds.map((std) => std.toFixed(3))).size < stds.length)
    throw bad(`--ema ${quote(text)}: two are the same in three decimals, which their files' names have`);
  return stds;
}

/** Everything about a run but the data and the device, defaults filled in. */
export interface TrainSettings extends Omit<TrainingPreset, "config"> {
  readonly config: ConfigInput;
}

/** The preset with what the flags and the file of `--config` change. @throws BAD_ARGUMENT naming what does not go together */
export function settingsOf(flags: TrainFlags): TrainSettings {
  const preset = trainingPreset(flags.preset);
  const own = flags.config === undefined ? {} : readConfig(flags.config);
  const config: ConfigInput = {
    ...preset.config,
    ...own,
    ...(flags.channels !== undefined && { model_channels: flags.channels }),
    ...(flags.dropout !== undefined && { dropout: flags.dropout }),
  };
  const batch = flags.batch ?? preset.batch;
  const settings: TrainSettings = {
    config,
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
export function fitting(images: number, batch: number): number {
  const unit = snapshotUnit(batch);
  return Math.max(1, Math.round(images / unit)) * unit;
}

/** Snapshots come at multiples of this many images. */
export const snapshotUnit = (batch: number): number => commonMultiple(1024, batch);

function commonMultiple(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y > 0) [x, y] = [y, x % y];
  return (a / x) * b;
}

function readConfig(path: string): ConfigInput {
  let text: string;
  try {
    const { size } = statSync(path);
    if (size > LARGEST_CONFIG) throw bad(`--config ${path} has ${size} bytes: it is no JSON of a network's arguments`);
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw bad(`--config ${path} cannot be read: ${reason(cause)}`, cause);
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw bad(`--config ${path} is no JSON: ${(cause as Error).message}`);
  }
  if (typeof json !== "object" || json === null || Array.isArray(json))
    throw bad(`--config ${path} must be a JSON object such as {"model_channels": 64}`);
  return json as ConfigInput;
}
