import { type Command, Option } from "commander";
import { bad } from "../../errors.js";
import { MAX_SEED, parseTs } from "../../runs/args.js";
import { type DistillationPreset, distillationPreset, distillationPresets } from "../../train/distillation-presets.js";
import { ADAPTER_HELP, type EngineOptions } from "../parts/engine.js";
import { fitting, images, integer, number, parseBoolean, parseEmas, refuse, snapshotUnit } from "./flags.js";

export interface DistillFlags extends EngineOptions {
  teacher: string;
  data: string;
  outdir: string;
  preset: string;
  cond: boolean;
  duration?: number;
  batch?: number;
  batchGpu: number | "auto";
  lr?: number;
  gLr?: number;
  dLr?: number;
  decay?: number;
  rampup?: number;
  ganWeight?: number;
  ganWarmup?: number;
  gamma?: number;
  ctrlInit?: number;
  ctrlLr?: number;
  P_mean?: number;
  P_std?: number;
  ls?: number;
  ema: number[];
  ts?: number[];
  status?: number;
  snapshot?: number;
  checkpoint?: number;
  samples: number;
  fd: number;
  seed: number;
  skipBad?: boolean;
  dryRun?: boolean;
  force?: boolean;
  json?: boolean;
  quiet?: boolean;
}

export function addDistillOptions(command: Command): Command {
  return command
    .requiredOption(
      "--teacher <file>",
      "the EDM2 network whose score is distilled: a snapshot of `train`, or any checkpoint",
    )
    .requiredOption("--data <path>", "data set: a folder or a zip archive that `dataset convert` made, or EDM2's tool")
    .requiredOption("--outdir <dir>", "where snapshots, samples, log.jsonl, report.html and the state go")
    .optionsGroup("Networks and data:")
    .addOption(
      new Option("--preset <name>", `settings to begin from: ${[...distillationPresets.keys()].join(", ")}`).default(
        "fashion32",
      ),
    )
    .addOption(new Option("--cond <bool>", "use the data's labels").argParser(parseBoolean).default(true, "true"))
    .option("--gamma <g>", "relative rise of the noise level in the generator", number("--gamma", { above: 0 }))
    .option(
      "--ctrl-init <w>",
      "mixing weights to begin with (default: 0, as published; small batches may never leave it, 0.2 helps them)",
      number("--ctrl-init", { min: 0, max: 1 }),
    )
    .option(
      "--ctrl-lr <factor>",
      "rate of the mixing weights, relative to their networks' (default: 1; 0.1 keeps small batches from driving them to 0)",
      number("--ctrl-lr", { min: 0, max: 1 }),
    )
    .option("--skip-bad", "in place of a damaged picture take the next one, and say so")
    .optionsGroup("Training (numbers of images may end in Ki, Mi or Gi: 2^10, 2^20, 2^30):")
    .option("--duration <images>", "the run ends with the first iteration that reaches it", images("--duration"))
    .option("--batch <images>", "images of an iteration; each of the three networks sees as many", images("--batch"))
    .addOption(
      new Option(
        "--batch-gpu <images>",
        'images of a round; "auto": the largest part of the batch that fits, 64 at most',
      )
        .argParser((text) => (text === "auto" ? text : images("--batch-gpu")(text)))
        .default("auto"),
    )
    .option("--lr <rate>", "reference learning rate of the score model", number("--lr", { above: 0 }))
    .option("--g-lr <factor>", "the generator's rate, relative to --lr", number("--g-lr", { min: 0 }))
    .option("--d-lr <factor>", "the discriminator's rate, relative to --lr", number("--d-lr", { min: 0 }))
    .option("--decay <batches>", "iterations after which the rates fall; 0: they do not", number("--decay", { min: 0 }))
    .option("--rampup <images>", "images in which the rates rise from 0; 0: none", images("--rampup", 0))
    .option("--gan-weight <w>", "weight of the adversarial loss", number("--gan-weight", { min: 0 }))
    .option("--gan-warmup <images>", "images before the adversarial loss begins", images("--gan-warmup", 0))
    .option("--P_mean <mean>", "mean of ln(t)", number("--P_mean", {}))
    .option("--P_std <std>", "standard deviation of ln(t)", number("--P_std", { above: 0 }))
    .option("--ls <factor>", "loss scaling", number("--ls", { above: 0 }))
    .addOption(
      new Option("--ema <stds>", "relative standard deviations of the generator's averages; the first is sampled")
        .argParser(parseEmas)
        .default([0.05, 0.1], "0.05,0.1"),
    )
    .addOption(
      new Option("--seed <s>", "seed of what is fresh, order and noise")
        .argParser(integer("--seed", 0, MAX_SEED))
        .default(0),
    )
    .optionsGroup("Left on the way (at the first iteration at a multiple; 0: never):")
    .option("--status <images>", "a line of the log", images("--status", 0))
    .option("--snapshot <images>", "averages, samples and the report; a multiple of 1024", images("--snapshot", 0))
    .option("--checkpoint <images>", "the state, from which the same command goes on", images("--checkpoint", 0))
    .option(
      "--ts <steps>",
      "time steps of the samples at snapshots, such as 10 or 0,16: levels 0 (most noise) to 39",
      (text: string) => parseTs(text),
    )
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
    .option("--dry-run", "say parameters, memory and the time of an iteration, and train nothing")
    .option("--force", "begin anew, whatever state is there")
    .option("--adapter <name>", ADAPTER_HELP)
    .option("--json", "print one JSON object on stdout")
    .option("--quiet", "no progress");
}

/** The preset with what the flags change. @throws BAD_ARGUMENT naming what does not go together */
export function distillSettings(flags: DistillFlags): DistillationPreset {
  const preset = distillationPreset(flags.preset);
  const batch = flags.batch ?? preset.batch;
  const settings: DistillationPreset = {
    batch,
    duration: flags.duration ?? preset.duration,
    refLr: flags.lr ?? preset.refLr,
    gLrScaling: flags.gLr ?? preset.gLrScaling,
    dLrScaling: flags.dLr ?? preset.dLrScaling,
    refBatches: flags.decay ?? preset.refBatches,
    rampup: flags.rampup ?? preset.rampup,
    ganLossScaling: flags.ganWeight ?? preset.ganLossScaling,
    ganWarmup: flags.ganWarmup ?? preset.ganWarmup,
    gamma: flags.gamma ?? preset.gamma,
    pMean: flags.P_mean ?? preset.pMean,
    pStd: flags.P_std ?? preset.pStd,
    lossScaling: flags.ls ?? preset.lossScaling,
    status: flags.status ?? preset.status,
    snapshot: flags.snapshot ?? fitting(preset.snapshot, batch),
    checkpoint: flags.checkpoint ?? preset.checkpoint,
    ts: flags.ts ?? preset.ts,
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
